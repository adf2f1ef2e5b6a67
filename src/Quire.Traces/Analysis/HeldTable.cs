namespace Quire.Traces.Analysis;

/// <summary>What was held at the end, grouped by who answers for it; the totals reconcile with the pages' counts.</summary>
internal sealed class HeldTable
{
    private const int TasksShown = 8;
    private const long FrameSize = 4096;

    private readonly TracePass _pass;
    private readonly long? _maxAge;
    private readonly bool _all;
    private readonly HashSet<PageKey> _pages = [];
    private readonly HashSet<uint> _blocking;
    private readonly TraceCounter _unknownSize;
    private readonly TraceCounter _tooFew;
    private readonly Dictionary<int, string> _labels = [];
    private long _bytes;

    internal HeldTable(TracePass pass, long? maxAge, bool all)
    {
        _pass = pass;
        _maxAge = maxAge;
        _all = all;
        _unknownSize = pass.Quality.Counter("pages_of_unknown_size", TraceDoubt.Note, "Held pages whose order no event says; each counts as one frame.");
        _tooFew = pass.Quality.Counter("counts_below_holders", TraceDoubt.Damage, "Pages with more references on record than their count says.");
        _blocking =
        [
            .. pass.Attempts.All
                .Where(static attempt => attempt.Result == AttemptResult.Busy)
                .SelectMany(static attempt => attempt.Busy)
                .SelectMany(static busy => busy.Holders)
                .Where(static holder => holder.Released is null && !holder.IsGoneUnseen)
                .Select(static holder => holder.Holding.Ticket),
        ];
        List<Holding> holdings = [.. pass.Replay.All()];
        Rows =
        [
            .. holdings
                .GroupBy(holding => (Label: LabelOf(holding.Origin), holding.Kind))
                .Select(group => Row(group.Key.Label, group.Key.Kind, [.. group.OrderBy(static holding => holding.Taken)]))
                .OrderByDescending(static row => row.Suspicious)
                .ThenBy(static row => row.Structural)
                .ThenByDescending(static row => row.OldestNs)
                .ThenByDescending(static row => row.References)
                .ThenBy(static row => row.Site, StringComparer.Ordinal)
                .ThenBy(static row => row.Class, StringComparer.Ordinal),
        ];
        Totals = Sum(holdings);
    }

    internal IReadOnlyList<HeldRow> Rows { get; }

    internal HeldTotals Totals { get; }

    private string LabelOf(int origin)
    {
        if (!_labels.TryGetValue(origin, out string? label))
        {
            label = _pass.Origins.LabelOf(origin, _pass.Input);
            _labels.Add(origin, label);
        }

        return label;
    }

    private HeldRow Row(string label, int kind, List<Holding> holdings)
    {
        string name = _pass.Kinds[kind];
        Holding oldest = holdings[0];
        long[] trend = new long[Trend.Points];
        long taken = 0;
        long released = 0;
        foreach (SiteActivity.Site site in _pass.Activity.Of(kind, origin => LabelOf(origin) == label))
        {
            long[] points = site.Trend.At(_pass.End);
            for (int i = 0; i < points.Length; i++)
            {
                trend[i] += points[i];
            }

            taken += site.Taken;
            released += site.Released;
        }

        string word = Trend.WordFor(trend);
        long oldestAge = Math.Max(0, _pass.End - oldest.Taken);
        bool isStructural = BlameRules.IsStructural(name);
        string? rule = BlameRules.Broken(name, oldestAge, _maxAge)
            ?? (name != BlameRules.Movable && holdings.Exists(holding => _blocking.Contains(holding.Ticket)) ? BlameRules.FailedAttempt : null);
        int commonest = holdings.GroupBy(static holding => holding.Origin).OrderByDescending(static group => group.Count()).ThenBy(static group => group.Key).First().Key;
        long references = holdings.Sum(static holding => (long)holding.References);
        PageKey[] pages = [.. holdings.Select(static holding => holding.Page).Distinct()];
        return new HeldRow
        {
            Site = label,
            Class = name,
            References = references,
            ReferencesEstimated = _pass.Sample > 1 ? references * _pass.Sample : null,
            Pages = pages.Length,
            UsedBytes = holdings.Sum(static holding => holding.Bytes),
            PinnedBytes = name == "contiguous" ? holdings.Sum(static holding => Math.Max(FrameSize, holding.Bytes)) : pages.Sum(SizeOf),
            OldestNs = oldestAge,
            OldestPfn = oldest.Page.Pfn,
            Trend = trend,
            TrendWord = word,
            Taken = taken,
            Released = released,
            Suspicious = rule is not null || (word == "growing" && !isStructural),
            AgainstRule = rule,
            Structural = isStructural,
            Tasks = [.. holdings.GroupBy(static holding => holding.Pid).OrderByDescending(static group => group.Count()).ThenBy(static group => group.Key).Take(TasksShown).Select(group => _pass.Task(group.Key))],
            Stack = _pass.Origins.FramesOf(commonest, _pass.Input),
            Stacks = holdings.Select(static holding => holding.Origin).Distinct().Count(),
            Basis = "exact",
            Holders = _all ? [.. holdings.Select(holding => HolderReports.Of(holding, _pass))] : null,
        };
    }

    private HeldTotals Sum(List<Holding> holdings)
    {
        Dictionary<PageKey, int> held = [];
        List<(ulong First, ulong End)> ranges = [];
        foreach (Holding holding in holdings)
        {
            held[holding.Page] = held.GetValueOrDefault(holding.Page) + holding.References;
            if (_pass.KindOf(holding) == "contiguous")
            {
                // One reference stands for all frames of the range.
                ulong frames = (ulong)Math.Max(1, holding.Bytes / FrameSize);
                ranges.Add((holding.Page.Pfn, holding.Page.Pfn + frames));
                _bytes += (long)(frames - 1) * FrameSize;
            }

            Add(holding.Page);
        }

        ranges.Sort();
        long reserve = 0;
        int reservePages = 0;
        long unattributed = 0;
        int unattributedPages = 0;
        foreach ((PageKey page, PageLife life) in _pass.Lives.Live)
        {
            if (!life.Count.IsBegun || life.Count.Current <= 0)
            {
                continue;
            }

            int recorded = held.GetValueOrDefault(page);
            int rest = life.Count.Current - recorded;
            if (rest < 0)
            {
                _tooFew.Value++;
                continue;
            }

            int bias = life.Bias >= 0 ? Math.Min(life.Bias, rest) : life.HasReserve && !_pass.IsPartial ? rest : 0;
            bool isKnown = recorded > 0 || bias > 0 || !_pass.IsPartial;
            if (rest == 0 || !isKnown || (recorded == 0 && IsInside(ranges, page.Pfn)))
            {
                continue;
            }

            Add(page);
            reserve += bias;
            reservePages += bias > 0 ? 1 : 0;
            if (!_pass.IsPartial && rest > bias)
            {
                unattributed += rest - bias;
                unattributedPages++;
            }
        }

        HeldRow[] byChoice = [.. Rows.Where(static row => !row.Structural)];
        return new HeldTotals(
            Rows.Sum(static row => row.References) + reserve + unattributed,
            _pages.Count,
            _bytes,
            Rows.Select(static row => row.Site).Distinct().Count(),
            Rows.Count(static row => row.Suspicious),
            reserve,
            reservePages,
            _pass.IsPartial ? null : unattributed,
            unattributedPages,
            byChoice.Length == 0 ? null : byChoice.Max(static row => row.OldestNs));
    }

    private static bool IsInside(List<(ulong First, ulong End)> ranges, ulong pfn)
    {
        int at = ranges.BinarySearch((pfn, ulong.MaxValue));
        at = at < 0 ? ~at - 1 : at;
        return at >= 0 && pfn < ranges[at].End;
    }

    private void Add(PageKey page)
    {
        if (_pages.Add(page))
        {
            bool isKnown = _pass.Lives.TryGet(page, out PageLife life) && life.IsOrderKnown;
            _unknownSize.Value += isKnown ? 0 : 1;
            _bytes += FrameSize << (isKnown ? life.Order : 0);
        }
    }

    private long SizeOf(PageKey page) => FrameSize << (_pass.Lives.TryGet(page, out PageLife life) ? life.Order : 0);
}
