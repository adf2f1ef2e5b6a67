using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Quire.Traces.Tests;

/// <summary>How long the calling thread worked. What else the machine does is not in it, so a limit on it holds on a busy one too.</summary>
internal static unsafe partial class ProcessorTime
{
    private const int OfThisThread = 3;

    /// <summary>The time so far: where the system is not Linux, by the clock on the wall.</summary>
    internal static TimeSpan Now()
    {
        if (!OperatingSystem.IsLinux())
        {
            return Stopwatch.GetElapsedTime(0);
        }

        // struct timespec: seconds, nanoseconds.
        long* time = stackalloc long[2];
        return clock_gettime(OfThisThread, time) == 0 ? TimeSpan.FromSeconds(time[0]) + TimeSpan.FromMicroseconds(time[1] / 1000) : throw new InvalidOperationException("The thread has no clock.");
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, long* time);
}
