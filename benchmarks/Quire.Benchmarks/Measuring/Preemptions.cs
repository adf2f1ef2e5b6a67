using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Quire.Benchmarks.Measuring;

/// <summary>How often the calling thread was taken off its core while it had work to do. Linux only; elsewhere always 0.</summary>
internal static unsafe partial class Preemptions
{
    private const int ThisThread = 1;

    /// <summary>A count that only grows; a difference of two readings is what matters.</summary>
    public static long OfThisThread()
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        ResourceUsage usage;
        return GetResourceUsage(ThisThread, &usage) == 0 ? usage.InvoluntarySwitches : 0;
    }

    [SupportedOSPlatform("linux")]
    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static partial int GetResourceUsage(int who, ResourceUsage* usage);

    /// <summary>The C library's <c>rusage</c> on a 64-bit system: two times of two words each, then fourteen counters, of which this is the last.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 18 * sizeof(long))]
    private struct ResourceUsage
    {
        [FieldOffset(17 * sizeof(long))]
        public long InvoluntarySwitches;
    }
}
