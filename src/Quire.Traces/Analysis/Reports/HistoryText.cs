namespace Quire.Traces.Analysis;

/// <summary>One page's life as text, a line an event.</summary>
internal static class HistoryText
{
    internal static void Write(TextWriter output, HistoryReport report, bool stacks)
    {
        ReportText.Line(output, report.Verdict);
        ReportText.Line(output, $"  {"TIME",14}  {(report.Source.IsKernel ? "TASK" : "THREAD"),-22}  {"COUNT",5}  {"EVENT",-24}  WHAT");
        ulong? generation = null;
        int? lastLife = null;
        long events = 0;
        long gaps = 0;
        foreach (HistoryEvent next in report.Events)
        {
            if (next.Generation is { } now && now != generation)
            {
                ReportText.Line(output, $"generation {now}");
                generation = now;
            }

            if (next.Life is { } life && life != lastLife)
            {
                ReportText.Line(output, $"life {life}");
                lastLife = life;
            }

            string count = next.Count is { } known ? Units.Number(known) : "";
            string site = next.Site is null ? "" : $"  {next.Site}";
            string mark = next.Gap ? "  <- does not follow from the count before: an event is missing" : next.Snapshot ? "  (snapshot)" : "";
            ReportText.Line(output, $"  {(report.Source.IsKernel ? Units.Clock(next.TimeNs) : Units.Moment(next.TimeNs - report.BeginNs)),14}  {next.Task,-22}  {count,5}  {next.Event,-24}  {next.What}{site}{mark}");
            if (stacks)
            {
                ReportText.Stack(output, next.Stack, "                      ", all: true);
            }

            events++;
            gaps += next.Gap ? 1 : 0;
        }

        ReportText.Line(output, events == 0 ? "no event of this page" : $"{Units.Count(events, "event")}{(gaps > 0 ? $", {Units.Count(gaps, "gap")}" : "")}");
        ReportText.Quality(output, report.DataQuality, report.Notes);
    }
}
