using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>The ledger: one record for each reference (or counted group) that is held, found again by its ticket.</summary>
/// <remarks>
/// Contract. <see cref="Take"/> gives a ticket; the references leave by <see cref="Release"/> with that ticket, from any thread,
/// all at once or in parts. Of two releases of the same references exactly one succeeds; the other is told who was first. Nothing
/// that fails changes anything. Queries see only records that existed as shown.
/// <para>
/// Cost: a take has no atomic, a release one; neither allocates on the GC heap. What is slow has a name that says so.
/// </para>
/// <para>
/// The process has one ledger, behind <see cref="Ledger"/>; tests make their own.
/// The parts: this file takes and releases; <c>LedgerStore.Raw.cs</c> pairs counts that have no handle; <c>LedgerStore.Query.cs</c> reads;
/// <c>LedgerStore.Stamps.cs</c> changes live records; <c>LedgerStore.Events.cs</c> tells recordings; <c>LedgerStore.Verify.cs</c> checks.
/// </para>
/// </remarks>
internal sealed unsafe partial class LedgerStore : IDisposable
{
    private const int WeightShift = 8;
    private const uint RefreshMask = 127;
    private const int ReclaimMilliseconds = 50;
    private const int AllReferences = int.MinValue;
    private static uint s_lastNumber;

    private readonly uint _number;
    private readonly bool _isTraced;
    private readonly LedgerRecords _records = new();
    private readonly LedgerThreads _threads;
    private long _untracked;
    private long _reclaimedAt = long.MinValue / 2;

    /// <param name="isTraced">Whether a recording is told of what happens here: only of the process's ledger.</param>
    internal LedgerStore(bool isTraced = false)
    {
        _isTraced = isTraced;
        uint seen;
        do
        {
            seen = Atomic.LoadAcquire(ref s_lastNumber);
        }
        while (Atomic.CompareExchange(ref s_lastNumber, seen + 1, seen) != seen);

        _number = seen + 1;
        _threads = new LedgerThreads(_records, _number);
    }

    /// <summary>How many records there may be, 1 to 4,194,304; lowering it only stops growth.</summary>
    internal int MaximumRecords
    {
        get => (int)_records.Limit;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, (int)LedgerRecords.MaximumRecords);
            _records.Limit = (uint)value;
        }
    }

    /// <summary>Takes that got no record, because the maximum was reached or memory was out.</summary>
    internal long Untracked => Volatile.Read(ref _untracked);

    /// <summary>The records themselves, for tests.</summary>
    internal LedgerRecords Records => _records;

    /// <summary>Records that have ever been in use, now live or free.</summary>
    internal int CarvedRecords => (int)_records.Carved;

    /// <summary>Bytes of the machine's memory set aside for records.</summary>
    internal long Bytes => _records.Bytes;

    /// <summary>Threads' rings that exist, each about 2 KiB: as many as threads lived at once.</summary>
    internal int RingCount => _threads.RingCount;

    /// <summary>Names of threads that are kept for records to show.</summary>
    internal int ThreadNameCount => _threads.NameCount;

    /// <summary>
    /// Records <paramref name="references"/> taken at once. Returns the ticket, or 0 when there was no room (counted in <see
    /// cref="Untracked"/>).
    /// </summary>
    /// <param name="identity">The page.</param>
    /// <param name="references">How many were taken at once.</param>
    /// <param name="bytes">Bytes of the page that the holder uses.</param>
    /// <param name="kind">What kind of reference it is.</param>
    /// <param name="origin">Where it was taken.</param>
    /// <param name="weight">How many takes this one stands for: more than 1 while only some are recorded; at most 16,777,215.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is negative.</exception>
    internal uint Take(ulong identity, int references, uint bytes, HolderKind kind, uint origin, int weight = 1)
    {
        LedgerRing* ring = LedgerRing.t_current;
        uint head;
        if (ring == null || ring->Store != _number || (head = ring->Head) == ring->Tail || references < 0)
        {
            if (!TryPrepareTake(references, out ring))
            {
                return 0;
            }

            head = ring->Head;
        }

        if ((head & RefreshMask) == 0)
        {
            CoarseClock.Refresh();
        }

        uint index = ring->Slots[head & LedgerRing.SlotMask];
        ring->Head = head + 1;
        LedgerRecord* record = _records.At(index);
        uint incarnation = LedgerState.NextIncarnation(record->State);

        // Happens before: each store releases, so whoever sees one of the new fields sees Taking or later, and a reader of
        // the dead record notices that it was torn; whoever sees Live sees all of the fields.
        Atomic.StoreRelease(ref record->State, LedgerState.Make(LedgerState.Taking, incarnation, 0));
        Atomic.StoreRelease(ref record->Identity, identity);
        Atomic.StoreRelease(ref record->TakenAt, CoarseClock.Now);
        Atomic.StoreRelease(ref record->TakenOrigin, origin);
        Atomic.StoreRelease(ref record->TakenThread, ring->Thread);
        Atomic.StoreRelease(ref record->Bytes, bytes);
        Atomic.StoreRelease(ref record->Scope, LedgerScope.t_current);
        Atomic.StoreRelease(ref record->Stamps, 0u);
        Atomic.StoreRelease(ref record->Kind, (uint)kind | ((uint)weight << WeightShift));
        Atomic.StoreRelease(ref record->State, LedgerState.Make(LedgerState.Live, incarnation, references));
        uint ticket = LedgerState.Ticket(index, incarnation);
        if (Traces)
        {
            TraceTake(identity, ticket, references, bytes, kind, origin);
        }

        return ticket;
    }

    /// <summary>
    /// Releases <paramref name="references"/> of the ticket's record, from any thread, in constant time.
    /// With <paramref name="freed"/>, notes that it was the page's last reference.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is negative.</exception>
    internal LedgerRelease Release(uint ticket, ulong identity, int references, uint origin, bool freed = false)
    {
        LedgerRing* ring = LedgerRing.t_current;
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        if (record != null && ring != null && ring->Store == _number)
        {
            ulong state = Atomic.LoadAcquire(ref record->State);
            if (LedgerState.IsLive(state, ticket) && record->Identity == identity && LedgerState.References(state) == references)
            {
                // Happens before: of all that would release, the one whose exchange finds the state live goes on; the identity read above
                // was this incarnation's, or the exchange fails. From here on the record is this thread's.
                if (Atomic.CompareExchange(ref record->State, LedgerState.InPhase(state, LedgerState.Releasing), state) == state)
                {
                    Finish(record, ring, LedgerState.Index(ticket), LedgerState.Incarnation(state), origin, freed);
                    if (Traces)
                    {
                        TraceRelease(identity, ticket, references, 0, origin);
                    }

                    return new LedgerRelease(null, LedgerOutcome.Released, 0);
                }
            }
        }

        return ReleaseSlow(ticket, identity, references, origin, freed);
    }

    /// <summary>Releases the record with whatever references it holds.</summary>
    internal LedgerRelease Drop(uint ticket, ulong identity, uint origin, bool freed = false) =>
        ReleaseSlow(ticket, identity, AllReferences, origin, freed);

    /// <summary>
    /// Notes that the release of this ticket was the one that freed the page, when that shows only afterwards.
    /// False if the record has been taken again since.
    /// </summary>
    internal bool MarkFreed(uint ticket)
    {
        LedgerRecord* record = _records.Find(LedgerState.Index(ticket));
        if (ticket == 0 || record == null)
        {
            return false;
        }

        ulong state = Atomic.LoadAcquire(ref record->State);

        // Happens before: publishes nothing. The exchange keeps the note off a record that was taken again in between.
        return LedgerState.IsOf(state, ticket)
            && LedgerState.Phase(state) == LedgerState.Free
            && Atomic.CompareExchange(ref record->State, LedgerState.InPhase(state, LedgerState.Freed), state) == state;
    }

    /// <summary>The calling thread's number in <see cref="Holder.CurrentThread"/>; 0 where it never took or released anything.</summary>
    internal uint CurrentThread => LedgerRing.t_current is var ring && ring != null && ring->Store == _number ? ring->Thread : 0;

    /// <summary>Gives the records' memory back. Only for tests' ledgers, once nobody uses them.</summary>
    public void Dispose() => _records.Dispose();

    // The rest of a release by the one whose exchange moved the record to Releasing.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Finish(LedgerRecord* record, LedgerRing* ring, uint index, uint incarnation, uint origin, bool freed)
    {
        record->LastAfter = Since(record->TakenAt);
        record->LastOrigin = origin;
        record->LastThread = ring->Thread;

        // Happens before: whoever sees the record free sees who released it.
        Atomic.StoreRelease(ref record->State, LedgerState.Make(freed ? LedgerState.Freed : LedgerState.Free, incarnation, 0));
        uint tail = ring->Tail;
        if (tail - ring->Head == LedgerRing.Capacity)
        {
            _records.Spill(ring, LedgerRing.Capacity / 2);
        }

        ring->Slots[tail & LedgerRing.SlotMask] = index;
        ring->Tail = tail + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Since(ulong takenAt)
    {
        // The clock's copy may have been read newer by the taker's core than here.
        ulong now = CoarseClock.Now;
        return now > takenAt ? (uint)Math.Min(now - takenAt, uint.MaxValue) : 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryPrepareTake(int references, out LedgerRing* ring)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(references);
        ring = CurrentRing();
        if (ring->Head != ring->Tail || _records.Refill(ring) || (TryReclaim() && _records.Refill(ring)))
        {
            return true;
        }

        // Happens before: nothing; a counter.
        Atomic.Add(ref _untracked, 1);
        if (_isTraced)
        {
            TracingNotices.LedgerFull(MaximumRecords);
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private LedgerRing* CurrentRing()
    {
        LedgerRing* ring = LedgerRing.t_current;
        return ring != null && ring->Store == _number ? ring : _threads.Register();
    }

    // The ledger is full: dead threads may still have free records at hand. All threads are asked, so not at every take.
    private bool TryReclaim()
    {
        long now = Environment.TickCount64;
        if (now - Volatile.Read(ref _reclaimedAt) < ReclaimMilliseconds)
        {
            return false;
        }

        Volatile.Write(ref _reclaimedAt, now);
        return _threads.ReclaimDead();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private LedgerRelease ReleaseSlow(uint ticket, ulong identity, int references, uint origin, bool freed)
    {
        if (references != AllReferences)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(references);
        }

        if (ticket == 0)
        {
            return new LedgerRelease(null, LedgerOutcome.Untracked, 0);
        }

        LedgerRing* ring = CurrentRing();
        uint index = LedgerState.Index(ticket);
        LedgerRecord* record = _records.Find(index);
        if (record == null)
        {
            return new LedgerRelease(Forgotten, LedgerOutcome.Stale, 0);
        }

        SpinWait spin = default;
        while (true)
        {
            // Happens before: reads what the last change of the record released, its fields with it.
            ulong state = Atomic.LoadAcquire(ref record->State);
            uint phase = LedgerState.Phase(state);
            if (!LedgerState.IsOf(state, ticket))
            {
                return new LedgerRelease(Forgotten, LedgerOutcome.Stale, 0);
            }

            if (phase is LedgerState.Stamping or LedgerState.Releasing or LedgerState.Taking)
            {
                // Another thread is a few stores away from done. If it releases, this release lost, and waits to be told by whom.
                Atomic.SpinOnce(ref spin);
                continue;
            }

            if (phase != LedgerState.Live)
            {
                if (TryExplain(record, state, out LedgerConflict? first))
                {
                    bool samePage = first.Identity == identity;
                    return new LedgerRelease(first, samePage ? LedgerOutcome.Stale : LedgerOutcome.WrongPage, 0);
                }

                continue;
            }

            int held = LedgerState.References(state);
            if (record->Identity != identity || references > held)
            {
                if (TryExplain(record, state, out LedgerConflict? live))
                {
                    bool samePage = live.Identity == identity;
                    return new LedgerRelease(live, samePage ? LedgerOutcome.TooMany : LedgerOutcome.WrongPage, held);
                }

                continue;
            }

            int remaining = references == AllReferences ? 0 : held - references;
            bool whole = remaining == 0;
            ulong next = whole ? LedgerState.InPhase(state, LedgerState.Releasing) : LedgerState.WithReferences(state, remaining);

            // Happens before: as in Release.
            if (Atomic.CompareExchange(ref record->State, next, state) == state)
            {
                if (whole)
                {
                    Finish(record, ring, index, LedgerState.Incarnation(state), origin, freed);
                }

                if (Traces)
                {
                    TraceRelease(identity, ticket, held - remaining, remaining, origin);
                }

                return new LedgerRelease(null, LedgerOutcome.Released, remaining);
            }
        }
    }
}
