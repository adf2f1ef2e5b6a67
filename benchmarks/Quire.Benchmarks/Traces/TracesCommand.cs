using System.Globalization;
using Quire.Benchmarks.Events;

namespace Quire.Benchmarks.Traces;

/// <summary><c>traces</c>: <c>quire blame</c> and <c>trace-cmd report</c> on large traces, side by side, as whole processes.</summary>
internal static class TracesCommand
{
    public const string Usage = "traces [--quick] [--large] [--quire PROGRAM] [--keep FOLDER] [TRACE.DAT]";

    private const long Quick = 20L << 20;
    private const long Usual = 200L << 20;
    private const long Large = 1L << 30;

    /// <summary>The bar: a tenth of trace-cmd's time, under 300 MB.</summary>
    private const double BarRatio = 0.1;
    private const long BarBytes = 300_000_000;

    public static int Run(string[] arguments)
    {
        string? quire = null;
        string? sample = null;
        string? keep = null;
        long size = Usual;
        for (int at = 0; at < arguments.Length; at++)
        {
            switch (arguments[at])
            {
                case "--quick":
                    size = Quick;
                    break;
                case "--large":
                    size = Large;
                    break;
                case "--quire" when at + 1 < arguments.Length:
                    quire = arguments[++at];
                    break;
                case "--keep" when at + 1 < arguments.Length && Directory.Exists(arguments[at + 1]):
                    keep = arguments[++at];
                    break;
                case string path when sample is null && File.Exists(path):
                    sample = path;
                    break;
                default:
                    Console.Error.WriteLine($"'{arguments[at]}' is no option and no file; usage: {Usage}");
                    return 2;
            }
        }

        string? root = Root();
        quire ??= root is null ? null : Programs(root).FirstOrDefault(File.Exists);
        sample ??= root is null ? null : Path.Combine(root, "tests", "Quire.Traces.Tests", "Data", "kernel", "s1-success", "trace.dat");
        string? traceCmd = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(static folder => Path.Combine(folder, "trace-cmd")).FirstOrDefault(File.Exists);
        if (quire is null || sample is null || traceCmd is null)
        {
            // Absence is no failure: where there is no trace-cmd there is nothing to compare with, and no way to make the input.
            Console.WriteLine(quire is null ? "traces: not run: quire is not built (dotnet build -c Release src/Quire.Cli)." : "traces: not run: trace-cmd is not installed (Debian: trace-cmd).");
            return 0;
        }

        using TemporaryFolder folder = new();
        string plain = Path.Combine(folder.Path, "sample6.dat");
        if (MeasuredProcess.Run(traceCmd, "convert", "-i", sample, "--file-version", "6", "--compression", "none", "-o", plain).Status != 0)
        {
            Console.Error.WriteLine($"trace-cmd can't convert '{sample}'.");
            return 2;
        }

        string unpacked = Path.Combine(keep ?? folder.Path, "large6.dat");
        string packed = Path.Combine(keep ?? folder.Path, "large7.dat");
        int times = LargeTrace.Repeat(plain, unpacked, size);
        MeasuredProcess.Run(traceCmd, "convert", "-i", unpacked, "--file-version", "7", "--compression", "zstd", "-o", packed);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"quire: {quire}"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(Path.GetDirectoryName(sample))}/{Path.GetFileName(sample)} {times} times; medians of whole processes"));
        Console.WriteLine($"{"trace",-26}{"MB",8}{"quire blame",14}{"peak",9}{"quire stat",14}{"peak",9}{"trace-cmd report",19}{"peak",9}{"blame/report",14}");
        bool isMet = true;
        foreach ((string name, string file) in new[] { ("version 6, unpacked", unpacked), ("version 7, zstd", packed) })
        {
            int rounds = size == Quick ? 3 : 5;
            List<ProcessCost> blame = [];
            List<ProcessCost> stat = [];
            List<ProcessCost> report = [];
            for (int round = 0; round < rounds; round++)
            {
                blame.Add(MeasuredProcess.Run(quire, "blame", file));
                stat.Add(MeasuredProcess.Run(quire, "stat", file));
                if (round < (size == Large ? 1 : 3))
                {
                    report.Add(MeasuredProcess.Run(traceCmd, "report", "-i", file));
                }
            }

            if (blame.Exists(static cost => cost.Status > 1) || stat.Exists(static cost => cost.Status != 0) || report.Exists(static cost => cost.Status != 0))
            {
                Console.Error.WriteLine($"{name}: a program failed: blame {blame[0].Status}, stat {stat[0].Status}, report {report[0].Status}.");
                return 2;
            }

            double ratio = Median(blame) / Median(report);
            isMet &= ratio <= BarRatio && Peak(blame) <= BarBytes;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-26}{new FileInfo(file).Length / 1_000_000,8}{Median(blame),12:0.00} s{Peak(blame) / 1_000_000,6} MB{Median(stat),12:0.00} s{Peak(stat) / 1_000_000,6} MB{Median(report),17:0.00} s{Peak(report) / 1_000_000,6} MB{ratio,14:0.000}"));
        }

        Console.WriteLine($"bar: a ratio of {BarRatio.ToString(CultureInfo.InvariantCulture)} and {BarBytes / 1_000_000} MB: {(isMet ? "met" : "not met")}");
        return 0;
    }

    private static IEnumerable<string> Programs(string root) =>
    [
        Path.Combine(root, "src", "Quire.Cli", "bin", "publish", "linux-x64", "quire"),
        Path.Combine(root, "src", "Quire.Cli", "bin", "Release", "net10.0", "Quire.Cli"),
    ];

    private static double Median(List<ProcessCost> costs) => costs.Select(static cost => cost.Seconds).Order().ElementAt(costs.Count / 2);

    private static long Peak(List<ProcessCost> costs) => costs.Max(static cost => cost.PeakBytes);

    private static string? Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Quire.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder;
    }
}
