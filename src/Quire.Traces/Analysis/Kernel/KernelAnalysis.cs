namespace Quire.Traces.Analysis;

/// <summary>The questions a kernel's trace answers.</summary>
internal static class KernelAnalysis
{
    internal static BlameReport Blame(TraceInput input, BlameOptions options)
    {
        KernelPass pass = new(input);
        pass.Run(options.Progress, options.AtNs);
        KernelHeld held = new(pass, options);
        IReadOnlyList<AttemptReport> attempts = KernelAttemptReports.Of(pass, attempt => options.Attempt is null || attempt.Index == options.Attempt, options.AtNs is not null);
        List<string> broken = Broken(attempts, held.Rows, options);
        string heldVerdict = Held(pass, held, options);
        return new BlameReport
        {
            Source = SourceReport.Of(pass),
            Verdict = options.Leaks ? heldVerdict : Main(attempts) ?? heldVerdict,
            Held = heldVerdict,
            AgainstTheRules = broken,
            Attempts = attempts,
            HeldAtEnd = held.Rows,
            Totals = held.Totals,
            DataQuality = TraceAnalysis.QualityOf(pass),
            Notes = Notes(pass),
            Leaks = options.Leaks,
            Next = Next(input, attempts, held.Rows),
        };
    }

    internal static PageReport Page(TraceInput input, ulong pfn, BlameOptions options)
    {
        KernelPass pass = Focused(input, pfn, options.Progress, out ulong head);
        return KernelPageReports.Of(pass, pfn, head, options);
    }

    internal static HistoryReport History(TraceInput input, ulong pfn, IProgress<long>? progress)
    {
        KernelPass pass = Focused(input, pfn, progress, out ulong head);
        string name = $"page 0x{head:x}{(head == pfn ? "" : $" (the head of 0x{pfn:x})")}";
        int live = pass.Lives.Find(head);
        string end = live >= 0 ? $"count {pass.Lives[live].Count} at the end"
            : pass.Lives.EndedLives(head).Any() ? "free at the end"
            : "no event of its count in this trace";
        return new HistoryReport
        {
            Source = SourceReport.Of(pass),
            Verdict = $"{name}: {end}",
            Pfn = head,
            Asked = pfn,
            BeginNs = pass.Begin,
            Notes = Notes(pass),
            DataQuality = TraceAnalysis.QualityOf(pass),
            Events = KernelHistory.Read(pass, head),
        };
    }

    // Of a tail its head has the references; which that is shows only once the trace was read.
    private static KernelPass Focused(TraceInput input, ulong pfn, IProgress<long>? progress, out ulong head)
    {
        input.Rewind();
        KernelPass pass = new(input, pfn);
        pass.Run(progress);
        head = pass.Lives.HeadOf(pfn);
        if (head == pfn && pass.Lives.LargeOf(pfn) is { } large && (pass.Attempts.HasBlocked(large) || !pass.Lives.IsSeen(pfn)))
        {
            head = large;
        }

        if (head != pfn)
        {
            input.Rewind();
            pass = new KernelPass(input, head);
            pass.Run(progress);
        }

        return pass;
    }

    /// <summary>What bears on every answer from this trace.</summary>
    internal static IReadOnlyList<string> Notes(KernelPass pass)
    {
        List<string> notes = ["basis: inferred (the kernel's events name no holder; references are paired as docs/kernel-traces.md says, each with its confidence)"];
        if (pass.MayLackEvents)
        {
            notes.Add("events are missing: a holder whose release was lost looks as if it held on, and one whose taking was lost is not shown; confidence is lower where they overlap");
        }

        if (pass.Stacks.Count == 0 && pass.Lives.Seen > 0)
        {
            notes.Add("no stacks: holders are known by task alone; record with trace-cmd record -T");
        }

        if (pass.Events > 0 && pass.Shapes.All.Any(static shape => shape.Kind is >= EventKind.RefSet and <= EventKind.RefUnfreeze) is false)
        {
            notes.Add("no page_ref events: the trace does not show who takes and puts references; record with -e page_ref (CONFIG_DEBUG_PAGE_REF)");
        }

        return notes;
    }

    // The last failure, else the last attempt of all.
    private static string? Main(IReadOnlyList<AttemptReport> attempts)
    {
        AttemptReport? last = attempts.LastOrDefault(static attempt => attempt.Result == "busy");
        int failed = attempts.Count(static attempt => attempt.Result == "busy");
        return failed > 1 ? $"{last!.Verdict} (the last of {failed} such failures)"
            : last?.Verdict ?? attempts.LastOrDefault(static attempt => attempt.Result == "no-space")?.Verdict ?? (attempts.Count > 0 ? attempts[^1].Verdict : null);
    }

    private static string Held(KernelPass pass, KernelHeld held, BlameOptions options)
    {
        string when = options.AtNs is null ? "held at end" : "held then";
        HeldRow[] rows = [.. held.Rows.Where(static row => !row.Structural)];
        if (pass.Events == 0)
        {
            return $"{when}: nothing can be told, the trace has no event";
        }

        if (rows.Length == 0)
        {
            string unknown = held.Totals.UnattributedReferences is > 0 and { } references ? $"; {Units.Count(references, "reference")} of unknown takers" : "";
            return $"{when}: nothing beyond what pages have by themselves{unknown}";
        }

        HeldRow? leak = Array.Find(rows, static row => row.Suspicious);
        string worst = leak is null ? "" : $"; {leak.Site} ({leak.Class}): taken {Units.Number(leak.SiteTaken ?? leak.Taken)}, released {Units.Number(leak.SiteReleased ?? leak.Released)}";
        return $"{when}: {Units.Count(rows.Sum(static row => row.References), "reference")} on {Units.Count(rows.Sum(static row => row.Pages), "page")} by {Units.Count(rows.Length, "stack")}, {held.Totals.Suspicious} suspicious{worst}";
    }

    private static List<string> Broken(IReadOnlyList<AttemptReport> attempts, IReadOnlyList<HeldRow> rows, BlameOptions options)
    {
        List<string> broken = [];
        int failed = attempts.Count(static attempt => attempt.Result == "busy");
        if (failed > 0 && !options.Leaks)
        {
            broken.Add($"{BlameRules.FailedAttempt}: {Units.Count(failed, "contiguous allocation")} failed because pages were held");
        }

        if (options.Leaks)
        {
            broken.AddRange(rows.Where(static row => row.Suspicious && !row.Structural)
                .Select(static row => $"{BlameRules.Leak}: {row.Site} took {Units.Count(row.SiteTaken ?? row.Taken, "reference")} and gave {Units.Number(row.SiteReleased ?? row.Released)} back; the oldest is held for {Units.Duration(row.OldestNs)}"));
        }

        broken.AddRange(rows.Where(static row => row.AgainstRule is BlameRules.MaxAge)
            .Select(row => $"{BlameRules.MaxAge}: {row.Site} holds for {Units.Duration(row.OldestNs)}, longer than {Units.Duration(options.MaxAgeNs!.Value)}"));
        return broken;
    }

    private static string Next(TraceInput input, IReadOnlyList<AttemptReport> attempts, IReadOnlyList<HeldRow> rows)
    {
        string file = TraceAnalysis.Quoted(input.Source.Path);
        BusyPageReport? busy = attempts.LastOrDefault(static attempt => attempt.BusyPages.Count > 0)?.BusyPages[0];
        HeldRow? row = rows.FirstOrDefault(static row => !row.Structural);
        return busy is not null ? $"quire history {file} --page 0x{busy.Pfn:x} --stacks"
            : row is not null ? $"quire blame {file} --page 0x{row.OldestPfn:x}"
            : $"quire stat {file}";
    }
}
