namespace Quire.Traces.Analysis;

/// <summary>Makes the report of one page of a kernel: who holds it, or held it at a moment, and what it legitimately has.</summary>
internal static class KernelPageReports
{
    internal static PageReport Of(KernelPass pass, ulong asked, ulong pfn, BlameOptions options)
    {
        long moment = options.AtNs ?? pass.End;
        bool isSeen = TryLife(pass, pfn, moment, out KernelPage page, out long? ended);
        bool isLive = isSeen && page.Since <= moment && !(ended <= moment) && (options.AtNs is not null || page.Count > 0 || page.IsFrozen);
        List<KernelHolding> holdings = isSeen ? [.. pass.Settlement.HoldingsOf(page, ended, moment)] : [];
        (int? count, int look, int mapcount) = isLive ? StateAt(pass, page, moment) : (null, -1, 0);
        PageExpectation shown = pass.Expectations.Of(look, mapcount, page.Order);
        List<HolderReport> holders =
        [
            .. holdings.Where(holding => isLive && !holding.IsStructural && holding.IsHeldAt(moment))
                .Select(holding => KernelHolders.Of(holding, page, moment, 1, pass, isThen: true))
                .OrderBy(static holder => holder.AcquiredNs ?? long.MinValue)
                .ThenBy(static holder => holder.Site, StringComparer.Ordinal),
        ];
        int? expected = count is null || !shown.IsKnown ? null : shown.Sum;
        List<AttemptReport> attempts = [.. KernelAttemptReports.Of(pass, attempt => attempt.Result == AttemptResult.Busy && attempt.Blocking.ContainsKey(pfn))];
        PageReport report = new()
        {
            Source = SourceReport.Of(pass),
            Verdict = "",
            Pfn = pfn,
            Asked = asked,
            State = !isSeen ? "unseen" : isLive ? "live" : "free",
            Generation = null,
            Order = isSeen && page.IsOrderKnown ? page.Order : null,
            Owner = null,
            MigrateType = isSeen && page.MigrateType >= 0 ? $"migrate type {page.MigrateType}" : null,
            Count = count,
            Expected = expected,
            AllocatedNs = isSeen && !page.IsMidLife ? page.Since : null,
            AllocatedTask = isSeen && !page.IsMidLife ? pass.Task(page.AllocationPid) : null,
            AllocatedSite = isSeen && !page.IsMidLife ? pass.Meanings[page.AllocationStack].Label : null,
            FreedNs = isLive ? null : ended,
            Reserve = 0,
            Unattributed = expected is { } fit ? Math.Max(0, count!.Value - fit - holders.Sum(static holder => holder.References)) : null,
            Holders = holders,
            Balanced = Balanced(holdings, moment, pass),
            MovedAway = 0,
            Attempts = attempts,
            AgainstTheRules = attempts.Count > 0 ? [$"{BlameRules.FailedAttempt}: {Units.Count(attempts.Count, "contiguous allocation")} failed because of this page"] : [],
            Notes = KernelAnalysis.Notes(pass),
            DataQuality = TraceAnalysis.QualityOf(pass),
            Next = $"quire history {TraceAnalysis.Quoted(pass.Input.Source.Path)} --page 0x{asked:x} --stacks",
        };
        return report with { Verdict = PageReports.Verdict(report) };
    }

    // The life of that moment: the last that had begun by then.
    private static bool TryLife(KernelPass pass, ulong pfn, long moment, out KernelPage page, out long? ended)
    {
        page = default;
        ended = null;
        bool isFound = false;
        foreach (EndedLife life in pass.Lives.EndedLives(pfn))
        {
            if (!isFound || life.Page.Since <= moment)
            {
                page = life.Page;
                ended = life.Time;
                isFound = true;
            }
        }

        int live = pass.Lives.Find(pfn);
        if (live >= 0 && (!isFound || pass.Lives[live].Since <= moment))
        {
            page = pass.Lives[live];
            ended = null;
            isFound = true;
        }

        return isFound;
    }

    // What the last operation until then showed; before the first what that found.
    private static (int? Count, int Look, int Mapcount) StateAt(KernelPass pass, in KernelPage page, long moment)
    {
        if (moment >= page.Changed)
        {
            return (page.Count, page.Look, page.Mapcount);
        }

        int count = page.Before;
        int look = -1;
        int mapcount = 0;
        int frozenAt = 0;
        for (int at = page.First; at != RefJournal.None && pass.Lives.Journal[at].Time <= moment; at = pass.Lives.Journal[at].Next)
        {
            ref RefEntry entry = ref pass.Lives.Journal[at];
            count = entry.Op switch
            {
                RefOp.Begin or RefOp.Unfreeze => entry.Value,
                RefOp.Freeze => 0,
                _ => count + entry.Value,
            };
            frozenAt = entry.Op == RefOp.Freeze ? entry.Value : 0;
            (look, mapcount) = entry.Look >= 0 ? (entry.Look, entry.Mapcount) : (look, mapcount);
        }

        return (frozenAt > 0 ? 0 : count, look, mapcount);
    }

    private static List<BalancedSite> Balanced(List<KernelHolding> holdings, long moment, KernelPass pass) =>
    [
        .. holdings.Where(holding => holding.Acquired is not null && holding.Released <= moment)
            .GroupBy(holding => (pass.Meanings[holding.TakeStack].Label, holding.Match.Class.Name))
            .Select(static group => new BalancedSite(
                group.Key.Label,
                group.Key.Name,
                group.Count(),
                group.Sum(static holding => (long)holding.References),
                group.Where(static holding => !holding.EndedWithPage).Sum(static holding => (long)holding.References)))
            .OrderByDescending(static site => site.Taken)
            .ThenBy(static site => site.Site, StringComparer.Ordinal),
    ];
}
