namespace Quire;

internal static class TracingHooks
{
    internal static Action<TraceSnapshot>? Pages { get; set; }
    internal static Func<IEnumerable<PageMetrics>>? Metrics { get; set; }
}

internal readonly record struct PageMetrics(string Allocator, long Limit, long Managed, long InUse, long Free, long Decommitted, long Retired);
