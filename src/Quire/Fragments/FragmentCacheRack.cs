using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The fragment caches of one allocator that have pages, so that what they keep can be taken back: a dead thread's own cache is drained by
/// whoever finds it dead, and an idle cache's retained pages go back at the next trim.
/// </summary>
/// <remarks>
/// A cache's current page belongs to its owner alone: others ask for it to be drained, and take only retained pages, which
/// are handed over by one exchanged word. Thread ends are found by asking, when a cache takes its first page, at every trim, and before an allocation fails.
/// </remarks>
internal sealed class FragmentCacheRack
{
    private static readonly ConditionalWeakTable<PageAllocator, FragmentCacheRack> s_racks = [];

    private readonly Lock _gate = new();
    private readonly List<Entry> _all = [];

    private FragmentCacheRack(PageAllocator allocator) => allocator.AddReclaimer(Reclaim);

    private sealed record Entry(PageFragmentCache Cache, Thread? Thread)
    {
        internal long Rounds { get; set; }
    }

    /// <summary>Caches that have taken pages and are not disposed.</summary>
    internal int Caches
    {
        get
        {
            lock (_gate)
            {
                return _all.Count;
            }
        }
    }

    internal static FragmentCacheRack Of(PageAllocator allocator) => s_racks.GetValue(allocator, static key => new FragmentCacheRack(key));

    /// <summary>Takes in a cache that is about to take its first page.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="thread">The thread whose own cache it is; null for one that its user drains.</param>
    internal void Add(PageFragmentCache cache, Thread? thread)
    {
        DrainDead();
        lock (_gate)
        {
            _all.Add(new Entry(cache, thread));
        }
    }

    /// <summary>Forgets a cache that is disposed.</summary>
    internal void Remove(PageFragmentCache cache)
    {
        lock (_gate)
        {
            _all.RemoveAll(entry => entry.Cache == cache);
        }
    }

    /// <summary>Drains what dead threads left.</summary>
    internal void DrainDead()
    {
        List<Entry> dead;
        lock (_gate)
        {
            // Happens before: a successful join orders all that the dead thread did before what follows.
            dead = _all.FindAll(static entry => entry.Thread?.Join(0) == true);
            _all.RemoveAll(dead.Contains);
        }

        dead.ForEach(static entry => entry.Cache.Close());
    }

    private void Reclaim(bool all)
    {
        DrainDead();
        List<Entry> caches;
        lock (_gate)
        {
            caches = [.. _all];
        }

        foreach (Entry entry in caches)
        {
            if (all || entry.Rounds == entry.Cache.Rounds)
            {
                entry.Cache.DrainRetained();
                entry.Cache.AskToDrain();
            }

            entry.Rounds = entry.Cache.Rounds;
        }
    }
}
