namespace Quire;

/// <content>References that stay while what they refer to moves: migration.</content>
internal sealed unsafe partial class LedgerStore
{
    /// <summary>
    /// Lets the record name another page, and keeps who took it, when and where: the reference is the same, its page's bytes have moved.
    /// False if the ticket is stale. Only the owner of the reference may call it.
    /// </summary>
    internal bool Retarget(uint ticket, ulong identity)
    {
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        if (ticket == 0 || record == null || !TryBecome(record, ticket, LedgerState.Stamping, out ulong state))
        {
            return false;
        }

        // Happens before: whoever sees the record live again sees the new page. A reader that began before finds it by its page,
        // and reads the page again from the copy: it shows the old page or the new one, each true at its moment.
        Atomic.StoreRelease(ref record->Identity, identity);
        Atomic.StoreRelease(ref record->State, state);
        if (Traces)
        {
            TraceMove(ticket, identity);
        }

        return true;
    }
}
