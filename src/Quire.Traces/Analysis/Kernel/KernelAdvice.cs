namespace Quire.Traces.Analysis;

/// <summary>What to do about a contiguous allocation of a kernel that failed.</summary>
internal static class KernelAdvice
{
    internal static string? Of(KernelAttempt attempt, List<BusyPageReport> busy, long? clear, KernelAttempt? later, KernelPass pass)
    {
        if (attempt.Result == AttemptResult.NoSpace)
        {
            return !attempt.HasTried
                ? "Release ranges of this area, ask for less, or reserve a larger area (cma=)."
                : "Free memory outside the area before allocating: pages must have somewhere to move to.";
        }

        if (attempt.Result != AttemptResult.Busy)
        {
            return null;
        }

        string cure = Cure(busy, pass);
        long end = attempt.End ?? attempt.Start;
        string retry = clear is { } at && at > end ? $" A retry {Units.Duration(at - end)} later would have found {(busy.Count == 1 ? "it" : "them")} gone."
            : later is not null && clear is null ? $" A retry does help: attempt {later.Index} succeeded."
            : "";
        return $"{cure}{retry}";
    }

    // For the class that holds most of the pages.
    private static string Cure(List<BusyPageReport> busy, KernelPass pass)
    {
        string? kind = busy
            .SelectMany(static page => page.Holders.Count > 0 ? page.Holders.Select(static holder => holder.Class).Distinct() : page.Class is { } own ? [own] : [])
            .GroupBy(static kind => kind).OrderByDescending(static group => group.Count()).ThenBy(static group => group.Key, StringComparer.Ordinal)
            .FirstOrDefault()?.Key;
        HolderReport[] holders = [.. busy.SelectMany(static page => page.Holders).Where(holder => holder.Class == kind)];
        if (holders.Length > 0 && Array.TrueForAll(holders, static holder => holder.ReleasedNs is null))
        {
            string site = holders.GroupBy(static holder => holder.Site).OrderByDescending(static group => group.Count()).First().Key;
            string advice = RefClasses.Find(kind!).Advice;
            // What ends by itself and did not is a leak, and waiting for it is no use.
            return advice.StartsWith("Retry", StringComparison.Ordinal) || kind == StackMeanings.UnknownClass
                ? $"Not given back in this trace, so a retry does not help so soon: look for the put that {site} lacks; quire blame --leaks counts what it takes and gives back."
                : $"Not given back in this trace. {advice}";
        }

        if (kind is not null and not StackMeanings.UnknownClass)
        {
            return RefClasses.Find(kind).Advice;
        }

        if (busy.Exists(static page => page.Reason == BusyPages.Unreferenced))
        {
            return "Nobody has a reference: a pool (hugetlb: lower nr_hugepages) or a per-CPU list keeps the page. Retry; where it stays, empty the pool first.";
        }

        if (busy.Exists(static page => page.Unattributed is > 0 or null))
        {
            return pass.MayLackEvents
                ? "Record again with larger buffers (trace-cmd record -b), or filtered to the area's frames: the events that would tell were lost."
                : "Record from before the references are taken (trace-cmd start at boot), so that the unattributed ones get a name.";
        }

        return kind is not null ? RefClasses.Find(kind).Advice : "Retry; record with stacks (trace-cmd record -T) to see what the pages are used for.";
    }
}
