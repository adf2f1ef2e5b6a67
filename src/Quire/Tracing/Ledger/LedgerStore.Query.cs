using System.Diagnostics.CodeAnalysis;

namespace Quire;

/// <content>Reading the ledger while others write it. Cost: a pass over all records ever in use, 64 bytes each.</content>
internal sealed unsafe partial class LedgerStore
{
    // What a release is told when the record has been taken again since: nothing.
    private static readonly LedgerConflict Forgotten = new(0, HolderKind.Page, null, null, FreedPage: false);

    /// <summary>
    /// The live records, each consistent in itself; records taken or released during the call may or may not be among them.
    /// </summary>
    /// <param name="scope">Only records of this leak scope; 0 for all.</param>
    /// <param name="page">Only records of pages for which this answers true; called without any lock.</param>
    internal List<Holder> Snapshot(int scope = 0, Func<ulong, bool>? page = null)
    {
        List<Holder> holders = [];
        ulong now = (ulong)Environment.TickCount64;
        uint carved = _records.Carved;
        for (uint index = 0; index < carved; index++)
        {
            if (TryCopyLive(_records.At(index), out LedgerRecord copy)
                && (scope == 0 || copy.Scope == (uint)scope)
                && (page is null || page(copy.Identity)))
            {
                holders.Add(Show(index, copy, now));
            }
        }

        return holders;
    }

    /// <summary>The live records of one page.</summary>
    internal List<Holder> Of(ulong identity)
    {
        List<Holder> holders = [];
        ulong now = (ulong)Environment.TickCount64;
        uint carved = _records.Carved;
        for (uint index = 0; index < carved; index++)
        {
            LedgerRecord* record = _records.At(index);
            if (record->Identity == identity && TryCopyLive(record, out LedgerRecord copy) && copy.Identity == identity)
            {
                holders.Add(Show(index, copy, now));
            }
        }

        return holders;
    }

    /// <summary>The references to one page that have records.</summary>
    internal long ReferencesOf(ulong identity)
    {
        long references = 0;
        uint carved = _records.Carved;
        for (uint index = 0; index < carved; index++)
        {
            LedgerRecord* record = _records.At(index);
            if (record->Identity == identity && TryCopyLive(record, out LedgerRecord copy) && copy.Identity == identity)
            {
                references += LedgerState.References(copy.State);
            }
        }

        return references;
    }

    /// <summary>The record behind a ticket; null if it is not live.</summary>
    internal Holder? Find(uint ticket)
    {
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        return record != null && TryCopyLive(record, out LedgerRecord copy) && LedgerState.IsLive(copy.State, ticket)
            ? Show(LedgerState.Index(ticket), copy, (ulong)Environment.TickCount64)
            : null;
    }

    /// <summary>Where a live reference was taken; 0 where nobody knows. For the reference's owner: nobody else keeps the record as it is.</summary>
    internal uint OriginOf(uint ticket)
    {
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        return ticket != 0 && record != null && LedgerState.IsOf(Atomic.LoadAcquire(ref record->State), ticket) ? Atomic.LoadAcquire(ref record->TakenOrigin) : 0;
    }

    /// <summary>True while the ticket's record is live and of this page; allocates nothing.</summary>
    internal bool IsLive(uint ticket, ulong identity)
    {
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        if (record == null)
        {
            return false;
        }

        // One load decides about phase and incarnation together: of two, the second may be of the record's next holder.
        // The identity is this incarnation's if the incarnation is still the same after it was read.
        ulong state = Atomic.LoadAcquire(ref record->State);
        bool same = Atomic.LoadAcquire(ref record->Identity) == identity;
        return same
            && LedgerState.IsOf(state, ticket)
            && LedgerState.Phase(state) is LedgerState.Live or LedgerState.Stamping
            && LedgerState.Incarnation(Atomic.LoadAcquire(ref record->State)) == LedgerState.Incarnation(state);
    }

    /// <summary>Who released this ticket; null while it is live, and when its record has been taken again since.</summary>
    internal LedgerConflict? ReleaseOf(uint ticket)
    {
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        SpinWait spin = default;
        while (ticket != 0 && record != null)
        {
            ulong state = Atomic.LoadAcquire(ref record->State);
            uint phase = LedgerState.Phase(state);
            if (!LedgerState.IsOf(state, ticket) || phase is LedgerState.Live or LedgerState.Stamping or LedgerState.Taking)
            {
                break;
            }

            if (phase != LedgerState.Releasing && TryExplain(record, state, out LedgerConflict? conflict))
            {
                return conflict;
            }

            // The releaser is a few stores away from having said who it is; or it was noted meanwhile that it freed the page.
            Atomic.SpinOnce(ref spin);
        }

        return null;
    }

    /// <summary>
    /// The newest release of a page that is still remembered, one that freed the page before all others; null if none is.
    /// For the message about a page whose count is 0 already.
    /// </summary>
    internal LedgerConflict? LastReleaseOf(ulong identity)
    {
        LedgerConflict? last = null;
        uint carved = _records.Carved;
        for (uint index = 0; index < carved; index++)
        {
            LedgerRecord* record = _records.At(index);
            ulong state = Atomic.LoadAcquire(ref record->State);
            if (record->Identity == identity
                && LedgerState.Incarnation(state) != 0
                && LedgerState.Phase(state) is LedgerState.Free or LedgerState.Freed
                && TryExplain(record, state, out LedgerConflict? found)
                && found.Identity == identity
                && (last is null || IsNewer(found, last)))
            {
                last = found;
            }
        }

        return last;
    }

    private static bool IsNewer(LedgerConflict found, LedgerConflict last) =>
        found.FreedPage != last.FreedPage ? found.FreedPage : found.Released!.Value.Age < last.Released!.Value.Age;

    /// <summary>Copies a record that is live. False when it is not.</summary>
    private static bool TryCopyLive(LedgerRecord* record, out LedgerRecord copy)
    {
        SpinWait spin = default;
        while (true)
        {
            ulong state = Atomic.LoadAcquire(ref record->State);
            uint phase = LedgerState.Phase(state);
            if (phase is not LedgerState.Live and not LedgerState.Stamping)
            {
                copy = default;
                return false;
            }

            if (phase == LedgerState.Live)
            {
                copy = LedgerRecord.Copy(record, state);
                if (LedgerRecord.IsUnchanged(record, copy))
                {
                    return true;
                }
            }

            Atomic.SpinOnce(ref spin);
        }
    }

    private Holder Show(uint index, in LedgerRecord copy, ulong now) => new()
    {
        Identity = copy.Identity,
        Ticket = LedgerState.Ticket(index, LedgerState.Incarnation(copy.State)),
        Scope = (int)copy.Scope,
        References = LedgerState.References(copy.State),
        Bytes = copy.Bytes,
        Kind = (HolderKind)(byte)copy.Kind,
        Weight = (int)(copy.Kind >> WeightShift),
        CurrentThread = copy.Stamps == 0 ? copy.TakenThread : copy.LastThread,
        Taken = ShowStamp(copy.TakenOrigin, copy.TakenThread, copy.TakenAt, now),
        Touched = copy.Stamps == 0 ? null : ShowStamp(copy.LastOrigin, copy.LastThread, copy.TakenAt + copy.LastAfter, now),
    };

    private HolderStamp ShowStamp(uint origin, uint thread, ulong at, ulong now)
    {
        (int id, int systemId, string? name) = _threads.NameOf(thread);
        TimeSpan age = TimeSpan.FromMilliseconds(now > at ? now - at : 0);
        return new HolderStamp(Origin.SiteOf(origin), id, name, age) { Stack = Origin.StackOf(origin), Origin = origin, SystemThreadId = systemId };
    }

    /// <summary>Tells about a record in the given state, live or free. False when the state moved on meanwhile.</summary>
    private bool TryExplain(LedgerRecord* record, ulong state, [NotNullWhen(true)] out LedgerConflict? conflict)
    {
        LedgerRecord copy = LedgerRecord.Copy(record, state);
        if (!LedgerRecord.IsUnchanged(record, copy))
        {
            conflict = null;
            return false;
        }

        ulong now = (ulong)Environment.TickCount64;
        bool live = LedgerState.Phase(state) == LedgerState.Live;
        conflict = new LedgerConflict(
            copy.Identity,
            (HolderKind)(byte)copy.Kind,
            ShowStamp(copy.TakenOrigin, copy.TakenThread, copy.TakenAt, now),
            live ? null : ShowStamp(copy.LastOrigin, copy.LastThread, copy.TakenAt + copy.LastAfter, now),
            LedgerState.Phase(state) == LedgerState.Freed);
        return true;
    }
}
