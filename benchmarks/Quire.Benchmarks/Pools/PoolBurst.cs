using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using Microsoft.IO;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Peers;

namespace Quire.Benchmarks.Pools;

/// <summary>What a process had in memory around a burst, in bytes.</summary>
/// <param name="Before">Warm, before the burst.</param>
/// <param name="Peak">All of it rented and written.</param>
/// <param name="After">At each of the waits after all was returned.</param>
/// <param name="Collected">After a full, compacting, blocking collection at the end.</param>
internal sealed record BurstFigures(long Before, long Peak, IReadOnlyList<long> After, long Collected);

/// <summary>
/// A burst: so many bytes are rented in blocks of one size, written, all returned; then the process does nothing. Resident memory is the kernel's own figure.
/// Each pool in a process of its own, since what one leaves behind must not be another's.
/// </summary>
internal static class PoolBurst
{
    public const string Verb = "pools-burst";

    /// <summary>The child's side: prints one line of numbers.</summary>
    public static int Run(string[] arguments)
    {
        string pool = arguments[0];
        int size = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        long bytes = long.Parse(arguments[2], CultureInfo.InvariantCulture);
        double[] waits = [.. arguments[3].Split(',').Select(static wait => double.Parse(wait, CultureInfo.InvariantCulture))];
        BurstFigures figures = pool switch
        {
            PoolRows.Mapped => Of(Quire(RegionProvider.Mapped, bytes), size, bytes, waits),
            PoolRows.Pinned => Of(Quire(RegionProvider.PinnedArrays, bytes), size, bytes, waits),
            PoolRows.MemoryPools => Of(MemoryPool<byte>.Shared, size, bytes, waits),
            PoolRows.Kestrels => Of(KestrelBlocks.CreatePool(), size, bytes, waits),
            PoolRows.Arrays => Measure(() => ArrayPool<byte>.Shared.Rent(size), static array => array.AsSpan().Fill(1), static array => ArrayPool<byte>.Shared.Return(array), bytes / size, waits),
            PoolRows.Streams => Streams(RecyclableBlocks.CreateManager(size), size, bytes, waits),
            _ => throw new ArgumentOutOfRangeException(nameof(arguments), pool, "not a pool"),
        };
        Console.WriteLine(string.Join(' ', (long[])[figures.Before, figures.Peak, figures.Collected, .. figures.After]));
        return 0;
    }

    /// <summary>The parent's side: runs the child. Null where it failed.</summary>
    public static async Task<BurstFigures?> RunChildAsync(string pool, int size, long bytes, IReadOnlyList<double> waits)
    {
        ProcessStartInfo start = ThisProgram.Again(
            Verb,
            pool,
            size.ToString(CultureInfo.InvariantCulture),
            bytes.ToString(CultureInfo.InvariantCulture),
            string.Join(',', waits.Select(static wait => wait.ToString(CultureInfo.InvariantCulture))));
        using Process child = Process.Start(start)!;
        string line = await child.StandardOutput.ReadToEndAsync();
        await child.WaitForExitAsync();
        long[] numbers = [.. line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(static text => long.TryParse(text, out long number) ? number : -1)];
        return child.ExitCode == 0 && numbers.Length == 3 + waits.Count ? new BurstFigures(numbers[0], numbers[1], numbers[3..], numbers[2]) : null;
    }

    private static QuireMemoryPool Quire(RegionProvider provider, long bytes) =>
        new(new QuireMemoryPoolOptions { Name = "burst", Provider = provider, LimitBytes = bytes + (bytes / 4) + (64 << 20) });

    private static BurstFigures Of(MemoryPool<byte> pool, int size, long bytes, double[] waits) =>
        Measure(() => pool.Rent(size), static owner => owner.Memory.Span.Fill(1), static owner => owner.Dispose(), bytes / size, waits);

    private static BurstFigures Streams(RecyclableMemoryStreamManager manager, int size, long bytes, double[] waits) =>
        Measure(
            () => manager.GetStream(),
            stream => stream.GetSpan(size)[..size].Fill(1),
            static stream => stream.Dispose(),
            bytes / size,
            waits);

    private static BurstFigures Measure<T>(Func<T> rent, Action<T> fill, Action<T> give, long count, double[] waits)
        where T : class
    {
        // The array of owners is the harness's: there from the start, so that no pool has it on its account.
        T?[] blocks = new T[count];
        for (int round = 0; round < 50; round++)
        {
            Burst(blocks.AsSpan(0, (int)Math.Min(count, 256)), rent, fill, give);
        }

        blocks.AsSpan().Clear();
        Collect();
        long before = Resident();
        for (int i = 0; i < blocks.Length; i++)
        {
            T block = rent();
            fill(block);
            blocks[i] = block;
        }

        long peak = Resident();
        foreach (T? block in blocks)
        {
            give(block!);
        }

        blocks.AsSpan().Clear();
        long[] after = new long[waits.Length];
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < waits.Length; i++)
        {
            TimeSpan left = TimeSpan.FromSeconds(waits[i]) - Stopwatch.GetElapsedTime(start);
            Thread.Sleep(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            after[i] = Resident();
        }

        Collect();
        BurstFigures figures = new(before, peak, after, Resident());
        GC.KeepAlive(rent);
        return figures;
    }

    private static void Burst<T>(Span<T?> blocks, Func<T> rent, Action<T> fill, Action<T> give)
        where T : class
    {
        foreach (ref T? block in blocks)
        {
            block = rent();
            fill(block);
        }

        foreach (T? block in blocks)
        {
            give(block!);
        }
    }

    private static void Collect()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
    }

    /// <summary>The kernel's exact count (the one in <c>status</c> lags by some pages a thread); elsewhere the system's.</summary>
    private static long Resident()
    {
        if (!OperatingSystem.IsLinux())
        {
            return Environment.WorkingSet;
        }

        foreach (string line in File.ReadLines("/proc/self/smaps_rollup"))
        {
            if (line.StartsWith("Rss:", StringComparison.Ordinal))
            {
                return long.Parse(line.AsSpan(4).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) << 10;
            }
        }

        return Environment.WorkingSet;
    }
}
