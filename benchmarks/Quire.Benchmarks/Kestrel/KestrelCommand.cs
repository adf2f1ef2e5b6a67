using System.Globalization;
using System.Text.Json;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Kestrel;

/// <summary>
/// <c>kestrel</c>: one application on Kestrel's own pool and on Quire's, side by side: requests a second, and resident memory before, in and after a burst. Each server and each driver is a process
/// of its own; rounds are interleaved; figures are medians.
/// </summary>
internal static class KestrelCommand
{
    public const string Usage = "kestrel [--json FILE] [--quick] [--long] [--connections N]";
    public const string Default = "default";
    public const string Quire = "quire";

    private const int LoadConnections = 64;

    /// <summary>The bar: throughput not worse, within noise; memory 30 s after the burst.</summary>
    private const double BarThroughput = 0.97;
    private const double BarMemory = 0.3;

    public static int Run(string[] arguments)
    {
        string? json = null;
        bool quick = false;
        bool isLong = false;
        int? connections = null;
        for (int at = 0; at < arguments.Length; at++)
        {
            switch (arguments[at])
            {
                case "--json" when at + 1 < arguments.Length:
                    json = arguments[++at];
                    break;
                case "--quick":
                    quick = true;
                    break;
                case "--long":
                    isLong = true;
                    break;
                case "--connections" when at + 1 < arguments.Length && int.TryParse(arguments[at + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0:
                    connections = number;
                    at++;
                    break;
                default:
                    Console.Error.WriteLine($"'{arguments[at]}' is no option; usage: {Usage}");
                    return 2;
            }
        }

        if (json is not null && !FiguresFile.CanWrite(json, out string? complaint))
        {
            Console.Error.WriteLine(complaint);
            return 2;
        }

        if (!OperatingSystem.IsLinux())
        {
            Console.WriteLine("kestrel: not run: resident memory is read from /proc.");
            return 0;
        }

        KestrelFigures[] figures = Measure(quick ? 3 : 25, seconds: quick ? 1 : 2, connections ?? (quick ? 200 : 1000), quick ? [] : isLong ? [30, 120] : [30]);
        Print(figures, quick);
        if (json is not null)
        {
            using FileStream file = File.Create(json);
            Write(file, figures);
        }

        return 0;
    }

    private static KestrelFigures[] Measure(int rounds, int seconds, int burst, int[] waits)
    {
        using ChildServer first = ChildServer.Start(Default);
        using ChildServer second = ChildServer.Start(Quire);
        ChildServer[] servers = [first, second];
        Console.WriteLine($"load by {RequestLoad.Driver}, {LoadConnections} connections; collector: {first.Collector}, {second.Collector}; burst: {burst} clients of 1 MiB each");
        KestrelFigures[] figures = [.. servers.Select(static server => new KestrelFigures(server.Pool))];
        foreach (ChildServer server in (ChildServer[])[.. servers, .. servers])
        {
            // Until the hot methods are compiled anew with what the first calls taught.
            new LoadFigures().Measure(server, "/plaintext", LoadConnections, seconds);
            new LoadFigures().Measure(server, "/large", LoadConnections, seconds);
            new LoadFigures().Measure(server, "/plaintext", LoadConnections, seconds);
        }

        // Many short rounds: what else the machine does changes more slowly than they do.
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < servers.Length; i++)
            {
                // Who goes first changes, so a drift of the machine hits both.
                int at = (round + i) % servers.Length;
                figures[at].Plaintext.Measure(servers[at], "/plaintext", LoadConnections, seconds);
                figures[at].Large.Measure(servers[at], "/large", LoadConnections, seconds);
            }
        }

        for (int i = 0; i < servers.Length; i++)
        {
            figures[i].BeforeMb = servers[i].ResidentMb;
            figures[i].BurstSeconds = UploadBurst.Send(servers[i].Address, burst);
            figures[i].PeakMb = servers[i].PeakMb;
            int waited = 0;
            foreach (int wait in waits)
            {
                Thread.Sleep(TimeSpan.FromSeconds(wait - waited));
                waited = wait;
                figures[i].AfterMb[wait] = servers[i].ResidentMb;
            }
        }

        return figures;
    }

    private static void Print(KestrelFigures[] figures, bool quick)
    {
        Console.WriteLine($"{"pool",-10}{"plaintext/s",14}{"cpu each",11}{"16 KiB/s",11}{"cpu each",11}{"burst",9}{"before",10}{"peak",10}{string.Concat(figures[0].AfterMb.Keys.Select(static wait => $"{$"{wait} s after",14}"))}");
        foreach (KestrelFigures one in figures)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{one.Pool,-10}{Line(one.Plaintext),25}{Line(one.Large),22}{one.BurstSeconds,7:0.0} s{one.BeforeMb,7:0} MB{one.PeakMb,7:0} MB{string.Concat(one.AfterMb.Values.Select(static mb => $"{mb,11:0} MB"))}"));
        }

        (KestrelFigures theirs, KestrelFigures mine) = (figures[0], figures[1]);
        Compare("plaintext", mine.Plaintext, theirs.Plaintext);
        Compare("16 KiB", mine.Large, theirs.Large);
        foreach (int wait in mine.AfterMb.Keys)
        {
            double ratio = mine.AfterMb[wait] / theirs.AfterMb[wait];
            double growth = (mine.AfterMb[wait] - mine.BeforeMb) / (theirs.AfterMb[wait] - theirs.BeforeMb);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"resident {wait} s after: {ratio:0.000} of the default's; less what it was before, {growth:0.000}; bar {BarMemory}: {(ratio <= BarMemory ? "met" : "not met")}"));
        }

        if (quick)
        {
            Console.WriteLine("quick: a look that it runs; too short for figures, and without the idle time.");
        }
    }

    private static string Line(LoadFigures load) =>
        string.Create(CultureInfo.InvariantCulture, $"{LoadFigures.Median(load.PerSecond),11:0}{LoadFigures.Median(load.Microseconds),8:0.00} us");

    private static void Compare(string what, LoadFigures mine, LoadFigures theirs)
    {
        double throughput = LoadFigures.Ratio(mine.PerSecond, theirs.PerSecond);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what}, medians of the rounds' ratios: throughput {throughput:0.000}, processor time {LoadFigures.Ratio(mine.Microseconds, theirs.Microseconds):0.000}; bar {BarThroughput} of the throughput: {(throughput >= BarThroughput ? "met" : "not met")}"));
    }

    private static void Write(Stream stream, KestrelFigures[] figures)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartArray();
        foreach (KestrelFigures one in figures)
        {
            json.WriteStartObject();
            json.WriteString("pool", one.Pool);
            json.WriteNumber("requests_per_s", Math.Round(LoadFigures.Median(one.Plaintext.PerSecond), 1));
            json.WriteNumber("rss_peak_mb", Math.Round(one.PeakMb, 1));
            if (!one.AfterMb.ContainsKey(30))
            {
                json.WriteNull("rss_after_30s_mb");
            }

            foreach ((int wait, double mb) in one.AfterMb)
            {
                json.WriteNumber($"rss_after_{wait}s_mb", Math.Round(mb, 1));
            }

            json.WriteNumber("rss_before_mb", Math.Round(one.BeforeMb, 1));
            json.WriteNumber("cpu_us_per_request", Math.Round(LoadFigures.Median(one.Plaintext.Microseconds), 3));
            json.WriteNumber("large_requests_per_s", Math.Round(LoadFigures.Median(one.Large.PerSecond), 1));
            json.WriteNumber("large_cpu_us_per_request", Math.Round(LoadFigures.Median(one.Large.Microseconds), 3));
            json.WriteNumber("burst_s", Math.Round(one.BurstSeconds, 2));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
