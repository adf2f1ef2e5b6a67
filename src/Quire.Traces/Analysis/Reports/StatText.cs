namespace Quire.Traces.Analysis;

/// <summary>What a trace holds, as text.</summary>
internal static class StatText
{
    private const int TasksShown = 10;

    internal static void Write(TextWriter output, StatReport report)
    {
        SourceReport source = report.Source;
        ReportText.Line(output, $"{source.Format}: {Units.Count(source.Events, "event")} over {Units.Duration(report.EndNs - report.BeginNs)}, {Units.Count(report.Tasks.Count, source.IsKernel ? "task" : "thread")}, {Units.Count(report.Pages.Seen, "page")}, {Units.Count(ReportText.Lost(report.DataQuality), "lost event")}");
        if (source is { IsKernel: true, FirstNs: { } first, LastNs: { } last })
        {
            ReportText.Line(output, $"from {Units.Clock(first)} to {Units.Clock(last)} (clock {source.Clock})");
        }

        if (report.Events.Count > 0)
        {
            ReportText.Line(output, "events");
            Columns events = new(false, true);
            foreach ((string name, long count) in report.Events.OrderByDescending(static entry => entry.Value).ThenBy(static entry => entry.Key, StringComparer.Ordinal))
            {
                events.Add(" ", name, Units.Number(count));
            }

            events.Write(output);
        }

        if (report.Tasks.Count > 0)
        {
            ReportText.Line(output, source.IsKernel ? "tasks" : "threads");
            Columns tasks = new(false, true);
            foreach (TaskEvents task in report.Tasks.Take(TasksShown))
            {
                tasks.Add(" ", $"{new TraceTask(task.Comm, task.Pid)}", Units.Number(task.Events));
            }

            if (report.Tasks.Count > TasksShown)
            {
                tasks.Add(" ", $"(+{Units.Count(report.Tasks.Count - TasksShown, source.IsKernel ? "task" : "thread")})", Units.Number(report.Tasks.Skip(TasksShown).Sum(static task => task.Events)));
            }

            tasks.Write(output);
        }

        PageCounts pages = report.Pages;
        ReportText.Line(output, $"pages: {Units.Number(pages.Allocated)} allocated, {Units.Number(pages.Freed)} freed, {Units.Number(pages.ReusedInPlace)} reused in place, {Units.Number(pages.LiveAtEnd)} live at end, {Units.Number(pages.SeenMidLife)} first seen in mid-life");
        string sampled = source.Sample > 1 ? $" of one reference in {Units.Number(source.Sample)}, so some {Units.Number(report.HoldersAtEnd * source.Sample)} in all" : "";
        ReportText.Line(output, $"holders at end: {Units.Number(report.HoldersAtEnd)}{sampled}");
        AttemptCounts attempts = report.Attempts;
        ReportText.Line(output, $"contiguous allocations: {Units.Number(attempts.Total)} ({Units.Number(attempts.Success)} success, {Units.Number(attempts.Busy)} busy, {Units.Number(attempts.NoSpace)} no space, {Units.Number(attempts.Interrupted)} interrupted, {Units.Number(attempts.Unfinished)} unfinished)");
        foreach ((string name, string value) in source.Properties.Where(static property => property.Value.Length > 0))
        {
            ReportText.Line(output, $"{name}: {value}");
        }

        ReportText.Quality(output, report.DataQuality, []);
    }
}
