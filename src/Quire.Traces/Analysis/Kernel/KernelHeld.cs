using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>
/// What is held at a kernel trace's end: by whom, for how long, and how much of what each stack takes is given back elsewhere, so that two takings against one putting stand out.
/// </summary>
internal sealed class KernelHeld
{
    private const long FrameSize = 4096;
    private const int TasksShown = 3;

    /// <summary>Holders listed one by one, at most.</summary>
    private const int MostListed = 100_000;

    /// <summary>A stack that gave back less than this of what it took leaks, unless what it took last is as young as its references usually get.</summary>
    private const double GivenBack = 0.9;
    private const int FewestTaken = 4;
    private const int OftenHeld = 10;

    private readonly KernelPass _pass;
    private readonly bool _all;
    private readonly bool _leaks;
    private readonly long? _maxAge;
    private readonly Dictionary<(int Stack, string Class), Group> _groups = [];
    private readonly Dictionary<string, (long References, int Pages, long Oldest, ulong Pfn)> _structural = new(StringComparer.Ordinal);
    private readonly HashSet<ulong> _blocking;
    private long _unattributed;
    private int _unattributedPages;
    private long _bytes;
    private int _pages;
    private int _listed;

    internal KernelHeld(KernelPass pass, BlameOptions options)
    {
        _pass = pass;
        _all = options.All;
        _leaks = options.Leaks;
        _maxAge = options.MaxAgeNs;
        _blocking = [.. pass.Attempts.All.Cast<KernelAttempt>().Where(static attempt => attempt.Result == AttemptResult.Busy).SelectMany(static attempt => attempt.Blocking.Keys)];
        foreach (int at in pass.Lives.Live)
        {
            if (pass.Lives[at].Count > 0)
            {
                Add(pass.Lives[at]);
            }
        }

        Dictionary<string, (long Taken, long Held)> sites = OfSites();
        Rows =
        [
            .. _groups.Select(group => Row(group.Key.Stack, group.Key.Class, group.Value, sites))
                .Concat(_structural.Select(entry => Own(entry.Key, entry.Value.References, entry.Value.Pages, entry.Value.Oldest, entry.Value.Pfn)))
                .OrderByDescending(static row => row.Suspicious)
                .ThenBy(static row => row.Structural)
                .ThenByDescending(static row => row.Structural ? 0 : row.OldestNs)
                .ThenByDescending(static row => row.References)
                .ThenBy(static row => row.Site, StringComparer.Ordinal)
                .ThenBy(static row => row.Class, StringComparer.Ordinal),
        ];
        HeldRow[] byChoice = [.. Rows.Where(static row => !row.Structural)];
        Totals = new HeldTotals(
            Rows.Sum(static row => row.References) + _unattributed,
            _pages,
            _bytes,
            byChoice.Length,
            Rows.Count(static row => row.Suspicious),
            0,
            0,
            _unattributed,
            _unattributedPages,
            byChoice.Length == 0 ? null : byChoice.Max(static row => row.OldestNs));
    }

    internal IReadOnlyList<HeldRow> Rows { get; }

    internal HeldTotals Totals { get; }

    private void Add(in KernelPage page)
    {
        _pages++;
        _bytes += FrameSize << (page.IsOrderKnown ? page.Order : 0);
        int own = 0;
        int others = 0;
        foreach (KernelHolding holding in _pass.Settlement.HoldingsOf(page, null))
        {
            if (holding.Released is not null)
            {
                continue;
            }

            if (holding.IsStructural)
            {
                own += holding.References;
                AddOwn(holding.Match.Class.Name, holding.References, holding.Acquired ?? page.Since, page.Pfn);
                continue;
            }

            others += holding.References;
            ref Group? group = ref CollectionsMarshal.GetValueRefOrAddDefault(_groups, (holding.TakeStack, holding.Match.Class.Name), out _);
            group ??= new Group();
            group.Add(holding, page);
            if (_all && _listed < MostListed)
            {
                _listed++;
                group.Holders.Add(KernelHolders.Of(holding, page, _pass.End, 1, _pass));
            }
        }

        // Of those whose takers nobody saw, as many are the page's own as it shows and are not accounted for.
        int before = Math.Max(0, page.Count - own - others);
        PageExpectation shown = _pass.Expectations.Of(page.Look, page.Mapcount, page.Order);
        int unknown = shown.IsKnown ? Math.Clamp(before - Math.Max(0, shown.Sum - own), 0, before) : 0;
        if (before > unknown)
        {
            AddOwn("before", before - unknown, page.Since, page.Pfn);
        }

        _unattributed += unknown;
        _unattributedPages += unknown > 0 ? 1 : 0;
    }

    private void AddOwn(string kind, int references, long since, ulong pfn)
    {
        (long sum, int pages, long oldest, ulong oldestPfn) = _structural.GetValueOrDefault(kind, (0, 0, long.MaxValue, 0UL));
        _structural[kind] = (sum + references, pages + 1, Math.Min(oldest, since), since < oldest ? pfn : oldestPfn);
    }

    // Two takings of one function that come through different stacks stand out only together.
    private Dictionary<string, (long Taken, long Held)> OfSites()
    {
        Dictionary<string, (long Taken, long Held)> sites = new(StringComparer.Ordinal);
        foreach (((int stack, _), HoldingBalance.Account account) in _pass.Balance.Accounts)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(sites, _pass.Meanings[stack].Label, out _).Taken += account.Taken;
        }

        foreach (((int stack, _), Group group) in _groups)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(sites, _pass.Meanings[stack].Label, out _).Held += group.References;
        }

        return sites;
    }

    private HeldRow Row(int stack, string kind, Group group, Dictionary<string, (long Taken, long Held)> sites)
    {
        StackMeaning meaning = _pass.Meanings[stack];
        _pass.Balance.Accounts.TryGetValue((stack, kind), out HoldingBalance.Account? account);
        long taken = Math.Max(account?.Taken ?? 0, group.References);
        long released = taken - group.References;
        long[] trend = account?.Flow.At(_pass.Begin, _pass.End) ?? new long[Trend.Points];
        string word = Trend.WordFor(trend);
        long oldest = Math.Max(0, _pass.End - group.Oldest);
        (long siteTaken, long siteHeld) = sites[meaning.Label];
        siteTaken = Math.Max(siteTaken, siteHeld);
        string? rule = group.Pages.Overlaps(_blocking) ? BlameRules.FailedAttempt
            : _maxAge is { } limit && oldest > limit ? BlameRules.MaxAge
            : null;
        return new HeldRow
        {
            Site = meaning.Label,
            Class = kind,
            References = group.References,
            ReferencesEstimated = null,
            Pages = group.Pages.Count,
            UsedBytes = 0,
            PinnedBytes = group.Bytes,
            OldestNs = oldest,
            OldestPfn = group.OldestPfn,
            Trend = trend,
            TrendWord = word,
            Taken = taken,
            Released = released,
            SiteTaken = siteTaken,
            SiteReleased = siteTaken - siteHeld,
            Suspicious = (rule is not null && !_leaks) || (word == "growing" && !_pass.Losses.Overlaps(_pass.Begin, _pass.End)) || Leaks(taken, released, group.Oldest, account),
            AgainstRule = rule,
            Structural = false,
            Tasks = [.. group.Tasks.OrderByDescending(static task => task.Value).ThenBy(static task => task.Key).Take(TasksShown).Select(task => _pass.Task(task.Key))],
            Stack = meaning.Frames,
            Stacks = 1,
            Basis = "inferred",
            Holders = _all ? group.Holders : null,
        };
    }

    // Much of what it took was not given back, and what it has is older than its references get elsewhere.
    private bool Leaks(long taken, long released, long oldest, HoldingBalance.Account? account)
    {
        if ((account?.Takings ?? 0) < FewestTaken || released >= taken * GivenBack || _pass.Losses.Overlaps(oldest, _pass.End))
        {
            return false;
        }

        long usual = account is { Ended: > 0 } ? account.Held / account.Ended : 0;
        return _pass.End - oldest > usual * OftenHeld;
    }

    private HeldRow Own(string kind, long references, int pages, long oldest, ulong pfn) => new()
    {
        Site = kind == "before" ? "the page's own, from before the trace" : RefClasses.Find(kind).What,
        Class = kind,
        References = references,
        ReferencesEstimated = null,
        Pages = pages,
        UsedBytes = 0,
        PinnedBytes = pages * FrameSize,
        OldestNs = Math.Max(0, _pass.End - oldest),
        OldestPfn = pfn,
        Trend = new long[Trend.Points],
        TrendWord = "steady",
        Taken = references,
        Released = 0,
        Suspicious = false,
        AgainstRule = null,
        Structural = true,
        Tasks = [],
        Stack = [],
        Stacks = 0,
        Basis = "inferred",
        Holders = null,
    };

    /// <summary>What one stack still holds.</summary>
    private sealed class Group
    {
        internal long References { get; private set; }

        internal HashSet<ulong> Pages { get; } = [];

        internal long Bytes { get; private set; }

        internal long Oldest { get; private set; } = long.MaxValue;

        internal ulong OldestPfn { get; private set; }

        internal Dictionary<int, long> Tasks { get; } = [];

        internal List<HolderReport> Holders { get; } = [];

        internal void Add(in KernelHolding holding, in KernelPage page)
        {
            References += holding.References;
            Bytes += Pages.Add(page.Pfn) ? FrameSize << (page.IsOrderKnown ? page.Order : 0) : 0;
            if (holding.Acquired < Oldest)
            {
                Oldest = holding.Acquired.Value;
                OldestPfn = page.Pfn;
            }

            CollectionsMarshal.GetValueRefOrAddDefault(Tasks, holding.TakePid, out _)++;
        }
    }
}
