using System.Diagnostics;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Peers;
using Quire.Benchmarks.Reports;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.Compare;

/// <summary>Measures Quire and its peers side by side, in one process.</summary>
internal static class CompareCommand
{
    /// <summary>Runs the rows one after the other; each is printed as soon as it is measured.</summary>
    public static void Run(CompareOptions options)
    {
        NativeAllocators natives = NativeAllocators.Load();
        if (natives.NeedsMoreStaticTls && !Restart.IsSet && OperatingSystem.IsLinux())
        {
            Restart.Try();
        }

        Schedule schedule = options.Quick ? Schedule.Quick : Schedule.Full;
        TextReport text = new(Console.Out);
        text.WriteHeader(schedule, natives);
        List<RowReport> reports = [];
        for (int i = 0; i < options.Rows.Count; i++)
        {
            using Row row = RowCatalog.Open(options.Rows[i], natives, options.Read);
            RoundsResult result = Rounds.Measure(row.Contenders, schedule, Share(schedule, options.Rows.Count - i));
            RowReport report = new(row, result);
            text.WriteRow(report);
            reports.Add(report);
        }

        if (options.Json is string path)
        {
            using FileStream file = File.Create(path);
            JsonReport.Write(file, reports);
        }
    }

    /// <summary>An equal part of the time that is left, the start of the process included.</summary>
    private static TimeSpan Share(Schedule schedule, int rowsLeft)
    {
        using Process self = Process.GetCurrentProcess();
        return (schedule.Total - (DateTime.Now - self.StartTime)) / rowsLeft;
    }
}
