namespace Quire.Traces.Analysis;

/// <summary>A contiguous allocation as text: the pages in its way, and who held them.</summary>
internal static class AttemptText
{
    private const int PagesShown = 20;
    private const int HoldersShown = 8;
    private const int FramesNamed = 8;

    /// <summary>Writes it, with each page that would not move and who held it; pages of which the same is to be said together.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="said">What the report has said already: a verdict is not said twice.</param>
    /// <param name="when">When it began.</param>
    /// <param name="all">Whether to fold nothing.</param>
    internal static void Write(TextWriter output, AttemptReport attempt, string said, string when, bool all)
    {
        string verdict = said.StartsWith(attempt.Verdict, StringComparison.Ordinal) ? "" : $": {attempt.Verdict}";
        ReportText.Line(output, $"attempt {attempt.Index}: {when}, {attempt.Task}{(attempt.Site is null ? "" : $", {attempt.Site}")}{verdict}");
        BusyPageReport[][] groups = all ? [.. attempt.BusyPages.Select(static page => (BusyPageReport[])[page])]
            : [.. attempt.BusyPages.GroupBy(Gist).Select(static group => group.ToArray())];
        int shown = all ? groups.Length : Math.Min(PagesShown, groups.Length);
        for (int i = 0; i < shown; i++)
        {
            Page(output, attempt, groups[i], all);
        }

        if (shown < groups.Length)
        {
            ReportText.Line(output, $"  (+{Units.Count(groups.Skip(shown).Sum(static group => group.Length), "page")}, see --all)");
        }

        if (attempt.Advice is not null)
        {
            ReportText.Line(output, $"  advice: {attempt.Advice}");
        }
    }

    // With a sign between that no name has.
    private static string Gist(BusyPageReport page) =>
        $"{page.Reason}\0{page.Count}\0{page.Expected}\0{page.Class}\0{page.Unattributed}\0{page.Flags}\0{page.Holders.Count}\0{string.Join('\0', page.Holders.Select(static holder => $"{holder.Site}\0{holder.Task}\0{holder.References}\0{holder.Class}\0{holder.ReleasedNs is null}"))}";

    /// <summary>Writes pages of which the same is to be said, and who held them.</summary>
    internal static void Page(TextWriter output, AttemptReport attempt, BusyPageReport[] group, bool all)
    {
        BusyPageReport page = group[0];
        ReportText.Line(output, $"  {Frames(group)}  {Units.Reason(page.Reason)}{Counts(page)}{Expected(page)}");
        int shown = all ? page.Holders.Count : Math.Min(HoldersShown, page.Holders.Count);
        for (int i = 0; i < shown; i++)
        {
            Holder(output, attempt, page.Holders[i], group.Length > 1 ? [.. group.Select(same => same.Holders[i])] : null);
            if (all || page.Holders[i].Basis == "inferred")
            {
                ReportText.Stack(output, page.Holders[i].Stack, "            ", all);
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

    private static void Holder(TextWriter output, AttemptReport attempt, HolderReport holder, HolderReport[]? same)
    {
        string references = holder.Pins is { } pins ? $", {Units.Count(pins, "pin")}" : holder.References == 1 ? "" : $" x{holder.References}";
        string age = holder.AcquiredNs is null ? "since before the trace" : Units.Duration(holder.AgeNs);
        string whom = holder.Task is null ? "unknown task" : $"{holder.Task}";
        string released = holder.ReleasedNs is { } at
            ? at <= attempt.EndNs ? "let go before it failed" : $"let go {Units.Duration(at - (attempt.EndNs ?? at))} later"
            : "never let go in this trace";
        if (same is not null && holder.ReleasedNs is not null)
        {
            long first = same.Min(static one => one.ReleasedNs ?? 0);
            long last = same.Max(static one => one.ReleasedNs ?? 0);
            long end = attempt.EndNs ?? first;
            released = last <= end ? "let go before it failed" : Units.Duration(Math.Max(0, first - end)) == Units.Duration(last - end) ? $"let go {Units.Duration(last - end)} later"
                : $"let go {Units.Duration(Math.Max(0, first - end))} to {Units.Duration(last - end)} later";
        }

        released += holder.ReleasedTask is { } task && task.Pid != holder.Task?.Pid ? $" by {task}" : "";
        released += holder.Basis == "inferred" && holder.ReleasedSite is { } site and not StackMeanings.NoStack ? $" in {site}" : "";
        string taken = holder.TakenSite is null ? "" : $"; taken at {holder.TakenSite}";
        string doubt = holder.Basis == "inferred" ? $"; confidence {holder.Confidence:0.00}"
            : holder.Confidence < 1 ? "; its release may be among the lost events"
            : "";
        ReportText.Line(output, $"    HELD  {holder.Site}  {whom}  ({Units.Class(holder.Class)}{references})  {age}  {released}{taken}{doubt}");
    }

    private static string Frames(BusyPageReport[] group)
    {
        if (group.Length == 1)
        {
            return $"page 0x{group[0].Pfn:x}";
        }

        string frames = string.Join(", ", group.Take(FramesNamed).Select(static page => $"0x{page.Pfn:x}"));
        return $"{Units.Count(group.Length, "page")} ({frames}{(group.Length > FramesNamed ? ", …" : "")})";
    }

    private static string Counts(BusyPageReport page) => page.Count is not { } count ? "  no event of it in this trace"
        : page.Expected is not { } expected ? $"  refs {count}"
        : count > expected ? $"  refs {count} (expected {expected} to migrate: {count - expected} too many)"
        : $"  refs {count}, as expected";

    // Of what the expected count is made, where it says more than a number.
    private static string Expected(BusyPageReport page) =>
        (page.ExpectedOf is null ? "" : $"  [{string.Join(", ", page.ExpectedOf.Where(static part => part.Value > 0).Select(static part => $"{part.Key.Replace('_', ' ')} {part.Value}"))}]")
        + (page.Class is null ? "" : $"  {page.Class}")
        + (page.Ranges > 1 ? $"  in {page.Ranges} ranges" : "");
}
