namespace Quire.Traces.Analysis;

/// <summary>Who held what, as text.</summary>
internal static class BlameText
{
    private const int RowsShown = 20;
    private const int AttemptsShown = 5;
    private const double Share = 0.02;

    internal static void Write(TextWriter output, BlameReport report, bool all)
    {
        ReportText.Line(output, report.Verdict);
        // An attempt that got a range in the end, and lost others on the way, is worth as much as a failure.
        AttemptReport[] failed = report.Leaks ? []
            : all && report.Attempts is [{ } asked] ? [asked]
            : [.. report.Attempts.Where(static attempt => attempt.Result is "busy" or "no-space" or "interrupted" || attempt.BusyPages.Count > 0)];
        IEnumerable<AttemptReport> shown = all ? failed : failed.Reverse().DistinctBy(Gist).Take(AttemptsShown).Reverse();
        int written = 0;
        foreach (AttemptReport attempt in shown)
        {
            AttemptText.Write(output, attempt, report.Verdict, Units.When(attempt.StartNs, report.Source), all);
            written++;
        }

        if (written < failed.Length)
        {
            ReportText.Line(output, $"(+{Units.Count(failed.Length - written, "attempt")} with the same outcome or before these, see --all)");
        }

        Held(output, report, report.Held != report.Verdict, all);
        foreach (string rule in report.AgainstTheRules)
        {
            ReportText.Line(output, $"against the rules: {rule}");
        }

        ReportText.Quality(output, report.DataQuality, report.Notes);
        ReportText.Line(output, $"next: {report.Next}");
    }

    /// <summary>When the recording began, for moments.</summary>
    internal static long Begin(SourceReport source) =>
        source.Properties.TryGetValue("begin", out string? text) && long.TryParse(text, out long begin) ? begin : source.FirstNs ?? 0;

    // Attempts that fail by the same pages and holders say the same.
    private static string Gist(AttemptReport attempt) =>
        $"{attempt.Result} {attempt.Area} {string.Join(' ', attempt.BusyPages.Select(static page => $"{page.Pfn}:{string.Join(',', page.Holders.Select(static holder => holder.Site))}"))}";

    private static void Held(TextWriter output, BlameReport report, bool isSecond, bool all)
    {
        if (isSecond)
        {
            ReportText.Line(output, report.Held);
        }

        // What a kernel's pages have by themselves is most of what there is, and nobody's doing.
        IReadOnlyList<HeldRow> shown = all ? report.HeldAtEnd : [.. Folded(report.HeldAtEnd.Where(static row => !(row.Structural && row.Basis == "inferred")))];
        List<HeldRow> rows = [];
        List<HeldRow> folded = [];
        foreach (HeldRow row in shown)
        {
            bool isSmall = IsSmall(row, report.HeldAtEnd) || rows.Count >= RowsShown;
            (isSmall && rows.Count > 0 && !row.Suspicious && !all ? folded : rows).Add(row);
        }

        if (folded.Count == 1 && rows.Count < RowsShown)
        {
            // A line that stands for one row says less than the row, and saves nothing.
            rows = [.. shown];
            folded.Clear();
        }

        if (rows.Count + folded.Count + report.Totals.ReserveReferences + (report.Totals.UnattributedReferences ?? 0) == 0)
        {
            return;
        }

        bool isSampled = report.Source.Sample > 1;
        bool isInferred = shown.Any(static row => row.Basis == "inferred");
        Columns table = new(false, false, true, true, true, true, false, true, true);
        table.Add(" ", ["SITE", "KIND", "REFS", "PAGES", "USED / PINNED", "OLDEST", "TREND", .. isInferred ? (string[])["TAKEN", "RELEASED"] : []]);
        foreach (HeldRow row in rows)
        {
            table.Add(row.Suspicious ? "!" : " ", [.. Cells(row, isSampled ? report.Source.Sample : 1), .. GivenBack(row)]);
        }

        if (folded.Count > 0)
        {
            string below = folded.TrueForAll(row => IsSmall(row, report.HeldAtEnd)) ? $"below {Share * 100:0} %" : "more";
            long references = folded.Sum(static row => row.ReferencesEstimated ?? row.References);
            table.Add(" ", $"(+{Units.Count(folded.Count, "site")} {below})", "", (isSampled ? "~" : "") + Units.Number(references), "", "", Units.Duration(folded.Max(static row => row.OldestNs)), "");
        }

        if (report.Totals.ReserveReferences > 0)
        {
            table.Add(" ", "reserve of fragment caches", Units.Class("bias"), Units.Number(report.Totals.ReserveReferences), Units.Number(report.Totals.ReservePages));
        }

        if (report.Totals.UnattributedReferences > 0)
        {
            table.Add(" ", "unattributed", "", Units.Number(report.Totals.UnattributedReferences.Value), Units.Number(report.Totals.UnattributedPages), "", "", "taken before the recording, or lost");
        }

        table.Write(output);
        foreach (HeldRow row in rows.Where(row => row.Stack.Count > 0 && (row.Suspicious || all)))
        {
            ReportText.Line(output, $"stack of {row.Site}{(row.Stacks > 1 ? $" (the most frequent of {row.Stacks})" : "")}:");
            ReportText.Stack(output, row.Stack, "    ", all);
        }

        foreach (HeldRow row in rows.Where(static row => row.Holders is not null))
        {
            ReportText.Line(output, $"{row.Site} ({Units.Class(row.Class)}):");
            foreach (HolderReport holder in row.Holders!)
            {
                string used = holder.Bytes > 0 ? $"  {Units.Size(holder.Bytes)}" : "";
                string taken = holder.TakenSite is null ? "" : $"  taken at {holder.TakenSite}";
                ReportText.Line(output, $"    page 0x{holder.Pfn:x}  {Units.Count(holder.References, "reference")}{used}  {holder.Task}  {Units.Duration(holder.AgeNs)}{taken}");
            }
        }
    }

    // Small among its like: caches hold references by the hundred thousand, and what pages have by design would hide those who hold too long. Neither few references nor
    // little memory alone is small.
    private static bool IsSmall(HeldRow row, IReadOnlyList<HeldRow> all)
    {
        IEnumerable<HeldRow> like = all.Where(other => row.Structural || !other.Structural);
        return row.References < Share * like.Sum(static other => other.References) && row.PinnedBytes < Share * like.Sum(static other => other.PinnedBytes);
    }

    // Of one function through different stacks one line: what it took and gave back is counted together.
    private static IEnumerable<HeldRow> Folded(IEnumerable<HeldRow> rows) => rows
        .GroupBy(static row => (row.Site, row.Class))
        .Select(static group => group.Count() == 1 ? group.First() : group.First() with
        {
            References = group.Sum(static row => row.References),
            Pages = group.Sum(static row => row.Pages),
            PinnedBytes = group.Sum(static row => row.PinnedBytes),
            Suspicious = group.Any(static row => row.Suspicious),
            Stacks = group.Count(),
            Trend = [.. Enumerable.Range(0, group.First().Trend.Count).Select(point => group.Sum(row => row.Trend[point]))],
        });

    // How often what was taken there is given back: two takings against one putting stand out. Of tickets the holders say so themselves.
    private static string[] GivenBack(HeldRow row) => row.Basis == "inferred"
        ? [Units.Number(row.SiteTaken ?? row.Taken), Units.Number(row.SiteReleased ?? row.Released)]
        : [];

    private static string[] Cells(HeldRow row, int scale)
    {
        string about = scale > 1 ? "~" : "";
        string used = row.UsedBytes > 0 ? about + Units.Size(row.UsedBytes * scale) : "-";
        return
        [
            row.Site,
            Units.Class(row.Class),
            about + Units.Number(row.ReferencesEstimated ?? row.References),
            Units.Number(row.Pages),
            $"{used} / {Units.Size(row.PinnedBytes)}",
            Units.Duration(row.OldestNs),
            $"{Trend.Spark([.. row.Trend])}  {row.TrendWord}{(row.AgainstRule is null ? "" : $", {row.AgainstRule}")}",
        ];
    }
}
