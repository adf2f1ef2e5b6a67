namespace Quire;

/// <summary>The threads that write events, and the recording that they write to.</summary>
/// <remarks>
/// A thread's end is found by asking, never by a finalizer: the next new thread that looks for a ring asks the owner of each, and adopts what a dead one
/// left, the events in it too (each carries its thread's number). So there are as many rings as threads lived at once.
/// </remarks>
internal static unsafe class TraceThreads
{
    private static readonly object s_gate = new();
    private static readonly List<Seat> s_seats = [];
    private static volatile TraceSession? s_session;
    private static long s_missed;

    [ThreadStatic]
    private static Seat? t_seat;

    /// <summary>The recording that takes events now.</summary>
    internal static TraceSession? Session => s_session;

    /// <summary>Ways into rings that exist, of threads that live and of dead ones.</summary>
    internal static int Count
    {
        get
        {
            lock (s_gate)
            {
                return s_seats.Count;
            }
        }
    }

    /// <summary>From now on threads find the recording.</summary>
    internal static void Begin(TraceSession session)
    {
        using (Uninterrupted.Enter(s_gate))
        {
            s_session = session;
        }
    }

    /// <summary>Gets all threads out of their rings. After this nobody writes to the recording's mappings. Returns the events lost on the way to a ring.</summary>
    internal static long End()
    {
        using (Uninterrupted.Enter(s_gate))
        {
            s_session = null;
            foreach (Seat seat in s_seats)
            {
                seat.Segment = null;
                seat.Named = null;
            }

            TraceRing.Close([.. s_seats.Select(static seat => (nint)seat.Ring)]);

            // Happens before: nothing hangs on a count.
            long missed = Volatile.Read(ref s_missed);
            _ = Atomic.Add(ref s_missed, -missed);
            return missed;
        }
    }

    /// <summary>Opens a ring for the calling thread: its own, a dead thread's, or a new one. False where no recording runs, or none could be opened.</summary>
    internal static bool TryEnter()
    {
        if (s_session is null)
        {
            return false;
        }

        try
        {
            using (Uninterrupted.Enter(s_gate))
            {
                if (s_session is not { } session)
                {
                    return false;
                }

                Seat seat = t_seat ??= Sit(Thread.CurrentThread);
                TraceRings.t_ring = seat.Ring;
                Open(seat, session);
                return true;
            }
        }
        catch (Exception)
        {
            // Out of memory, most likely. The caller took or dropped a reference and has nothing to do with it.
            _ = Atomic.Add(ref s_missed, 1);
            return false;
        }
    }

    private static void Open(Seat seat, TraceSession session)
    {
        if (seat.Named != session)
        {
            Thread me = Thread.CurrentThread;
            session.Texts.Thread(seat.Ring->ThreadId, me.ManagedThreadId, me.Name);
            seat.Named = session;
        }

        seat.Segment ??= Inherit() ?? session.AddRing();
        if (seat.Segment is { } segment)
        {
            segment.Header->ThreadId = seat.Ring->ThreadId;
        }

        seat.Ring->Open(seat.Segment, session.LostWithoutRing);
    }

    /// <summary>A place for the calling thread: one whose owner is dead, best with a ring, or a new one.</summary>
    private static Seat Sit(Thread me)
    {
        int thread = TraceFileCalls.Current!.ThreadId;
        Seat? seat = s_seats.Find(static seat => seat.Segment is not null && seat.IsDead) ?? s_seats.Find(static seat => seat.IsDead);
        if (seat is null)
        {
            seat = new Seat(TraceRing.Create());
            s_seats.Add(seat);
        }

        // A Thread kept alive keeps the system's part of a dead thread.
        // The dead one's ring may be another's by now, and the way to it still open.
        seat.Ring->Close();
        seat.Ring->ThreadId = thread;
        seat.Named = null;
        seat.Owner = me;
        return seat;
    }

    /// <summary>The ring of a dead thread, for one that has a place but no ring.</summary>
    private static TraceSegment? Inherit()
    {
        Seat? dead = s_seats.Find(static seat => seat.Segment is not null && seat.IsDead);
        TraceSegment? segment = dead?.Segment;
        dead?.Segment = null;
        return segment;
    }

    /// <summary>A ring's way in, its owner, and the ring. All under the gate.</summary>
    private sealed class Seat(TraceRing* ring)
    {
        internal readonly TraceRing* Ring = ring;
        internal Thread? Owner;

        /// <summary>The ring in the recording that runs; null where there is none yet, or no room for one.</summary>
        internal TraceSegment? Segment;

        /// <summary>The recording that knows the owner's name.</summary>
        internal TraceSession? Named;

        // Happens before: all that a thread did comes before a Join that says it has ended; IsAlive alone promises no such thing.
        internal bool IsDead => Owner is null || (!Owner.IsAlive && Owner.Join(0));
    }
}
