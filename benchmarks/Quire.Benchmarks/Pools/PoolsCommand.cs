using System.Globalization;
using System.Text.Json;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Peers;
using Quire.Benchmarks.Reports;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.Pools;

/// <summary><c>pools</c>: memory pools side by side: time and GC bytes for a rent, and resident memory after a burst.</summary>
internal static class PoolsCommand
{
    public const string Usage = "pools [--quick] [--json FILE] [--row ID]... [--no-burst]";

    /// <summary>The bar on memory: at most this part of what Kestrel's pool keeps, which is the design's.</summary>
    private const double BarMemory = 0.3;

    private const double MiB = 1 << 20;

    /// <summary>One figure of time: a pool in a row.</summary>
    private sealed record Cost(string Work, string Pool, double Nanoseconds, double GarbageBytes);

    /// <summary>One pool's burst.</summary>
    private sealed record Burst(string Pool, int Size, BurstFigures? Figures);

    public static int Run(string[] arguments)
    {
        bool quick = false;
        bool bursts = true;
        string? json = null;
        List<string> rows = [];
        for (int at = 0; at < arguments.Length; at++)
        {
            switch (arguments[at])
            {
                case "--quick":
                    quick = true;
                    break;
                case "--no-burst":
                    bursts = false;
                    break;
                case "--json" when at + 1 < arguments.Length && json is null:
                    json = arguments[++at];
                    break;
                case "--row" when at + 1 < arguments.Length && PoolRows.Ids.Any(id => id.StartsWith(arguments[at + 1], StringComparison.Ordinal)):
                    at++;
                    rows.AddRange(PoolRows.Ids.Where(id => id.StartsWith(arguments[at], StringComparison.Ordinal)));
                    break;
                default:
                    Console.Error.WriteLine($"'{arguments[at]}' is not known, or lacks its value; usage: {Usage}; the rows are {string.Join(", ", PoolRows.Ids)}");
                    return 2;
            }
        }

        if (json is not null && !FiguresFile.CanWrite(json, out string? complaint))
        {
            Console.Error.WriteLine(complaint);
            return 2;
        }

        List<Cost> costs = Measure(rows.Count == 0 ? PoolRows.Ids : [.. rows.Distinct()], quick);
        double[] waits = quick ? [6, 12] : [30, 120];
        List<Burst> measured = bursts ? MeasureBursts(quick ? 256L << 20 : 1L << 30, waits) : [];
        if (json is not null)
        {
            using FileStream file = File.Create(json);
            Write(file, costs, measured, waits);
        }

        return 0;
    }

    private static List<Cost> Measure(IReadOnlyList<string> ids, bool quick)
    {
        Schedule schedule = quick ? Schedule.Quick : Schedule.Full;
        TextReport text = new(Console.Out);
        text.WriteHeader(schedule, NativeAllocators.None);
        List<Cost> costs = [];
        foreach (string id in ids)
        {
            List<string> findings = [];
            using Row row = PoolRows.Open(id);
            RoundsResult result = Rounds.Measure(row.Contenders, schedule, schedule.Total);
            Dictionary<string, double> garbage = row.Contenders.ToDictionary(static contender => contender.Name, Garbage);
            costs.AddRange(result.Samples.Select(samples => new Cost(id, samples.Contender.Name, samples.Median, garbage[samples.Contender.Name])));
            string bytes = string.Join(", ", garbage.Select(static pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:0.#}")));
            text.WriteRow(new RowReport(row with { Notes = [.. row.Notes, $"GC bytes for one: {bytes}"] }, result));
        }

        return costs;
    }

    /// <summary>Bytes put on the GC heap for one rent, on all threads, once warm.</summary>
    private static double Garbage(Contender contender)
    {
        const int Operations = 200_000;
        contender.Run(Operations);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        contender.Run(Operations);
        double bytes = (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Operations;

        // The harness's own: some hundred bytes a run.
        return bytes < 0.05 ? 0 : bytes;
    }

    private static List<Burst> MeasureBursts(long bytes, double[] waits)
    {
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"burst: {bytes / MiB:0} MiB rented, written, all returned; then nothing. Resident MiB of the process, each pool in one of its own"));
        string header = string.Concat(waits.Select(static wait => string.Create(CultureInfo.InvariantCulture, $"{$"+{wait:0} s",10}")));
        Console.WriteLine($"  {"block",-9}{"pool",-26}{"before",10}{"peak",10}{header}{"collected",11}  left, less what was there before, at the end of the wait");
        List<Burst> all = [];
        foreach (int size in (int[])[4096, 65_536])
        {
            List<string> pools = [PoolRows.Mapped, PoolRows.Pinned, PoolRows.Arrays, PoolRows.MemoryPools, PoolRows.Streams];
            if (size <= PoolRows.KestrelBlock)
            {
                pools.Add(PoolRows.Kestrels);
            }

            // At once as many as fit into half of what is free: after the burst each only waits.
            int abreast = (int)Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2 / (bytes * 3 / 2), 1, pools.Count);
            foreach (string[] group in pools.Chunk(abreast))
            {
                Task<BurstFigures?>[] runs = [.. group.Select(pool => PoolBurst.RunChildAsync(pool, size, bytes, waits))];
                for (int i = 0; i < group.Length; i++)
                {
                    Burst burst = new(group[i], size, runs[i].GetAwaiter().GetResult());
                    Console.WriteLine(Line(burst));
                    all.Add(burst);
                }
            }
        }

        Judge(all);
        return all;
    }

    private static void Judge(List<Burst> all)
    {
        BurstFigures? kestrel = all.Find(static burst => burst.Pool == PoolRows.Kestrels)?.Figures;
        foreach (string pool in (string[])[PoolRows.Mapped, PoolRows.Pinned])
        {
            if (kestrel is not null && all.Find(burst => burst.Pool == pool && burst.Size == PoolRows.KestrelBlock)?.Figures is { } mine)
            {
                double[] ratios = [.. mine.After.Select((after, i) => (after - mine.Before) / (double)Math.Max(1, kestrel.After[i] - kestrel.Before))];
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"  {pool}: bar {BarMemory} of Kestrel's pool: {string.Join(", ", ratios.Select(static ratio => ratio.ToString("0.000", CultureInfo.InvariantCulture)))} {(ratios.All(static ratio => ratio <= BarMemory) ? "MET" : "MISSED")}"));
            }
        }
    }

    private static string Line(Burst burst)
    {
        if (burst.Figures is not { } figures)
        {
            return $"  {burst.Size,-9}{burst.Pool,-26}failed";
        }

        string after = string.Concat(figures.After.Select(static bytes => string.Create(CultureInfo.InvariantCulture, $"{bytes / MiB,10:0.0}")));
        return string.Create(CultureInfo.InvariantCulture, $"  {burst.Size,-9}{burst.Pool,-26}{figures.Before / MiB,10:0.0}{figures.Peak / MiB,10:0.0}{after}{figures.Collected / MiB,11:0.0}{(figures.After[^1] - figures.Before) / MiB,12:0.0}");
    }

    private static void Write(Stream stream, List<Cost> costs, List<Burst> bursts, double[] waits)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartArray();
        foreach (Cost cost in costs)
        {
            json.WriteStartObject();
            json.WriteString("work", cost.Work);
            json.WriteString("pool", cost.Pool);
            json.WriteNumber("ns", Math.Round(cost.Nanoseconds, 3));
            json.WriteNumber("gc_bytes", Math.Round(cost.GarbageBytes, 2));
            json.WriteEndObject();
        }

        foreach (Burst burst in bursts.Where(static burst => burst.Figures is not null))
        {
            json.WriteStartObject();
            json.WriteString("work", $"burst-{burst.Size}");
            json.WriteString("pool", burst.Pool);
            json.WriteNumber("rss_before_mb", Megabytes(burst.Figures!.Before));
            json.WriteNumber("rss_peak_mb", Megabytes(burst.Figures.Peak));
            for (int i = 0; i < waits.Length; i++)
            {
                json.WriteNumber(string.Create(CultureInfo.InvariantCulture, $"rss_after_{waits[i]:0}s_mb"), Megabytes(burst.Figures.After[i]));
            }

            json.WriteNumber("rss_collected_mb", Megabytes(burst.Figures.Collected));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static double Megabytes(long bytes) => Math.Round(bytes / 1e6, 2);
}
