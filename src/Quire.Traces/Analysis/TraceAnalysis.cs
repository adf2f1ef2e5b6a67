using System.Globalization;

namespace Quire.Traces.Analysis;

/// <summary>The questions a trace answers. Each reads the trace from its beginning; one at a time for one input.</summary>
public static class TraceAnalysis
{
    /// <summary>Who held what at the end, which contiguous allocations failed and because of whom, and whether that is against the rules.</summary>
    /// <param name="input">The trace, which is rewound first.</param>
    /// <param name="options">What else is asked.</param>
    /// <exception cref="TraceFormatException">The trace can't be read to its end.</exception>
    public static BlameReport Blame(TraceInput input, BlameOptions options)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(options);
        input.Rewind();
        if (input.Source.IsKernel)
        {
            return KernelAnalysis.Blame(input, options);
        }

        TracePass pass = new(input);
        pass.Run(options.Progress, options.AtNs);
        HeldTable held = new(pass, options.MaxAgeNs, options.All);
        IReadOnlyList<AttemptReport> attempts = [.. AttemptReports.Of(pass).Where(attempt => options.Attempt is null || attempt.Index == options.Attempt)];
        List<string> broken = Broken(attempts, held.Rows, options);
        return new BlameReport
        {
            Source = SourceReport.Of(pass),
            Verdict = (options.Leaks ? null : Failure(attempts)) ?? HeldVerdict(pass, held.Totals),
            Held = HeldVerdict(pass, held.Totals),
            AgainstTheRules = broken,
            Attempts = attempts,
            HeldAtEnd = held.Rows,
            Totals = held.Totals,
            DataQuality = QualityOf(pass),
            Notes = Notes(pass),
            Leaks = options.Leaks,
            Next = Next(input, attempts, held.Rows),
        };
    }

    /// <summary>Who holds one page.</summary>
    /// <param name="input">The trace, which is rewound first.</param>
    /// <param name="pfn">The page's frame number; of a page of several frames any of them.</param>
    /// <param name="options">What else is asked.</param>
    /// <exception cref="TraceFormatException">The trace can't be read to its end.</exception>
    public static PageReport Page(TraceInput input, ulong pfn, BlameOptions options)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(options);
        if (input.Source.IsKernel)
        {
            return KernelAnalysis.Page(input, pfn, options);
        }

        (TracePass pass, ulong head) = Focused(input, pfn, options.Progress);
        return PageReports.Of(pass, pfn, head, options);
    }

    /// <summary>What the trace holds: events by name, threads, pages, attempts, losses.</summary>
    /// <param name="input">The trace, which is rewound first.</param>
    /// <param name="progress">Told now and then how many events have been read; null for nobody.</param>
    /// <exception cref="TraceFormatException">The trace can't be read to its end.</exception>
    public static StatReport Stat(TraceInput input, IProgress<long>? progress)
    {
        ArgumentNullException.ThrowIfNull(input);
        input.Rewind();
        EventPass pass = input.Source.IsKernel ? new KernelPass(input) : new TracePass(input);
        pass.Run(progress);
        return StatReport.Of(pass);
    }

    /// <summary>One page's life, event by event. The trace is read twice: once for what stands first, once as the events are asked for.</summary>
    /// <param name="input">The trace, which is rewound first and must not be used otherwise until the events were taken.</param>
    /// <param name="pfn">The page's frame number; of a page of several frames any of them.</param>
    /// <param name="progress">Told now and then how many events have been read; null for nobody.</param>
    /// <exception cref="TraceFormatException">The trace can't be read to its end.</exception>
    public static HistoryReport History(TraceInput input, ulong pfn, IProgress<long>? progress)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Source.IsKernel)
        {
            return KernelAnalysis.History(input, pfn, progress);
        }

        (TracePass pass, ulong head) = Focused(input, pfn, progress);
        return HistoryReport.Of(pass, pfn, head);
    }

    internal static IReadOnlyDictionary<string, long> QualityOf(EventPass pass) =>
        new SortedDictionary<string, long>(pass.Input.Quality.Counters.Concat(pass.Quality.Counters).ToDictionary(static counter => counter.Name, static counter => counter.Value), StringComparer.Ordinal);

    /// <summary>What bears on every answer from this trace.</summary>
    internal static IReadOnlyList<string> Notes(TracePass pass)
    {
        List<string> notes = [];
        bool hasTickets = pass.Shapes.All.Any(static shape => shape.Kind is EventKind.HolderTake or EventKind.HolderState && shape.Events > 0);
        notes.Add(
            !hasTickets ? "basis: no event names a holder; only pages' counts are known"
            : pass.HasEndSnapshot ? "basis: exact (the ledger's tickets, compared with its snapshot of the end)"
            : pass.MayLackEvents ? "basis: exact as far as it goes (the ledger's tickets); events are missing and there is no snapshot of the end, so some holders may have let go, and others are not shown"
            : "basis: exact (the ledger's tickets; there is no snapshot of the end, so the events alone say who holds what)");
        if (pass.Sample > 1)
        {
            notes.Add($"sampled: one reference in {Units.Number(pass.Sample)} was recorded; references and used bytes in the table are estimates (~), pages and pinned bytes are what was seen, and unattributed references are not known");
        }

        if (pass.Filter.Length > 0)
        {
            notes.Add($"filtered: only references that match '{pass.Filter}' were recorded");
        }

        TraceQuality quality = pass.Quality;
        long differences = quality["replay_missing"] + quality["replay_extra"] + quality["replay_differs"];
        if (differences > 0)
        {
            notes.Add($"replay: {Units.Count(differences, "difference")} between the events and the snapshot of the end ({quality["replay_missing"]} missing, {quality["replay_extra"]} extra, {quality["replay_differs"]} otherwise); the snapshot is shown");
        }

        return notes;
    }

    private static (TracePass Pass, ulong Head) Focused(TraceInput input, ulong pfn, IProgress<long>? progress)
    {
        input.Rewind();
        TracePass pass = new(input, new PageFocus(pfn));
        pass.Run(progress);
        if (!pass.Lives.TryFind(pfn, out PageKey page, out _) || page.Pfn == pfn)
        {
            return (pass, pfn);
        }

        // A tail: its head has the references.
        input.Rewind();
        pass = new TracePass(input, new PageFocus(page.Pfn));
        pass.Run(progress);
        return (pass, page.Pfn);
    }

    private static List<string> Broken(IReadOnlyList<AttemptReport> attempts, IReadOnlyList<HeldRow> rows, BlameOptions options)
    {
        List<string> broken = [];
        int failed = attempts.Count(static attempt => attempt.Result == "busy");
        if (failed > 0)
        {
            broken.Add($"{BlameRules.FailedAttempt}: {Units.Count(failed, "contiguous allocation")} failed because pages were held");
        }

        foreach (HeldRow row in rows.Where(static row => row.AgainstRule is BlameRules.ShortPin))
        {
            broken.Add($"{BlameRules.ShortPin}: {row.Site} holds a short pin for {Units.Duration(row.OldestNs)}; it promised to end it within {Units.Duration(BlameRules.ShortPinBound)}");
        }

        foreach (HeldRow row in rows.Where(static row => row.AgainstRule is BlameRules.MaxAge))
        {
            broken.Add($"{BlameRules.MaxAge}: {row.Site} holds for {Units.Duration(row.OldestNs)}, longer than {Units.Duration(options.MaxAgeNs!.Value)}");
        }

        return broken;
    }

    private static string? Failure(IReadOnlyList<AttemptReport> attempts)
    {
        AttemptReport? last = attempts.LastOrDefault(static attempt => attempt.Result == "busy");
        int failed = attempts.Count(static attempt => attempt.Result == "busy");
        return failed > 1 ? $"{last!.Verdict} (the last of {failed} such failures)" : last?.Verdict;
    }

    private static string HeldVerdict(TracePass pass, HeldTotals totals)
    {
        string when = pass.HasEndSnapshot ? "held at end"
            : pass.Input.Quality[TraceCounter.Truncated] + pass.Input.Quality[TraceCounter.Damaged] > 0 ? "held as far as the damaged file tells"
            : pass.Input.Quality[TraceCounter.NotStopped] > 0 ? "held when the recording broke off"
            : "held at end";
        if (pass.Events == 0 && pass.Input.Quality[TraceCounter.UnknownEvent] is > 0 and long unknown)
        {
            return $"nothing can be told: the trace does not describe any of its {Units.Count(unknown, "event")}";
        }

        if (totals.Pages == 0 && totals.References == 0)
        {
            return $"{when}: nothing";
        }

        string suspicious = totals.Suspicious > 0 ? $", {totals.Suspicious} suspicious" : "";
        string whom = totals.Sites > 0 ? $" by {Units.Count(totals.Sites, "site")}"
            : totals.UnattributedReferences > 0 ? ", by nobody on record"
            : ", all of it reserves of fragment caches";
        return $"{when}: {Units.Count(totals.Pages, "page")} ({Units.Size(totals.Bytes)}){whom}{suspicious}";
    }

    private static string Next(TraceInput input, IReadOnlyList<AttemptReport> attempts, IReadOnlyList<HeldRow> rows)
    {
        string file = Quoted(input.Source.Path);
        BusyPageReport? busy = attempts.LastOrDefault(static attempt => attempt.BusyPages.Count > 0)?.BusyPages[0];
        return busy is not null ? $"quire history {file} --page 0x{busy.Pfn:x} --stacks"
            : rows.Count > 0 ? $"quire blame {file} --page 0x{rows[0].OldestPfn:x}"
            : $"quire stat {file}";
    }

    internal static string Quoted(string path) => path is "-" or "/dev/stdin" ? "FILE"
        : path.All(static c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '-' or '_' or '+' or ':') ? path : string.Create(CultureInfo.InvariantCulture, $"'{path.Replace("'", "'\\''", StringComparison.Ordinal)}'");
}
