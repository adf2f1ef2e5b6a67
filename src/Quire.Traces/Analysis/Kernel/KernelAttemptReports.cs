namespace Quire.Traces.Analysis;

/// <summary>Makes reports of a kernel's contiguous allocations: what stood in the way, who it was, whether a retry would have worked, what to do.</summary>
internal static class KernelAttemptReports
{
    /// <summary>Those chosen, by their start.</summary>
    internal static IReadOnlyList<AttemptReport> Of(KernelPass pass, Func<KernelAttempt, bool> isAsked, bool isAtMoment = false)
    {
        KernelAttempt[] attempts = [.. pass.Attempts.All.Cast<KernelAttempt>()];
        return [.. attempts.Where(isAsked).Select(attempt => Of(attempt, attempts, isAtMoment, pass))];
    }

    private static AttemptReport Of(KernelAttempt attempt, KernelAttempt[] all, bool isAtMoment, KernelPass pass)
    {
        List<BusyPageReport> busy = [.. attempt.Blocking.Values.OrderBy(static page => page.Pfn).Select(page => BusyPages.Of(page, attempt, pass))];
        // Pages on their way to be free are soon; where there are only such, something keeps them.
        BusyPageReport[] held = [.. busy.Where(static page => page.Reason != BusyPages.Unreferenced)];
        long? clear = held.Length == 0 || Array.Exists(held, static page => page.ClearNs is null) ? null : held.Max(static page => page.ClearNs);
        KernelAttempt? later = attempt.Result == AttemptResult.Busy ? LaterSuccess(attempt, all) : null;
        return new AttemptReport
        {
            Index = attempt.Index,
            Area = attempt.Area.Length == 0 ? null : attempt.Area,
            Pages = attempt.Pages == 0 ? null : attempt.Pages,
            Align = attempt.IsImplied && attempt.Area.Length == 0 ? null : attempt.Align,
            StartNs = attempt.Start,
            EndNs = attempt.End,
            Result = AttemptReports.NameOf(attempt.Result),
            Task = pass.Task(attempt.Pid),
            Site = attempt.Origin == 0 ? null : pass.Meanings[attempt.Origin].Label,
            RangesTried = attempt.RangesTried,
            Retries = attempt.Retries,
            Migrated = attempt.Migrated,
            BusyPages = busy,
            ClearNs = clear,
            Verdict = KernelVerdicts.Of(attempt, busy, clear, later, isAtMoment, pass),
            Advice = KernelAdvice.Of(attempt, busy, clear, later, pass),
        };
    }

    // A later allocation that got a range which one of this one's tries had to give up.
    private static KernelAttempt? LaterSuccess(KernelAttempt attempt, KernelAttempt[] all) => Array.Find(
        all,
        later => later.Result == AttemptResult.Success && later.Start >= attempt.Start && later.Index != attempt.Index
            && attempt.Blocking.Count > 0
            && attempt.Blocking.Values.All(page => later.Ranges.Exists(range => range.IsFree && page.Pfn >= range.Start && page.Pfn < range.End)));
}
