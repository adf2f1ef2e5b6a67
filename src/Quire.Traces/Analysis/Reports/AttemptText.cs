namespace Quire.Traces.Analysis;

/// <summary>A failed contiguous allocation as text.</summary>
internal static class AttemptText
{
    private const int PagesShown = 20;
    private const int HoldersShown = 8;

    /// <summary>Writes it, with each page that would not move and who held it.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="said">What the report has said already: a verdict is not said twice.</param>
    /// <param name="begin">When the recording began.</param>
    /// <param name="all">Whether to fold nothing.</param>
    internal static void Write(TextWriter output, AttemptReport attempt, string said, long begin, bool all)
    {
        string verdict = said.StartsWith(attempt.Verdict, StringComparison.Ordinal) ? "" : $": {attempt.Verdict}";
        ReportText.Line(output, $"attempt {attempt.Index}: {Units.Moment(attempt.StartNs - begin)}, {attempt.Task}{(attempt.Site is null ? "" : $", {attempt.Site}")}{verdict}");
        int shown = all ? attempt.BusyPages.Count : Math.Min(PagesShown, attempt.BusyPages.Count);
        for (int i = 0; i < shown; i++)
        {
            Page(output, attempt, attempt.BusyPages[i], all);
        }

        if (shown < attempt.BusyPages.Count)
        {
            ReportText.Line(output, $"  (+{Units.Count(attempt.BusyPages.Count - shown, "page")}, see --all)");
        }

        if (attempt.Advice is not null)
        {
            ReportText.Line(output, $"  advice: {attempt.Advice}");
        }
    }

    private static void Page(TextWriter output, AttemptReport attempt, BusyPageReport page, bool all)
    {
        ReportText.Line(output, $"  page 0x{page.Pfn:x}  {Units.Reason(page.Reason)}{Counts(page)}{Expected(page)}");
        int shown = all ? page.Holders.Count : Math.Min(HoldersShown, page.Holders.Count);
        for (int i = 0; i < shown; i++)
        {
            HolderReport holder = page.Holders[i];
            string references = holder.References == 1 ? "" : $" x{holder.References}";
            string released = holder.ReleasedNs is { } at
                ? at <= attempt.EndNs ? "let go before it failed" : $"let go {Units.Duration(at - (attempt.EndNs ?? at))} later"
                : "never let go in this trace";
            released += holder.ReleasedTask is { } task && task.Pid != holder.Task.Pid ? $" by {task}" : "";
            string taken = holder.TakenSite is null ? "" : $"; taken at {holder.TakenSite}";
            string doubt = holder.Confidence < 1 ? "; its release may be among the lost events" : "";
            ReportText.Line(output, $"    HELD  {holder.Site}  {holder.Task}  ({Units.Class(holder.Class)}{references})  {Units.Duration(holder.AgeNs)}  {released}{taken}{doubt}");
            if (all)
            {
                ReportText.Stack(output, holder.Stack, "            ", all);
            }
        }

        if (shown < page.Holders.Count)
        {
            ReportText.Line(output, $"    (+{Units.Count(page.Holders.Count - shown, "holder")}, see --all)");
        }

        if (page.Unattributed is > 0 and { } unattributed)
        {
            ReportText.Line(output, $"    HELD  {Units.Count(unattributed, "reference")} unattributed (taken before the recording, or lost)");
        }
    }

    private static string Counts(BusyPageReport page) => page.Count is not { } count ? "  no event of it in this trace"
        : page.Expected is not { } expected ? $"  refs {count}"
        : $"  refs {count} (expected {expected} to migrate: {Math.Max(0, count - expected)} too many)";

    // Of what the expected count is made, where it says more than a number.
    private static string Expected(BusyPageReport page) => page.ExpectedOf is null ? ""
        : $"  [{string.Join(", ", page.ExpectedOf.Where(static part => part.Value > 0).Select(static part => $"{part.Key.Replace('_', ' ')} {part.Value}"))}]{(page.Class is null ? "" : $"  {page.Class}")}{(page.Ranges > 1 ? $"  in {page.Ranges} ranges" : "")}";
}
