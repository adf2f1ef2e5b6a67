namespace Quire.Traces.Analysis;

/// <summary>The answer about a kernel's contiguous allocation, in a sentence.</summary>
internal static class KernelVerdicts
{
    internal static string Of(KernelAttempt attempt, List<BusyPageReport> busy, long? clear, KernelAttempt? later, bool isAtMoment, KernelPass pass)
    {
        string area = attempt.Area.Length == 0 ? "" : $" in area '{attempt.Area}'";
        string what = attempt.IsOffline ? $"memory goes offline{(attempt.Pages == 0 ? ", of a range that the trace does not say" : $", {Units.Count(attempt.Pages, "page")}")}"
            : $"{(attempt.Pages == 0 ? "a number of pages that the trace does not say" : Units.Count(attempt.Pages, "page"))}{area}";
        string tried = attempt.LacksStart ? "its beginning is missing from the trace"
            : attempt.End is not { } end ? isAtMoment ? "under way then" : "cut off by the trace's end"
            : attempt.RangesTried == 0 && attempt.HasTried ? $"after {Units.Duration(end - attempt.Start)}"
            : $"after {Units.Duration(end - attempt.Start)}, {Units.Count(attempt.RangesTried, "range")} tried";
        string cost = busy.Count == 0 ? "" : $"; {Pages(busy)} cost {Units.Count(attempt.Ranges.Count(static range => !range.IsFree), "range")}{Held(busy, pass)}";
        return attempt.Result switch
        {
            AttemptResult.Success => $"success: {what} from 0x{attempt.Pfn:x} ({tried}){cost}",
            AttemptResult.NoSpace when !attempt.HasTried => $"no space: {what}; no free run is long enough, nothing was tried and nobody is to blame",
            AttemptResult.NoSpace => $"no memory: {what} ({tried}); there was no memory to move pages to, nobody's references are to blame",
            AttemptResult.Interrupted => $"interrupted: {what} ({tried})",
            AttemptResult.Unfinished => $"unfinished: {what}, {tried}{(busy.Count == 0 ? "" : $"; so far {Pages(busy)} did not move{Held(busy, pass)}")}",
            _ => $"busy: {what} ({tried}): {Busy(attempt, busy, pass)}{After(attempt, clear, later)}",
        };
    }

    private static string Busy(KernelAttempt attempt, List<BusyPageReport> busy, KernelPass pass)
    {
        if (busy.Count > 0)
        {
            return $"{Pages(busy)} would not move{Held(busy, pass)}";
        }

        string first = attempt.FirstInTheWay.Count == 0 ? "" : $"; first in the way: {string.Join(", ", attempt.FirstInTheWay.Take(4).Select(static pfn => $"0x{pfn:x}"))}";
        return $"the trace does not say which pages would not move{first}{Loss(attempt, pass)}";
    }

    private static string Pages(List<BusyPageReport> busy) => busy.Count == 1 ? $"page 0x{busy[0].Pfn:x}" : Units.Count(busy.Count, "page");

    // Who made most pages busy; with nobody on record, why; and never a name that the trace does not have.
    private static string Held(List<BusyPageReport> busy, KernelPass pass)
    {
        var holders = busy.SelectMany(static page => page.Holders.Select(holder => (Page: page.Pfn, Holder: holder)))
            .GroupBy(static held => (held.Holder.Site, held.Holder.Class, held.Holder.Task))
            .Select(static group => (group.Key, Pages: group.Select(static held => held.Page).Distinct().Count(), Doubt: group.Max(static held => held.Holder.Confidence)))
            .OrderByDescending(static group => group.Pages).ThenByDescending(static group => group.Doubt).ThenBy(static group => group.Key.Site, StringComparer.Ordinal)
            .ToArray();
        if (holders.Length > 0)
        {
            (string site, string kind, TraceTask? task) = holders[0].Key;
            string doubt = holders[0].Doubt < 0.5 ? "perhaps " : "";
            string others = holders.Length == 1 ? "" : $", and {Units.Count(holders.Length - 1, "other holder")}";
            string whom = task is null ? $"somebody unknown ({kind}; {site})"
                : site == StackMeanings.NoStack ? $"{task} ({site})"
                : $"{task} in {site} ({kind})";
            return $", {doubt}held by {whom}{others}";
        }

        string[] kinds = [.. busy.Where(static page => page.Class is not null).GroupBy(static page => page.Class!).OrderByDescending(static group => group.Count()).Select(static group => group.Key)];
        if (kinds.Length > 0)
        {
            return $": counts are as expected, {RefClasses.Find(kinds[0]).What} in use ({kinds[0]})";
        }

        if (busy.Exists(static page => page.Unattributed > 0))
        {
            return $", and the trace cannot tell who holds {(busy.Count == 1 ? "it" : "them")}: taken before it begins{(pass.MayLackEvents ? ", or lost" : "")}";
        }

        if (busy.TrueForAll(static page => page.Count == 0))
        {
            return $", though nobody has a reference on {(busy.Count == 1 ? "it" : "them")}: a pool or a per-CPU list keeps {(busy.Count == 1 ? "it" : "them")}";
        }

        return busy.TrueForAll(static page => page.Count is null) ? $", and the trace cannot tell who holds {(busy.Count == 1 ? "it" : "them")}: no event of {(busy.Count == 1 ? "it" : "them")}{(pass.MayLackEvents ? " (events were lost)" : "")}"
            : ", though counts are as expected";
    }

    private static string Loss(KernelAttempt attempt, KernelPass pass) =>
        pass.Losses.Overlaps(attempt.Start, attempt.End ?? long.MaxValue) ? "; events were lost meanwhile" : "";

    private static string After(KernelAttempt attempt, long? clear, KernelAttempt? later)
    {
        long end = attempt.End ?? attempt.Start;
        string gone = clear is not { } at ? "" : at <= end ? "; let go before the allocation gave up" : $"; let go {Units.Duration(at - end)} later";
        return later is null ? gone : $"{gone}; attempt {later.Index} got the range {Units.Duration((later.End ?? later.Start) - end)} later";
    }
}
