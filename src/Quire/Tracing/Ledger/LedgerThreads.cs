namespace Quire;

/// <summary>The threads that use a ledger: their rings, their names, and who of them is dead.</summary>
/// <remarks>
/// A thread's end is found by asking, never by a finalizer: the next new thread that looks for a ring asks the owner of each, and adopts
/// the first ring whose owner is dead, records and all. So there are as many rings as threads lived at once.
/// <para>
/// Thread ids are reused, so records name threads by a number of their own. The name behind the number of a dead thread is kept
/// while a record may show it: when the names have doubled, those that no record mentions are dropped. That is safe because a
/// dead thread writes its number nowhere again.
/// </para>
/// </remarks>
internal sealed unsafe class LedgerThreads(LedgerRecords records, uint store)
{
    // Entered uninterrupted: the first record of a thread is made after its reference was counted.
    private readonly object _namesGate = new();
    private readonly Dictionary<uint, Named> _names = [];
    private SpinGate _seatsGate;    // guards additions; walking needs no gate, for seats are never removed
    private Seat? _seats;
    private uint _lastNumber;
    private int _sweepAt = 1024;

    /// <summary>Rings that exist.</summary>
    internal int RingCount
    {
        get
        {
            int count = 0;
            for (Seat? seat = Volatile.Read(ref _seats); seat is not null; seat = seat.Next)
            {
                count++;
            }

            return count;
        }
    }

    /// <summary>Names that are kept.</summary>
    internal int NameCount
    {
        get
        {
            using (Uninterrupted.Enter(_namesGate))
            {
                return _names.Count;
            }
        }
    }

    /// <summary>Finds or makes the calling thread's ring, and makes it the current one.</summary>
    internal LedgerRing* Register()
    {
        Thread me = Thread.CurrentThread;
        Seat? mine = null;
        if (LedgerRing.t_current != null)
        {
            // Another ledger's ring is the current one; this one may have made one before.
            for (Seat? seat = Volatile.Read(ref _seats); seat is not null && mine is null; seat = seat.Next)
            {
                mine = ReferenceEquals(seat.Owner, me) ? seat : null;
            }
        }

        mine ??= Adopt(me) ?? Add(me);
        LedgerRing.t_current = mine.Ring;
        return mine.Ring;
    }

    /// <summary>Takes the free records out of the rings of dead threads. True if there were any.</summary>
    internal bool ReclaimDead()
    {
        uint reclaimed = 0;
        for (Seat? seat = Volatile.Read(ref _seats); seat is not null; seat = seat.Next)
        {
            if (seat.Owner is not null && seat.TryClaimDead())
            {
                reclaimed += seat.Ring->Count;
                Leave(seat);
                records.Spill(seat.Ring, seat.Ring->Count);
                seat.EndClaim();
            }
        }

        return reclaimed > 0;
    }

    /// <summary>The managed and the system's id and the name behind a thread's number; id 0 if it is not known.</summary>
    internal (int Id, int SystemId, string? Name) NameOf(uint number)
    {
        using (Uninterrupted.Enter(_namesGate))
        {
            return _names.TryGetValue(number, out Named named) ? (named.Id, named.SystemId, named.Name) : (0, 0, null);
        }
    }

    /// <summary>Shows each ring with whether its owner is alive.</summary>
    internal List<nint> Rings()
    {
        List<nint> rings = [];
        for (Seat? seat = Volatile.Read(ref _seats); seat is not null; seat = seat.Next)
        {
            rings.Add((nint)seat.Ring);
        }

        return rings;
    }

    private Seat? Adopt(Thread me)
    {
        for (Seat? seat = Volatile.Read(ref _seats); seat is not null; seat = seat.Next)
        {
            if (seat.TryClaimDead())
            {
                Leave(seat);
                seat.Ring->Thread = Enter(me);
                seat.Owner = me;
                seat.EndClaim();
                return seat;
            }
        }

        return null;
    }

    private Seat Add(Thread me)
    {
        Seat seat = new(me, LedgerRing.Create(store));
        seat.Ring->Thread = Enter(me);
        _seatsGate.Enter();
        seat.Next = _seats;

        // Happens before: the seat is complete before it can be found.
        Volatile.Write(ref _seats, seat);
        _seatsGate.Exit();
        return seat;
    }

    private uint Enter(Thread me)
    {
        bool sweep;
        uint number;
        using (Uninterrupted.Enter(_namesGate))
        {
            number = ++_lastNumber;
            _names.Add(number, new Named(me.ManagedThreadId, TraceFileCalls.Current?.ThreadId ?? 0, me.Name, IsDead: false));
            sweep = _names.Count >= _sweepAt;
        }

        if (sweep)
        {
            Sweep();
        }

        return number;
    }

    // The owner of a claimed seat is dead: from now on its number is only read.
    private void Leave(Seat seat)
    {
        if (seat.Owner is { } dead)
        {
            using (Uninterrupted.Enter(_namesGate))
            {
                _ = _names.TryGetValue(seat.Ring->Thread, out Named known);
                _names[seat.Ring->Thread] = new Named(dead.ManagedThreadId, known.SystemId, dead.Name, IsDead: true);
            }

            // A Thread kept alive keeps the system's part of a dead thread.
            seat.Owner = null;
        }
    }

    private void Sweep()
    {
        HashSet<uint> unused = [];
        using (Uninterrupted.Enter(_namesGate))
        {
            foreach ((uint number, Named named) in _names)
            {
                if (named.IsDead)
                {
                    unused.Add(number);
                }
            }
        }

        uint carved = records.Carved;
        for (uint index = 0; index < carved && unused.Count > 0; index++)
        {
            LedgerRecord* record = records.At(index);
            unused.Remove(Atomic.LoadAcquire(ref record->TakenThread));
            unused.Remove(Atomic.LoadAcquire(ref record->LastThread));
        }

        using (Uninterrupted.Enter(_namesGate))
        {
            foreach (uint number in unused)
            {
                _names.Remove(number);
            }

            _sweepAt = Math.Max(1024, _names.Count * 2);
        }
    }

    private readonly record struct Named(int Id, int SystemId, string? Name, bool IsDead);

    /// <summary>A ring and its owner. The owner changes only under the claim, and only once the old one is dead.</summary>
    private sealed class Seat(Thread owner, LedgerRing* ring)
    {
        internal readonly LedgerRing* Ring = ring;
        internal Seat? Next;
        private Thread? _owner = owner;
        private int _claimed;

        internal Thread? Owner
        {
            get => Volatile.Read(ref _owner);
            set => Volatile.Write(ref _owner, value);
        }

        /// <summary>
        /// True for one caller, if the owner is dead or there is none; that caller has the ring until <see cref="EndClaim"/>.
        /// </summary>
        internal bool TryClaimDead()
        {
            // Happens before: the exchange reads what the last EndClaim released, so the owner read under it is the present one.
            if (!IsDead(Owner) || Atomic.CompareExchange(ref _claimed, 1, 0) != 0)
            {
                return false;
            }

            if (IsDead(Owner))
            {
                return true;
            }

            EndClaim();
            return false;
        }

        internal void EndClaim() => Atomic.StoreRelease(ref _claimed, 0);

        // Happens before: all that a thread did comes before a Join that says it has ended; IsAlive alone promises no such thing.
        private static bool IsDead(Thread? thread) => thread is null || (!thread.IsAlive && thread.Join(0));
    }
}
