namespace Quire;

/// <summary>What tracing must be told by the rooms below it, which it does not know. Each is set once, by the room named, and stays.</summary>
internal static class TracingHooks
{
    private static Action<TraceSnapshot>? s_pages;
    private static Func<IEnumerable<PageMetrics>>? s_metrics;

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
