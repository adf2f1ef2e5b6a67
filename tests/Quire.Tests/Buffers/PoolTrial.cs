using System.Runtime.CompilerServices;

namespace Quire.Tests.Buffers;

/// <summary>What the tests of memory pools share.</summary>
internal static class PoolTrial
{
    /// <summary>A pool that nobody else uses, with an allocator that trims only when told.</summary>
    internal static QuireMemoryPool Pool(long limit = 64 * Trial.MiB, RegionProvider? provider = null, bool zeroOnFree = false, int defaultSize = Page.FrameSize, [CallerMemberName] string name = "") =>
        new(new QuireMemoryPoolOptions
        {
            Name = name,
            LimitBytes = limit,
            Provider = provider ?? RegionProvider.Mapped,
            ZeroOnFree = zeroOnFree,
            TrimInterval = Timeout.InfiniteTimeSpan,
            DefaultBufferSize = defaultSize,
        });

    /// <summary>Looks at all equations, asks that nothing is out, and disposes.</summary>
    internal static void End(this QuireMemoryPool pool)
    {
        QuireMemoryPoolStatistics now = pool.GetStatistics();
        Xunit.Assert.Equal((0L, 0L, 0L, 0), (now.RentedOwners, now.RentedBytes, now.Pins, now.Waiters));
        pool.Verify();
        pool.Dispose();
    }

    /// <summary>The line of the caller, to be compared with what a message says.</summary>
    internal static string Here([CallerFilePath] string file = "", [CallerLineNumber] int line = 0) => $"{Path.GetFileName(file)}:{line}";
}
