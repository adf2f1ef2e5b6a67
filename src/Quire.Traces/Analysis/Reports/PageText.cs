namespace Quire.Traces.Analysis;

/// <summary>Who holds one page, as text.</summary>
internal static class PageText
{
    private const int BalancedShown = 10;

    internal static void Write(TextWriter output, PageReport page, bool all)
    {
        ReportText.Line(output, page.Verdict);
        if (page.State != "unseen")
        {
            Lines(output, page, all);
        }

        foreach (AttemptReport attempt in page.Attempts)
        {
            string then = attempt.ClearNs is { } clear && attempt.EndNs is { } end && clear > end ? $"; all let go {Units.Duration(clear - end)} later" : "";
            ReportText.Line(output, $"blocked: attempt {attempt.Index}{(attempt.Pages is { } pages ? $", {Units.Count(pages, "page")}" : "")}{(attempt.Area is null ? "" : $" in area '{attempt.Area}'")} at {Units.When(attempt.StartNs, page.Source)}{(attempt.Site is null ? "" : $" by {attempt.Site}")} failed here; gave up after {Units.Count(attempt.RangesTried, "try")}{then}");
            // Who held it then: of a kernel's page that may have been in another of the frame's lives.
            if (attempt.BusyPages.FirstOrDefault(busy => busy.Pfn == page.Pfn) is { } busy && page.Source.IsKernel)
            {
                AttemptText.Page(output, attempt, [busy], all);
            }
        }

        foreach (string rule in page.AgainstTheRules)
        {
            ReportText.Line(output, $"against the rules: {rule}");
        }

        ReportText.Quality(output, page.DataQuality, page.Notes);
        ReportText.Line(output, $"next: {page.Next}");
    }

    private static void Lines(TextWriter output, PageReport page, bool all)
    {
        long begin = BlameText.Begin(page.Source);
        Columns lines = new(true, false, false, false, true, false, true, false);
        int number = 1;
        if (page.AllocatedNs is { } allocated)
        {
            string owner = page.Owner is null ? "" : $"from '{page.Owner}'";
            lines.Add(" ", $"{number++}", "allocated", page.AllocatedSite ?? "by the library", $"{page.AllocatedTask}", Units.Moment(allocated - begin), owner, "", "");
        }

        HolderReport? oldest = page.Holders.FirstOrDefault(static holder => !BlameRules.IsStructural(holder.Class));
        foreach (HolderReport holder in page.Holders)
        {
            string size = page.Order is { } order && holder.Class is not "contiguous" ? $" of {Units.Size(4096L << order)}" : "";
            string used = holder.Bytes > 0 ? $"{Units.Size(holder.Bytes)}{size}" : "";
            string references = holder.References == 1 ? "" : $" x{holder.References}";
            string mark = ReferenceEquals(holder, oldest) ? "<- oldest" : "";
            string taken = holder.TakenSite is null ? "" : $"taken at {holder.TakenSite}";
            string what = $"{Units.Class(holder.Class)}{references}{(used.Length > 0 ? ", " : "")}{used}";
            lines.Add(" ", $"{number++}", "HELD", holder.Site, $"{holder.Task}", holder.AcquiredNs is { } acquired ? Units.Moment(acquired - begin) : "before", what, Units.Duration(holder.AgeNs), $"{mark}{(mark.Length > 0 && taken.Length > 0 ? "  " : "")}{taken}");
        }

        if (page.Reserve > 0)
        {
            lines.Add(" ", "", "reserve", "of a fragment cache", "", "", Units.Count(page.Reserve, "reference"), "", "");
        }

        if (page.Unattributed is { } unattributed and > 0)
        {
            lines.Add(" ", "", "HELD", "unattributed", "", "", Units.Count(unattributed, "reference"), "", "taken before the recording, or lost");
        }

        int shown = all ? page.Balanced.Count : Math.Min(BalancedShown, page.Balanced.Count);
        foreach (BalancedSite site in page.Balanced.Take(shown))
        {
            string word = site.Taken == site.Released ? "balanced" : "gone";
            lines.Add(" ", "", word, $"{site.Site} x{Units.Number(site.Taken)}", "", "", $"({Units.Number(site.Taken)} get / {Units.Number(site.Released)} put)", "", "");
        }

        if (shown < page.Balanced.Count)
        {
            lines.Add(" ", "", "balanced", $"(+{Units.Count(page.Balanced.Count - shown, "site")})", "", "", $"({Units.Number(page.Balanced.Skip(shown).Sum(static site => site.Taken))} get / {Units.Number(page.Balanced.Skip(shown).Sum(static site => site.Released))} put)", "", "");
        }

        if (page.MovedAway > 0)
        {
            lines.Add(" ", "", "moved", "away with their data", "", "", Units.Count(page.MovedAway, "holder"), "", "");
        }

        if (page.FreedNs is { } freed)
        {
            lines.Add(" ", $"{number}", "freed", "", "", Units.Moment(freed - begin), "", "", "");
        }

        if (!lines.IsEmpty)
        {
            lines.Write(output);
        }

        if (all)
        {
            foreach (HolderReport holder in page.Holders.Where(static holder => holder.Stack.Count > 0))
            {
                ReportText.Line(output, $"stack of {holder.Site}:");
                ReportText.Stack(output, holder.Stack, "    ", all);
            }
        }
    }
}
