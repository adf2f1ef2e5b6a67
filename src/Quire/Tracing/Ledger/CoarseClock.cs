using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Milliseconds since the machine started, at the price of one load while the ledger is on.</summary>
/// <remarks>
/// <see cref="Environment.TickCount64"/> costs 9 ns, a third of the ledger's whole budget for a reference taken and dropped. So
/// while tracking is on, a thread of its own copies it to a static every <see cref="PeriodMilliseconds"/>; while it is off, when
/// only pins record, callers read <see cref="Environment.TickCount64"/> itself and no thread wakes. A dedicated thread, not a
/// timer: timers run on the thread pool, and a starved pool is just what a user of the ledger may be looking for. Where all cores
/// are busy and the clock's thread waits its turn, the busy threads heal the copy themselves: each refreshes it once in a hundred
/// takes or so.
/// <para>Error: the period, plus the system's own tick (4 ms), plus the scheduler's delay.</para>
/// </remarks>
internal static class CoarseClock
{
    internal const int PeriodMilliseconds = 8;

    // 0: no ticker runs. No initialisers here, see Tracking.
    private static long s_now;

    /// <summary>Milliseconds; never 0.</summary>
    internal static ulong Now
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            long now = Volatile.Read(ref s_now);
            return (ulong)(now != 0 ? now : Environment.TickCount64);
        }
    }

    /// <summary>True while the copy is kept fresh by a thread.</summary>
    internal static bool IsTicking => Volatile.Read(ref s_now) != 0;

    /// <summary>Brings the copy up to the time of the call at least; does nothing when no ticker runs.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Refresh()
    {
        long seen = Volatile.Read(ref s_now);
        long now = Environment.TickCount64;
        while (seen != 0 && now > seen)
        {
            // Happens before: nothing is published by the clock. Each exchange puts a later time in the place of an earlier
            // one, so the copy never goes back, and none in the place of Stop's 0, which a late tick would make stand still
            // for ever. Who finds another time than it saw looks again: it may be an older one than its own, of a ticker
            // that was kept from its core between its look at the clock and its exchange.
            long found = Atomic.CompareExchange(ref s_now, now, seen);
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }

    /// <summary>Starts the ticker. Calls nest: it runs until as many calls of <see cref="Stop"/> followed.</summary>
    internal static void Start()
    {
        lock (Ticker.Gate)
        {
            if (Ticker.Users++ == 0)
            {
                Volatile.Write(ref s_now, Math.Max(1, Environment.TickCount64));
                int round = ++Ticker.Round;
                Thread thread = new(() => Ticker.Run(round))
                {
                    IsBackground = true,
                    Name = "Quire clock",
                    Priority = ThreadPriority.AboveNormal,
                };
                thread.Start();
            }
        }
    }

    /// <summary>Takes one <see cref="Start"/> back.</summary>
    internal static void Stop()
    {
        lock (Ticker.Gate)
        {
            if (--Ticker.Users == 0)
            {
                Ticker.Round++;
                Volatile.Write(ref s_now, 0);
            }
        }
    }

    /// <summary>What only the switching uses; a class of its own, since it has initialisers.</summary>
    private static class Ticker
    {
        internal static readonly Lock Gate = new();
        internal static int Users;
        internal static int Round;

        internal static void Run(int round)
        {
            while (Volatile.Read(ref Round) == round)
            {
                Refresh();
                Thread.Sleep(PeriodMilliseconds);
            }
        }
    }
}
