namespace Quire;

/// <summary>All areas of the process, as metrics want to know of them. An area that nobody refers to any more is not kept here.</summary>
internal static class ContiguousAreas
{
    private static readonly Lock s_gate = new();
    private static readonly List<WeakReference<ContiguousArea>> s_all = [];

    /// <summary>Takes in an area that was reserved just now.</summary>
    internal static ContiguousArea Add(ContiguousArea area)
    {
        lock (s_gate)
        {
            s_all.RemoveAll(static one => !one.TryGetTarget(out _));
            s_all.Add(new WeakReference<ContiguousArea>(area));
        }

        if (TracingHooks.Areas is null)
        {
            TracingHooks.LongTermMoves = static () => LongTermPinning.Moved;
            TracingHooks.Areas = Metrics;
        }

        return area;
    }

    /// <summary>Forgets an area that was disposed.</summary>
    internal static void Remove(ContiguousArea area)
    {
        lock (s_gate)
        {
            s_all.RemoveAll(one => !one.TryGetTarget(out ContiguousArea? other) || ReferenceEquals(other, area));
        }
    }

    private static IEnumerable<AreaMetrics> Metrics()
    {
        List<ContiguousArea> areas = [];
        lock (s_gate)
        {
            foreach (WeakReference<ContiguousArea> one in s_all)
            {
                if (one.TryGetTarget(out ContiguousArea? area))
                {
                    areas.Add(area);
                }
            }
        }

        // An allocator that is gone has taken the memory of its areas with it.
        return areas.Where(static area => !area.Allocator.IsDisposed).Select(static area =>
        {
            ContiguousAreaStatistics now = area.GetStatistics();
            return new AreaMetrics(area.Name, now.FreePages, now.LentPages, now.AllocatedPages, now.UnusablePages, now.PagesMigrated);
        });
    }
}
