using System.Globalization;
using System.Runtime.InteropServices;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Peers;

namespace Quire.Benchmarks.Reports;

/// <summary>The figures for people: a table a row, then its bars, then whatever makes the figures doubtful.</summary>
internal sealed class TextReport(TextWriter writer)
{
    /// <summary>Above this difference between the two ways to build a ratio the machine was not quiet enough.</summary>
    private const double NoisyDifference = 0.10;

    public void WriteHeader(Schedule schedule, NativeAllocators natives)
    {
        writer.WriteLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}, "
            + $"{Environment.ProcessorCount} cores; {schedule.Rounds} rounds of {schedule.Sample.TotalMilliseconds:0} ms a contender");
        if (Restart.IsSet)
        {
            writer.WriteLine($"runs with {Restart.Setting}, which jemalloc needs to be loaded late (restarted by itself if it was not set)");
        }

        foreach (NativeAllocator present in natives.Present)
        {
            writer.WriteLine($"{present.Name}: {present.Version}");
        }

        foreach (AbsentPeer absent in natives.Absent)
        {
            writer.WriteLine($"{absent.Name}: ABSENT, {absent.Reason}");
        }
    }

    public void WriteRow(RowReport report)
    {
        writer.WriteLine();
        writer.WriteLine($"{report.Row.Id}: {report.Row.Work}");
        writer.WriteLine(Line("ns for one", "min", "median", "max", "ratio", "paired"));
        foreach (Samples samples in report.Result.Samples.OrderBy(samples => samples.Contender.Role).ThenBy(samples => samples.Median))
        {
            bool isPeer = samples.Contender.Role == ContenderRole.Peer;
            writer.WriteLine(Line(
                samples.Contender.Name,
                Nanoseconds(samples.Least),
                Nanoseconds(samples.Median),
                Nanoseconds(samples.Most),
                isPeer && report.Quire is not null ? Ratio(report.Quire.RatioTo(samples)) : "",
                isPeer && report.Quire is not null ? Ratio(report.Quire.PairedRatioTo(samples)) : ""));
        }

        foreach (Verdict verdict in report.Verdicts)
        {
            writer.WriteLine("  " + Describe(verdict));
        }

        foreach (string note in report.Row.Notes.Concat(report.Findings))
        {
            writer.WriteLine($"  note: {note}");
        }

        WriteDoubts(report);
        writer.Flush();
    }

    private static string Describe(Verdict verdict)
    {
        string peers = string.Join(", ", verdict.Bar.Peers);
        string bar = verdict.Bar.Peers.Count == 1 ? $"bar {Ratio(verdict.Bar.AtMost)} of {peers}" : $"bar {Ratio(verdict.Bar.AtMost)} of the best of {peers}";
        if (verdict.Best is null)
        {
            return $"{bar}: NOT JUDGED, none of them is here";
        }

        bar += Conditions(verdict.Bar.OrWithin, verdict.Bar.Under);
        string best = $"{verdict.Best.Contender.Name}, {Nanoseconds(verdict.Best.Median)} ns";
        if (verdict.Ratio is not double ratio)
        {
            return $"{bar}: NOT JUDGED, Quire took no part ({best})";
        }

        string moonshot = Ratio(verdict.Bar.Moonshot) + Conditions(0, verdict.Bar.MoonshotUnder);
        string answer = verdict.Met
            ? verdict.MoonshotMet ? $"MET, and the moonshot of {moonshot}" : $"MET (moonshot {moonshot})"
            : "MISSED";
        string missing = verdict.Missing.Count == 0 ? "" : $"; without {string.Join(", ", verdict.Missing)}, which is absent";
        string difference = verdict.Bar.OrWithin > 0 ? string.Create(CultureInfo.InvariantCulture, $", a difference of {verdict.Difference:0.00} ns") : "";
        return $"{bar}: {Ratio(ratio)}{difference} {answer} ({best}{missing})";
    }

    /// <summary>What a bar says in nanoseconds, beside its ratio.</summary>
    private static string Conditions(double orWithin, double under) =>
        string.Create(CultureInfo.InvariantCulture, $"{(orWithin > 0 ? $" or within {orWithin} ns" : "")}{(double.IsFinite(under) ? $" and under {under} ns" : "")}");

    private void WriteDoubts(RowReport report)
    {
        RoundsResult result = report.Result;
        if (result.CutShort)
        {
            writer.WriteLine($"  doubt: the time was up after {result.RoundCount} rounds");
        }

        if (result.DisturbedTurns != 0)
        {
            writer.WriteLine($"  doubt: other processes took a core in {result.DisturbedTurns} of "
                + $"{result.RoundCount * result.Samples.Count} turns, though such turns are repeated");
        }

        if (!result.Warm)
        {
            writer.WriteLine("  doubt: the JIT had not come to rest when measuring began");
        }

        if (result.CompiledMeanwhile != 0)
        {
            writer.WriteLine($"  doubt: {result.CompiledMeanwhile} methods were compiled while measuring");
        }

        if (report.Quire is Samples quire
            && report.Peers.Select(peer => (peer.Contender.Name, Difference: Difference(quire, peer)))
                .Where(pair => pair.Difference > NoisyDifference)
                .OrderByDescending(pair => pair.Difference)
                .ToArray() is [var worst, ..])
        {
            writer.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  doubt: ratio and paired ratio differ by up to {worst.Difference:P0} ({worst.Name}); the machine was not quiet"));
        }
    }

    private static double Difference(Samples quire, Samples peer) => Math.Abs((quire.PairedRatioTo(peer) / quire.RatioTo(peer)) - 1);

    private static string Line(string name, string least, string median, string most, string ratio, string paired) =>
        $"  {name,-28}{least,10}{median,10}{most,10}{ratio,10}{paired,10}".TrimEnd();

    private static string Nanoseconds(double value) => value.ToString(value < 100 ? "0.00" : "0.0", CultureInfo.InvariantCulture);

    // Three places: at two, 0.502 would miss a bar of 0.50 that it seems to meet.
    private static string Ratio(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
