namespace Quire;

/// <summary>
/// The threads' own fragment caches, so that a dead thread's is drained by whoever finds it dead, and an idle one's retained pages go back.
/// </summary>
/// <remarks>
/// A cache's current page belongs to its thread alone while that lives: others ask it to drain, and take only retained pages, which
/// are handed over by one exchanged word. Thread ends are found by asking, when a thread first comes, at every trim, and before an allocation fails.
/// </remarks>
internal static class FragmentCacheRack
{
    private static readonly Lock s_gate = new();
    private static readonly List<Entry> s_all = [];

    private sealed record Entry(Thread Thread, PageFragmentCache Cache)
    {
        internal long Rounds { get; set; }
    }

    static FragmentCacheRack() => PageAllocator.Shared.AddReclaimer(Reclaim);

    internal static int Threads
    {
        get
        {
            lock (s_gate)
            {
                return s_all.Count;
            }
        }
    }

    /// <summary>Makes the calling thread's cache.</summary>
    internal static PageFragmentCache Enter()
    {
        DrainDead();
        PageFragmentCache cache = new(PageAllocator.Shared);
        lock (s_gate)
        {
            s_all.Add(new Entry(Thread.CurrentThread, cache));
        }

        return PageFragmentCache.t_current = cache;
    }

    /// <summary>Drains what dead threads left.</summary>
    internal static void DrainDead()
    {
        lock (s_gate)
        {
            for (int i = s_all.Count - 1; i >= 0; i--)
            {
                // Happens before: a successful join orders all that the dead thread did before what follows.
                if (s_all[i].Thread.Join(0))
                {
                    s_all[i].Cache.Dispose();
                    s_all.RemoveAt(i);
                }
            }
        }
    }

    private static void Reclaim(bool all)
    {
        DrainDead();
        lock (s_gate)
        {
            foreach (Entry entry in s_all)
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
}
