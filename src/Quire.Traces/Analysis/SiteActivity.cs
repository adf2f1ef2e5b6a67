namespace Quire.Traces.Analysis;

/// <summary>What came to and went from each origin over the recording: for trends, and for how often it gives back what it takes.</summary>
internal sealed class SiteActivity : IHolderListener
{
    private readonly Dictionary<(int Origin, int Kind), Site> _sites = [];

    /// <summary>When the recording begins; set before the first event.</summary>
    internal long Start { get; set; }

    /// <summary>The origins that ever had references of a kind, of those chosen.</summary>
    internal IEnumerable<Site> Of(int kind, Func<int, bool> chosen) =>
        _sites.Where(site => site.Key.Kind == kind && chosen(site.Key.Origin)).Select(static site => site.Value);

    public void Began(in Holding holding, long time) => Find(holding).Come(Math.Max(time, holding.Taken), holding.References);

    public void Changed(in Holding before, in Holding after, long time)
    {
        if (before.Origin == after.Origin && before.Kind == after.Kind)
        {
            Find(after).Recount(time, after.References - before.References);
            return;
        }

        Find(before).Go(time, before.References);
        Find(after).Come(time, after.References);
    }

    public void Reduced(in Holding after, in HolderLeave leave) => Find(after).Go(leave.Time, leave.References);

    public void Ended(in Holding last, in HolderLeave leave)
    {
        Site site = Find(last);
        if (leave.Pid == 0)
        {
            site.Vanish(leave.Time, last.References);
        }
        else
        {
            site.Go(leave.Time, last.References);
        }
    }

    private Site Find(in Holding holding)
    {
        (int, int) key = (holding.Origin, holding.Kind);
        if (!_sites.TryGetValue(key, out Site? site))
        {
            site = new Site(Start);
            _sites.Add(key, site);
        }

        return site;
    }

    /// <summary>One origin and kind.</summary>
    internal sealed class Site(long start)
    {
        internal Trend Trend { get; } = new(start);

        /// <summary>References taken there, or handed on to it.</summary>
        internal long Taken { get; private set; }

        /// <summary>References that were given back, or handed on to another.</summary>
        internal long Released { get; private set; }

        internal void Come(long time, int references)
        {
            Taken += references;
            Trend.Add(time, references);
        }

        internal void Go(long time, int references)
        {
            Released += references;
            Trend.Add(time, -references);
        }

        internal void Recount(long time, int change)
        {
            Taken += Math.Max(0, change);
            Released += Math.Max(0, -change);
            Trend.Add(time, change);
        }

        internal void Vanish(long time, int references) => Trend.Add(time, -references);
    }
}
