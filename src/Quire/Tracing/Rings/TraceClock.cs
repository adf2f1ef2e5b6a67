using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>The time stamps of events: ns of <c>CLOCK_MONOTONIC</c>, the clock of <see cref="Stopwatch"/> and of ftrace's <c>mono</c>.</summary>
/// <remarks>
/// It is most of what an event costs. The C library's call goes to the kernel's page in the process, without a system call, and takes 21 ns;
/// <see cref="Stopwatch.GetTimestamp"/>, which calls the same behind two layers, 31. The processor's counter by itself would be another 10 less, but .NET has no way to read
/// it, and to prove it the same on all cores is the kernel's work.
/// </remarks>
internal static unsafe partial class TraceClock
{
    private const int CLOCK_MONOTONIC = 1;

    /// <summary>Nanoseconds.</summary>
    internal static long Now
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if (nint.Size == 8 && OperatingSystem.IsLinux())
            {
                TimeSpec time;
                _ = GetTime(CLOCK_MONOTONIC, &time);
                return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
            }

            return (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));
        }
    }

    /// <summary>Nanoseconds since 1970.</summary>
    internal static long SinceEpoch => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    // Never blocks and calls nothing back, so the thread need not tell the collector that it leaves.
    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [SuppressGCTransition]
    private static partial int GetTime(int clock, TimeSpec* time);

    private struct TimeSpec
    {
#pragma warning disable CS0649 // Written by the system.
        internal long Seconds;
        internal long Nanoseconds;
#pragma warning restore CS0649
    }
}
