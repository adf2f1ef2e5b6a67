using System.Diagnostics;

namespace Quire;

/// <summary>Where threads sleep until something that they looked at has changed. No polling, no allocation.</summary>
/// <remarks>
/// The waiter reads <see cref="Version"/>, makes known that it waits, looks whether it must wait at all, and sleeps if the version is still the one it read;
/// the waker changes the state, sees that somebody waits, and signals. So a change between the look and the sleep moves
/// the version, and no wake-up is lost.
/// </remarks>
internal sealed class WaitPoint
{
    private readonly object _gate = new();
    private long _version;

    internal long Version => Atomic.LoadAcquire(ref _version);

    /// <summary>Wakes all that wait here. Never interrupted: what it tells of has happened, and nobody would tell it again.</summary>
    internal void Signal()
    {
        Atomic.Point();
        using (Uninterrupted.Enter(_gate))
        {
            _version++;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Sleeps until a signal after <paramref name="seen"/> was read, at the longest until <paramref name="until"/>.</summary>
    internal void Wait(long seen, Deadline until)
    {
#if QUIRE_EXPLORE
        if (Atomic.Explorer is { } explorer && explorer.Sleep(() => _version == seen, until.At))
        {
            return;
        }
#endif
        lock (_gate)
        {
            while (_version == seen && !until.IsOver)
            {
                Monitor.Wait(_gate, until.LeftMilliseconds);
            }
        }
    }
}

/// <summary>A moment to wait for, in ticks of <see cref="Stopwatch"/>.</summary>
internal readonly struct Deadline
{
    private readonly long _at;

    private Deadline(long at) => _at = at;

    internal static Deadline Never => new(long.MaxValue);

#if QUIRE_EXPLORE
    internal long At => _at;
#endif

    internal bool IsOver => _at != long.MaxValue && Atomic.Now() >= _at;

    /// <summary>Rounded up, so that a wait never ends before the deadline for a fraction; -1 for no end.</summary>
    internal int LeftMilliseconds =>
        _at == long.MaxValue ? Timeout.Infinite : (int)Math.Clamp(Math.Ceiling((_at - Atomic.Now()) * 1000.0 / Stopwatch.Frequency), 0, int.MaxValue);

    /// <summary>Later than the clock can count is never.</summary>
    internal static Deadline In(TimeSpan time)
    {
        long now = Atomic.Now();
        double ticks = time.TotalSeconds * Stopwatch.Frequency;

        // Half the range: what is so large has lost its last bits in the double, and must not wrap.
        return time == Timeout.InfiniteTimeSpan || ticks >= long.MaxValue / 2 - (double)now ? Never : new(now + (long)ticks);
    }

    internal static Deadline Earlier(Deadline a, Deadline b) => a._at < b._at ? a : b;

    /// <summary>Checks a deadline that a caller gave.</summary>
    internal static TimeSpan Checked(TimeSpan? deadline, TimeSpan otherwise)
    {
        TimeSpan time = deadline ?? otherwise;
        return time >= TimeSpan.Zero || time == Timeout.InfiniteTimeSpan
            ? time
            : throw new ArgumentOutOfRangeException(nameof(deadline), time, "A deadline is zero (do not wait), positive, or Timeout.InfiniteTimeSpan.");
    }
}
