namespace Quire.Traces.Analysis;

/// <summary>Makes the report of one page.</summary>
internal static class PageReports
{
    private static readonly string[] s_types = ["unmovable", "movable", "contiguous", "isolated"];

    internal static PageReport Of(TracePass pass, ulong asked, ulong head, BlameOptions options)
    {
        PageFocus focus = pass.Focus!;
        bool isSeen = pass.Lives.TryFind(head, out PageKey page, out PageLife life);
        if (!isSeen || focus.Generation > life.Generation)
        {
            // Only its holders were recorded: of a sampled recording, or one with losses.
            page = new PageKey(head, focus.Generation);
            life = new PageLife { Generation = focus.Generation, IsLive = true, Bias = -1, Owner = "" };
        }

        List<HolderReport> holders = [.. pass.Replay.Of(page).Select(holding => HolderReports.Of(holding, pass)).OrderBy(static holder => holder.AcquiredNs).ThenBy(static holder => holder.Site, StringComparer.Ordinal)];
        bool isKnown = isSeen || focus.Generation != 0 || holders.Count > 0;
        bool isLive = isKnown && (life.IsLive || holders.Count > 0);
        int? count = !life.Count.IsBegun ? isLive ? null : 0 : life.Count.Current;
        int recorded = holders.Sum(static holder => holder.References);
        int rest = Math.Max(0, (count ?? 0) - recorded);
        int reserve = !isLive ? 0 : life.Bias >= 0 ? Math.Min(life.Bias, rest) : life.HasReserve && !pass.IsPartial ? rest : 0;
        List<AttemptReport> attempts = [.. AttemptReports.Of(pass).Where(attempt => attempt.Result == "busy" && attempt.BusyPages.Any(busy => busy.Pfn == head && busy.Generation == page.Generation))];
        int? expected = attempts.Count > 0 ? attempts[^1].BusyPages.First(busy => busy.Pfn == head).Expected : holders.Exists(static holder => holder.Class == BlameRules.Movable) ? 1 : null;
        PageReport report = new()
        {
            Source = SourceReport.Of(pass),
            Verdict = "",
            Pfn = head,
            Asked = asked,
            State = !isKnown ? "unseen" : isLive ? "live" : "free",
            Generation = isKnown ? page.Generation : null,
            Order = life.IsOrderKnown ? life.Order : null,
            Owner = string.IsNullOrEmpty(life.Owner) ? null : life.Owner,
            MigrateType = isSeen && !pass.Input.Source.IsKernel ? s_types.ElementAtOrDefault(life.Migratetype) : null,
            Count = isKnown ? count : null,
            Expected = expected,
            AllocatedNs = isSeen && life.IsWhole ? life.Began : null,
            AllocatedTask = isSeen && life.IsWhole ? pass.Task(life.BeganPid) : null,
            AllocatedSite = life.Origin == 0 ? null : pass.Origins.LabelOf(life.Origin, pass.Input),
            FreedNs = isKnown && !isLive ? life.Ended : null,
            Reserve = reserve,
            Unattributed = count is null || pass.IsPartial || !isLive ? null : rest - reserve,
            Holders = holders,
            Balanced =
            [
                .. focus.GivenBack
                    .Where(_ => focus.Generation == page.Generation)
                    .Select(entry => new BalancedSite(pass.Origins.LabelOf(entry.Key.Origin, pass.Input), pass.Kinds[entry.Key.Kind], entry.Value.Holders, entry.Value.Taken, entry.Value.Released))
                    .GroupBy(static site => (site.Site, site.Class))
                    .Select(static group => new BalancedSite(group.Key.Site, group.Key.Class, group.Sum(static site => site.Holders), group.Sum(static site => site.Taken), group.Sum(static site => site.Released)))
                    .OrderByDescending(static site => site.Taken)
                    .ThenBy(static site => site.Site, StringComparer.Ordinal),
            ],
            MovedAway = focus.MovedAway,
            Attempts = attempts,
            AgainstTheRules = Broken(holders, attempts, options),
            Notes = TraceAnalysis.Notes(pass),
            DataQuality = TraceAnalysis.QualityOf(pass),
            Next = $"quire history {TraceAnalysis.Quoted(pass.Input.Source.Path)} --page 0x{asked:x} --stacks",
        };
        return report with { Verdict = Verdict(report) };
    }

    private static List<string> Broken(List<HolderReport> holders, List<AttemptReport> attempts, BlameOptions options)
    {
        List<string> broken = [];
        if (attempts.Count > 0)
        {
            broken.Add($"{BlameRules.FailedAttempt}: {Units.Count(attempts.Count, "contiguous allocation")} failed because of this page");
        }

        foreach (HolderReport holder in holders)
        {
            if (BlameRules.Broken(holder.Class, holder.AgeNs, options.MaxAgeNs) is { } rule)
            {
                broken.Add($"{rule}: {holder.Site} holds it for {Units.Duration(holder.AgeNs)}");
            }
        }

        return broken;
    }

    internal static string Verdict(PageReport page)
    {
        string name = $"page 0x{page.Pfn:x}{(page.Asked == page.Pfn ? "" : $" (the head of 0x{page.Asked:x})")}";
        if (page.State == "unseen")
        {
            return $"{name}  no event of it in this trace";
        }

        string what = $"{name}{(page.Order is { } order ? $"  order {order}" : "")}{(page.MigrateType is { } type ? $"  {type}" : "")}";
        if (page.State == "free")
        {
            return $"{what}  free: nobody holds it";
        }

        string refs = page.Count is { } count ? $"  refs {count}" : "  refs unknown";
        string expected = page.Expected is { } fit && page.Count is { } now ? $" (expected {fit} to migrate{(now > fit ? $": {now - fit} too many" : "")})" : "";
        HolderReport? oldest = page.Holders.FirstOrDefault(static holder => !BlameRules.IsStructural(holder.Class));
        return $"{what}{refs}{expected}{(oldest is null ? "" : $"   held {Units.Duration(oldest.AgeNs)}")}";
    }
}
