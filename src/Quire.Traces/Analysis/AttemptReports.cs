namespace Quire.Traces.Analysis;

/// <summary>Makes reports of contiguous allocations: what stood in the way, who it was, and whether a retry would have worked.</summary>
internal static class AttemptReports
{
    internal static IReadOnlyList<AttemptReport> Of(TracePass pass) => [.. pass.Attempts.All.Select(attempt => Of(attempt, pass))];

    private static AttemptReport Of(ContiguousAttempt attempt, TracePass pass)
    {
        List<BusyPageReport> busy = [.. attempt.Busy.OrderBy(static page => page.Page.Pfn).Select(page => Of(page, attempt, pass))];
        long? clear = ClearedAt(busy);
        return new AttemptReport
        {
            Index = attempt.Index,
            Area = attempt.Area,
            Pages = attempt.Pages,
            Align = attempt.Align,
            StartNs = attempt.Start,
            EndNs = attempt.End,
            Result = NameOf(attempt.Result),
            Task = pass.Task(attempt.Pid),
            Site = attempt.Origin == 0 ? null : pass.Origins.LabelOf(attempt.Origin, pass.Input),
            RangesTried = attempt.RangesTried,
            Retries = attempt.Retries,
            Migrated = attempt.Migrated,
            BusyPages = busy,
            ClearNs = clear,
            Verdict = Verdict(attempt, busy, clear),
            Advice = Advice(attempt, busy, clear),
        };
    }

    internal static string NameOf(AttemptResult result) => result switch
    {
        AttemptResult.Success => "success",
        AttemptResult.Busy => "busy",
        AttemptResult.NoSpace => "no-space",
        AttemptResult.Interrupted => "interrupted",
        _ => "unfinished",
    };

    private static BusyPageReport Of(BusyPage page, ContiguousAttempt attempt, TracePass pass)
    {
        long failed = attempt.End ?? page.Time;
        List<HolderReport> blocking =
        [
            .. page.Holders
                .Select(holder => HolderReports.Of(holder, failed, pass))
                .Where(static holder => holder.Class != BlameRules.Movable)
                .OrderBy(static holder => holder.AcquiredNs)
                .ThenBy(static holder => holder.Site, StringComparer.Ordinal),
        ];
        return new BusyPageReport
        {
            Pfn = page.Page.Pfn,
            Generation = page.Page.Generation,
            Count = page.Count,
            Expected = page.Expected,
            Reason = pass.Reasons[page.Reason],
            Holders = blocking,
            Unattributed = Math.Max(0, page.Count - page.Expected - blocking.Sum(static holder => holder.References)),
        };
    }

    // When the last of them let go; null where one did not, or where somebody unknown stood in the way.
    private static long? ClearedAt(List<BusyPageReport> busy)
    {
        long clear = 0;
        foreach (BusyPageReport page in busy)
        {
            if (page.Unattributed is > 0 || page.Holders.Count == 0)
            {
                return null;
            }

            foreach (HolderReport holder in page.Holders)
            {
                if (holder.ReleasedNs is not { } released)
                {
                    return null;
                }

                clear = Math.Max(clear, released);
            }
        }

        return busy.Count == 0 ? null : clear;
    }

    private static string Verdict(ContiguousAttempt attempt, List<BusyPageReport> busy, long? clear)
    {
        string what = $"{Units.Count(attempt.Pages, "page")} in area '{attempt.Area}'";
        string tried = attempt.LacksStart ? "its beginning is missing from the trace" : attempt.End is { } end ? $"after {Units.Duration(end - attempt.Start)}, {Units.Count(attempt.RangesTried, "range")} tried" : "cut off by the trace's end";
        switch (attempt.Result)
        {
            case AttemptResult.Success:
                return $"success: {what} from 0x{attempt.Pfn:x} ({tried})";
            case AttemptResult.NoSpace:
                return attempt.RangesTried == 0
                    ? $"no space: {what}; no free run is long enough, nothing was tried and nobody is to blame"
                    : $"no space: {what} ({tried}); there was no memory to move pages to";
            case AttemptResult.Interrupted:
                return $"interrupted: {what} ({tried})";
            case AttemptResult.Unfinished:
                return $"unfinished: {what}, {tried}";
        }

        if (busy.Count == 0)
        {
            string first = attempt.FirstInTheWay.Count == 0 ? "" : $"; first in the way: {string.Join(", ", attempt.FirstInTheWay.Take(4).Select(static pfn => $"0x{pfn:x}"))}";
            return $"busy: {what} ({tried}); the trace does not say which pages would not move{first}";
        }

        string pages = busy.Count == 1 ? $"page 0x{busy[0].Pfn:x} would not move" : $"{Units.Count(busy.Count, "page")} would not move";
        string[] sites = [.. busy.SelectMany(static page => page.Holders).GroupBy(static holder => holder.Site).OrderByDescending(static site => site.Max(static holder => holder.AgeNs)).Select(static site => site.Key)];
        string held = sites.Length switch
        {
            0 => ", held by nobody on record",
            1 => $", held by {sites[0]}",
            _ => $", held by {sites[0]} and {Units.Count(sites.Length - 1, "other site")}",
        };
        string after = clear is null ? "" : clear <= attempt.End ? "; let go before the allocation gave up" : $"; let go {Units.Duration(clear.Value - attempt.End!.Value)} later";
        return $"busy: {what} ({tried}): {pages}{held}{after}";
    }

    private static string? Advice(ContiguousAttempt attempt, List<BusyPageReport> busy, long? clear)
    {
        if (attempt.Result != AttemptResult.Busy)
        {
            return attempt.Result == AttemptResult.NoSpace ? "release ranges of this area, ask for less, or reserve a larger area." : null;
        }

        string? cure =
            busy.Exists(static page => page.Reason == "held_by_caller") ? "end your own pins before you allocate; one handed to another thread should be taken over there with Transfer."
            : busy.Exists(static page => page.Reason == "unreferenced") ? "a page that PageRef brought to 0 is freed by its allocator's FreeUnreferenced, by whoever read the 0."
            : busy.Exists(static page => page.Unattributed > 0) ? "record from before the references are taken, so that the unattributed ones get a name."
            : busy.Exists(static page => page.Reason == "pinned") ? $"a short pin must end within {Units.Duration(BlameRules.ShortPinBound)}: end those above sooner, or take them as PinDuration.LongTerm, which moves the page out of the area first."
            : busy.Exists(static page => page.Reason is "referenced" or "freed_but_referenced" or "long_term_pinned") ? "put the references above when their pin ends."
            : "allow a longer deadline.";
        return clear is { } at && attempt.End is { } end && at > end ? $"{cure} A retry {Units.Duration(at - end)} later would have found them gone." : cure;
    }
}
