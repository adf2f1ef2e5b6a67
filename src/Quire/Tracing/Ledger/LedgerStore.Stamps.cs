namespace Quire;

/// <content>Changes of a live record: who answers for it, and how many references it has.</content>
internal sealed unsafe partial class LedgerStore
{
    /// <summary>
    /// Restamps the record with this origin, thread and time, and keeps who took it: blame follows the data.
    /// False if the ticket is stale.
    /// </summary>
    internal bool Touch(uint ticket, uint origin) =>
        Stamp(ticket, origin, scope: null);

    /// <summary>
    /// As <see cref="Touch"/>, and moves the record into the caller's leak scope: it answers for the reference from here on.
    /// </summary>
    internal bool Transfer(uint ticket, uint origin) =>
        Stamp(ticket, origin, LedgerScope.t_current);

    /// <summary>Adds references to the record. False if the ticket is stale.</summary>
    /// <exception cref="OverflowException">The sum is negative or larger than an <see cref="int"/>; the record is as it was.</exception>
    internal bool AddTo(uint ticket, int references) => Recount(ticket, references, relative: true);

    /// <summary>Overwrites the record's count; 0 is allowed and keeps it live. False if the ticket is stale.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is negative.</exception>
    internal bool SetReferences(uint ticket, int references)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(references);
        return Recount(ticket, references, relative: false);
    }

    private bool Stamp(uint ticket, uint origin, uint? scope)
    {
        LedgerRing* ring = CurrentRing();
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        if (ticket == 0 || record == null || !TryBecome(record, ticket, LedgerState.Stamping, out ulong state))
        {
            return false;
        }

        record->LastAfter = Since(record->TakenAt);
        record->LastOrigin = origin;
        record->LastThread = ring->Thread;
        record->Scope = scope ?? record->Scope;
        record->Stamps++;
        uint answers = record->Scope;

        // Happens before: whoever sees the record live again sees the whole stamp, and its number, by which a
        // reader that began before knows that it read a mixture.
        Atomic.StoreRelease(ref record->State, state);
        if (Traces)
        {
            TraceTouch(ticket, answers, origin);
        }

        return true;
    }

    private bool Recount(uint ticket, int references, bool relative)
    {
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        if (ticket == 0 || record == null || !TryBecome(record, ticket, LedgerState.Stamping, out ulong state))
        {
            return false;
        }

        long sum = (relative ? LedgerState.References(state) : 0) + (long)references;
        bool fits = sum is >= 0 and <= int.MaxValue;

        // Happens before: the count is in the state itself; nothing else changed.
        Atomic.StoreRelease(ref record->State, fits ? LedgerState.WithReferences(state, (int)sum) : state);
        if (!fits)
        {
            throw new OverflowException("The record's references would leave the range of an int.");
        }

        if (Traces)
        {
            TraceCount(ticket, (int)sum);
        }

        return true;
    }

    // Moves a live record of the ticket's incarnation to another phase; the caller then owns it and must move it on.
    private static bool TryBecome(LedgerRecord* record, uint ticket, uint phase, out ulong state)
    {
        SpinWait spin = default;
        while (true)
        {
            state = Atomic.LoadAcquire(ref record->State);
            if (LedgerState.IsLive(state, ticket))
            {
                // Happens before: as in Release; and the exchange is a full fence, so no field is written before the phase shows.
                if (Atomic.CompareExchange(ref record->State, LedgerState.InPhase(state, phase), state) == state)
                {
                    return true;
                }
            }
            else if (!LedgerState.IsOf(state, ticket) || LedgerState.Phase(state) != LedgerState.Stamping)
            {
                return false;
            }
            else
            {
                Atomic.SpinOnce(ref spin);
            }
        }
    }
}
