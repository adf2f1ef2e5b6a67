using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Where events go: each thread writes into a ring of its own.</summary>
/// <remarks>No initialisers in this class: they would put a check before every event.</remarks>
internal static unsafe class TraceRings
{
    /// <summary>The calling thread's way into its ring; null before its first event.</summary>
    [ThreadStatic]
    internal static TraceRing* t_ring;

    /// <summary>
    /// Writes an event: stamps the time, fills in the header (the first 8 bytes of <paramref name="e"/> are not read) and copies the rest. An event of a thread that gets
    /// no ring is lost and counted; without a recording nothing happens.
    /// </summary>
    /// <remarks>
    /// Safe on any thread. Never throws, and allocates nothing once the thread has its ring; until then it takes a lock and makes a part of the file, so the
    /// caller holds no gate. Callers test <see cref="Tracking.Recording"/> first.
    /// </remarks>
    internal static void Write<T>(Tracepoint id, ref T e)
        where T : unmanaged
    {
        long time = TraceClock.Now;
        TraceRing* ring = t_ring;
        if (ring == null || !ring->TryWrite(id, ref e, time))
        {
            WriteFirst(id, ref e);
        }
    }

    /// <summary>Opens the calling thread's ring, so that an event written under a gate right after this need not.</summary>
    internal static void Prepare()
    {
        TraceRing* ring = t_ring;
        if (ring == null || !ring->IsOpen)
        {
            _ = TraceThreads.TryEnter();
        }
    }

    /// <summary>The thread's first event in this recording.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void WriteFirst<T>(Tracepoint id, ref T e)
        where T : unmanaged
    {
        // A ring that is closed again was closed by the recording's end. The time is taken anew: the recording, and what a dead thread left in the
        // ring, may be younger than the one that came to nothing.
        if (TraceThreads.TryEnter())
        {
            _ = t_ring->TryWrite(id, ref e, TraceClock.Now);
        }
    }
}
