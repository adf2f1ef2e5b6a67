using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Quire.Benchmarks.Work;

/// <summary>The cores this process may use, and which of them the calling thread runs on. Linux only; elsewhere nothing is pinned.</summary>
internal static unsafe partial class Cores
{
    private const int MaskBytes = 128;

    /// <summary>The first two cores that the calling thread may use, or null where it has fewer or the system can't say.</summary>
    public static (int First, int Second)? FirstTwo()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        byte* mask = stackalloc byte[MaskBytes];
        if (GetAffinity(0, MaskBytes, mask) < 0)
        {
            return null;
        }

        int? first = null;
        for (int core = 0; core < MaskBytes * 8; core++)
        {
            if ((mask[core / 8] & (1 << (core % 8))) == 0)
            {
                continue;
            }

            if (first is int found)
            {
                return (found, core);
            }

            first = core;
        }

        return null;
    }

    /// <summary>Ties the calling thread to one core.</summary>
    public static bool TryPin(int core)
    {
        if (!OperatingSystem.IsLinux() || core >= MaskBytes * 8)
        {
            return false;
        }

        byte* mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        mask[core / 8] = (byte)(1 << (core % 8));
        return SetAffinity(0, MaskBytes, mask) == 0;
    }

    /// <summary>Ties the calling thread to one core until the result is disposed of on the same thread.</summary>
    public static PinnedThread Pin(int? core) => new(core);

    [SupportedOSPlatform("linux")]
    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint bytes, byte* mask);

    [SupportedOSPlatform("linux")]
    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint bytes, byte* mask);

    /// <summary>Gives the thread back the cores it had.</summary>
    internal sealed class PinnedThread : IDisposable
    {
        private readonly byte[]? _before;

        public PinnedThread(int? core)
        {
            if (core is not int number || !OperatingSystem.IsLinux())
            {
                return;
            }

            byte[] before = new byte[MaskBytes];
            fixed (byte* mask = before)
            {
                if (GetAffinity(0, MaskBytes, mask) >= 0 && TryPin(number))
                {
                    _before = before;
                }
            }
        }

        public void Dispose()
        {
            if (_before is null || !OperatingSystem.IsLinux())
            {
                return;
            }

            fixed (byte* mask = _before)
            {
                _ = SetAffinity(0, MaskBytes, mask);
            }
        }
    }
}
