using System.Diagnostics;

namespace Quire;

/// <summary>The time stamps of events: ns of <c>CLOCK_MONOTONIC</c>, the clock of <see cref="Stopwatch"/> on Unix and of ftrace's <c>mono</c>.</summary>
/// <remarks>
/// It is most of what an event costs: 22 of 31 ns. A call of <c>clock_gettime</c> of our own saved 1. The processor's counter would save 10 or more, but .NET has no way
/// to read it, and to prove it the same on all cores is the kernel's work.
/// </remarks>
internal static class TraceClock
{
    /// <summary>Nanoseconds.</summary>
    internal static long Now => Stopwatch.GetTimestamp();

    /// <summary>Nanoseconds since 1970.</summary>
    internal static long SinceEpoch => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
