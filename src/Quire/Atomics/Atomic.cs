using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The one seam through which every atomic of the library goes: counts, lists, locks, rings and the ledger.
/// </summary>
/// <remarks>
/// An interleaving explorer (<c>tests/Quire.Explore</c>) replaces it by compiling the sources with <c>QUIRE_EXPLORE</c>: each call then first
/// passes a scheduling point; so do the waits of spin loops, and deadlines follow the explorer's clock. In the ordinary build each method is one instruction.
/// .NET's interlocked operations are full fences, so they meet or exceed every ordering that the kernel's
/// <c>atomic_t</c> rules ask for; only <see cref="StoreRelease(ref int, int)"/> and <see cref="LoadAcquire(ref int)"/> are weaker.
/// </remarks>
internal static class Atomic
{
    /// <summary>Adds and returns the new value. Full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Add(ref int location, int value)
    {
        Point();
        return Interlocked.Add(ref location, value);
    }

    /// <inheritdoc cref="Add(ref int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long Add(ref long location, long value)
    {
        Point();
        return Interlocked.Add(ref location, value);
    }

    /// <summary>Stores <paramref name="value"/> if the location holds <paramref name="comparand"/>; returns what it held. Full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int CompareExchange(ref int location, int value, int comparand)
    {
        Point();
        return Interlocked.CompareExchange(ref location, value, comparand);
    }

    /// <inheritdoc cref="CompareExchange(ref int, int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint CompareExchange(ref uint location, uint value, uint comparand)
    {
        Point();
        return Interlocked.CompareExchange(ref location, value, comparand);
    }

    /// <inheritdoc cref="CompareExchange(ref int, int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long CompareExchange(ref long location, long value, long comparand)
    {
        Point();
        return Interlocked.CompareExchange(ref location, value, comparand);
    }

    /// <inheritdoc cref="CompareExchange(ref int, int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong CompareExchange(ref ulong location, ulong value, ulong comparand)
    {
        Point();
        return Interlocked.CompareExchange(ref location, value, comparand);
    }

    /// <summary>Stores and returns what was there. Full fence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Exchange(ref int location, int value)
    {
        Point();
        return Interlocked.Exchange(ref location, value);
    }

    /// <inheritdoc cref="Exchange(ref int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Exchange(ref ulong location, ulong value)
    {
        Point();
        return Interlocked.Exchange(ref location, value);
    }

    /// <summary>Reads; later reads and writes of this thread stay behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int LoadAcquire(ref int location)
    {
        Point();
        return Volatile.Read(ref location);
    }

    /// <inheritdoc cref="LoadAcquire(ref int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint LoadAcquire(ref uint location)
    {
        Point();
        return Volatile.Read(ref location);
    }

    /// <inheritdoc cref="LoadAcquire(ref int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long LoadAcquire(ref long location)
    {
        Point();
        return Volatile.Read(ref location);
    }

    /// <inheritdoc cref="LoadAcquire(ref int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong LoadAcquire(ref ulong location)
    {
        Point();
        return Volatile.Read(ref location);
    }

    /// <summary>Writes; earlier reads and writes of this thread stay before it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StoreRelease(ref int location, int value)
    {
        Point();
        Volatile.Write(ref location, value);
    }

    /// <inheritdoc cref="StoreRelease(ref int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StoreRelease(ref uint location, uint value)
    {
        Point();
        Volatile.Write(ref location, value);
    }

    /// <inheritdoc cref="StoreRelease(ref int, int)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StoreRelease(ref ulong location, ulong value)
    {
        Point();
        Volatile.Write(ref location, value);
    }

    /// <summary>
    /// A full fence in every thread of the process, paid by the caller alone (<c>membarrier</c>): lets the other side of
    /// a Dekker handshake do with plain stores and loads.
    /// </summary>
    internal static void FenceEveryThread()
    {
        Point();
        Interlocked.MemoryBarrierProcessWide();
    }

    /// <summary>The wait of a loop that can't go on before another thread has: a yield, never a sleep, which would cost more than any section waited for.</summary>
    internal static void SpinOnce(ref SpinWait spin)
    {
#if QUIRE_EXPLORE
        if (Explorer is { } explorer && explorer.Yield())
        {
            return;
        }
#endif
        spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>The clock of deadlines, in ticks of <see cref="Stopwatch"/>.</summary>
    internal static long Now()
    {
#if QUIRE_EXPLORE
        return Explorer?.Now() ?? Stopwatch.GetTimestamp();
#else
        return Stopwatch.GetTimestamp();
#endif
    }

#if QUIRE_EXPLORE
    /// <summary>The explorer; null in a process without one.</summary>
    internal static IExplorer? Explorer;

    /// <summary>A scheduling point: before every atomic, and where plain accesses take part in a protocol.</summary>
    internal static void Point() => Explorer?.Point();
#else
    /// <summary>A scheduling point of the explorer's: before every atomic, and where plain accesses take part in a protocol. Nothing in the ordinary build.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Point()
    {
    }
#endif
}
