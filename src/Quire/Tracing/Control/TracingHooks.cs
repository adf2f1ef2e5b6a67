namespace Quire;

/// <summary>What tracing must be told by the rooms below it, which it does not know. Each is set once, by the room named, and stays.</summary>
internal static class TracingHooks
{
    private static Action<TraceSnapshot>? s_pages;
    private static Func<IEnumerable<PageMetrics>>? s_metrics;
    private static Func<IEnumerable<PageUseMetrics>>? s_uses;
    private static Func<IEnumerable<ResidentMetrics>>? s_resident;
    private static Func<IEnumerable<AreaMetrics>>? s_areas;
    private static Func<long>? s_longTermMoves;
    private static Func<IEnumerable<PoolMetrics>>? s_pools;

    /// <summary>
    /// Writes a <c>page_state</c> for every page that somebody holds. Set by the Pages or Allocation room; called by the thread that starts or stops a recording,
    /// with no gate held, while pages come and go.
    /// </summary>
    internal static Action<TraceSnapshot>? Pages
    {
        get => Volatile.Read(ref s_pages);
        set => Volatile.Write(ref s_pages, value);
    }

    /// <summary>What each allocator's memory is doing now. Set by the Allocation room; called on whatever thread collects metrics.</summary>
    internal static Func<IEnumerable<PageMetrics>>? Metrics
    {
        get => Volatile.Read(ref s_metrics);
        set => Volatile.Write(ref s_metrics, value);
    }

    /// <summary>What each allocator's pages are used for: a walk over all descriptors. Set by the Allocation room.</summary>
    internal static Func<IEnumerable<PageUseMetrics>>? Uses
    {
        get => Volatile.Read(ref s_uses);
        set => Volatile.Write(ref s_uses, value);
    }

    /// <summary>What of each allocator's memory is in memory: asks the system. Set by the Allocation room.</summary>
    internal static Func<IEnumerable<ResidentMetrics>>? Resident
    {
        get => Volatile.Read(ref s_resident);
        set => Volatile.Write(ref s_resident, value);
    }

    /// <summary>What each contiguous area is doing now. Set by the Contiguous room.</summary>
    internal static Func<IEnumerable<AreaMetrics>>? Areas
    {
        get => Volatile.Read(ref s_areas);
        set => Volatile.Write(ref s_areas, value);
    }

    /// <summary>Pages that left an area for a long-term pin, since the process began. Set by the Contiguous room.</summary>
    internal static Func<long>? LongTermMoves
    {
        get => Volatile.Read(ref s_longTermMoves);
        set => Volatile.Write(ref s_longTermMoves, value);
    }

    /// <summary>What each memory pool has given out. Set by the Buffers room.</summary>
    internal static Func<IEnumerable<PoolMetrics>>? Pools
    {
        get => Volatile.Read(ref s_pools);
        set => Volatile.Write(ref s_pools, value);
    }
}

/// <summary>One allocator's figures in bytes, for the meter.</summary>
/// <param name="Allocator">Its name; allocators of one name are added up.</param>
/// <param name="Limit">Most that it may manage.</param>
/// <param name="Managed">Brought online: in use, free and retired.</param>
/// <param name="InUse">Held by somebody.</param>
/// <param name="Free">Free, wherever it waits.</param>
/// <param name="Decommitted">Of the free, what was given back to the system.</param>
/// <param name="Retired">Kept out of use.</param>
internal readonly record struct PageMetrics(string Allocator, long Limit, long Managed, long InUse, long Free, long Decommitted, long Retired);

/// <summary>What one allocator's pages are used for, for the meter.</summary>
/// <param name="Allocator">Its name.</param>
/// <param name="InUse">Pages in use, by order.</param>
/// <param name="Free">Free blocks, by order.</param>
/// <param name="References">References on pages in use, without the reserves of fragment caches.</param>
/// <param name="Fragments">Of these, on fragment pages.</param>
/// <param name="PinnedByFragments">Bytes of fragment pages with a fragment out.</param>
internal sealed record PageUseMetrics(string Allocator, IReadOnlyList<long> InUse, IReadOnlyList<long> Free, long References, long Fragments, long PinnedByFragments);

/// <summary>Bytes of one allocator's memory that are in memory.</summary>
/// <param name="Allocator">Its name.</param>
/// <param name="Bytes">Bytes.</param>
internal readonly record struct ResidentMetrics(string Allocator, long Bytes);

/// <summary>One contiguous area's pages of 4 KiB, for the meter.</summary>
/// <param name="Area">Its name; areas of one name are added up.</param>
/// <param name="Free">Nobody's.</param>
/// <param name="Lent">Lent to movable data.</param>
/// <param name="Allocated">In ranges.</param>
/// <param name="Unusable">Kept out of use.</param>
/// <param name="Migrated">Moved out of the way of ranges, since the area was reserved.</param>
internal readonly record struct AreaMetrics(string Area, long Free, long Lent, long Allocated, long Unusable, long Migrated);

/// <summary>One memory pool's figures in bytes, for the meter.</summary>
/// <param name="Pool">Its name; pools of one name are added up.</param>
/// <param name="Pooled">Committed and free in the pool's allocator.</param>
/// <param name="Allocated">Committed by its allocator, since it was made.</param>
/// <param name="Evicted">Given back to the system by its allocator, since it was made.</param>
/// <param name="Rented">Rented, since the pool was made.</param>
/// <param name="Out">Rented and not returned.</param>
/// <param name="Waiters">Rents that wait for memory.</param>
internal readonly record struct PoolMetrics(string Pool, long Pooled, long Allocated, long Evicted, long Rented, long Out, long Waiters);
