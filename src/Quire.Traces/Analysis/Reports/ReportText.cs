namespace Quire.Traces.Analysis;

/// <summary>Reports as text: the answer in the first line, the next command in the last. Lines end in a line feed. Stable, so that scripts may search it.</summary>
public static class ReportText
{
    private const int StackShown = 16;

    /// <summary>Writes who held what.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="report">The report.</param>
    /// <param name="all">Whether to fold nothing.</param>
    public static void Write(TextWriter output, BlameReport report, bool all)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(report);
        BlameText.Write(output, report, all);
    }

    /// <summary>Writes who holds one page.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="report">The report.</param>
    /// <param name="all">Whether to fold nothing.</param>
    public static void Write(TextWriter output, PageReport report, bool all)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(report);
        PageText.Write(output, report, all);
    }

    /// <summary>Writes one page's life; reads the trace as it goes.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="report">The report.</param>
    /// <param name="stacks">Whether to show each event's frames.</param>
    public static void Write(TextWriter output, HistoryReport report, bool stacks)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(report);
        HistoryText.Write(output, report, stacks);
    }

    /// <summary>Writes what a trace holds.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="report">The report.</param>
    public static void Write(TextWriter output, StatReport report)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(report);
        StatText.Write(output, report);
    }

    internal static void Line(TextWriter output, string line)
    {
        output.Write(line);
        output.Write('\n');
    }

    internal static void Stack(TextWriter output, IReadOnlyList<string> frames, string indent, bool all)
    {
        int shown = all ? frames.Count : Math.Min(StackShown, frames.Count);
        for (int i = 0; i < shown; i++)
        {
            Line(output, $"{indent}at {frames[i]}");
        }

        if (shown < frames.Count)
        {
            Line(output, $"{indent}(+{Units.Count(frames.Count - shown, "frame")})");
        }
    }

    /// <summary>What was lost or can be doubted: the counters that are not 0, and losses in any case.</summary>
    internal static void Quality(TextWriter output, IReadOnlyDictionary<string, long> quality, IReadOnlyList<string> notes)
    {
        long lost = Lost(quality);
        string[] others = [.. quality.Where(static counter => counter.Value != 0 && !IsLoss(counter.Key)).Select(static counter => $"{counter.Key} {Units.Number(counter.Value)}")];
        string unknown = quality.GetValueOrDefault(TraceCounter.LostUnknown) > 0 ? "at least " : "";
        Line(output, $"data quality: {unknown}{Units.Count(lost, "lost event")}{(others.Length > 0 ? ", " : "")}{string.Join(", ", others)}");
        foreach (string note in notes)
        {
            Line(output, note);
        }
    }

    /// <summary>All events known to be lost, however.</summary>
    internal static long Lost(IReadOnlyDictionary<string, long> quality) => quality.Where(static counter => IsLoss(counter.Key)).Sum(static counter => counter.Value);

    private static bool IsLoss(string counter) => counter is TraceCounter.Lost or TraceCounter.Dropped or TraceCounter.NoRing;
}
