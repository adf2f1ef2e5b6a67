using System.Diagnostics.Metrics;

namespace Quire;

/// <summary>The meter <c>Quire</c>: what OpenTelemetry, <c>dotnet-counters</c> and <c>dotnet-monitor</c> collect. Names and units follow OpenTelemetry's conventions.</summary>
/// <remarks>
/// Figures that exist anyway are read when somebody collects; nothing is counted twice. The few that are counted here cost a load and a branch while nobody listens, and, as all
/// counters of .NET, count from when somebody began to.
/// </remarks>
internal static class QuireMeter
{
    internal const string Name = "Quire";
    internal const string AllocatorTag = "quire.allocator.name";
    internal const string AreaTag = "quire.area.name";
    internal const string ErrorTag = "error.type";

    private static readonly Meter s_meter = new(Name, typeof(QuireMeter).Assembly.GetName().Version?.ToString(3));

    private static readonly Counter<long> s_limitReached = s_meter.CreateCounter<long>(
        "quire.pages.limit_reached", "{allocation}", "Allocations that failed because the allocator's limit was reached.");

    private static readonly Counter<long> s_bugs = s_meter.CreateCounter<long>("quire.pages.bugs", "{bug}", "Misuses found.");

    private static readonly Counter<long> s_attempts = s_meter.CreateCounter<long>(
        "quire.contiguous.attempts", "{allocation}", "Contiguous allocations that ended, either way.");

    private static readonly Counter<long> s_failures = s_meter.CreateCounter<long>("quire.contiguous.failures", "{allocation}", "Contiguous allocations that failed.");

    private static readonly Histogram<double> s_duration = s_meter.CreateHistogram<double>("quire.contiguous.duration", "s", "How long contiguous allocations took.");

    static QuireMeter()
    {
        Pages("quire.pages.limit", "Most bytes that the allocator may manage.", static pages => pages.Limit);
        Pages("quire.pages.managed", "Bytes brought online.", static pages => pages.Managed);
        Pages("quire.pages.in_use", "Bytes of pages that somebody holds.", static pages => pages.InUse);
        Pages("quire.pages.free", "Bytes of free pages, wherever they wait.", static pages => pages.Free);
        Pages("quire.pages.decommitted", "Bytes of free pages given back to the system.", static pages => pages.Decommitted);
        Pages("quire.pages.retired", "Bytes of pages kept out of use.", static pages => pages.Retired);

        s_meter.CreateObservableUpDownCounter("quire.ledger.holders", static () => Live(), "{holder}", "Holders on record. While a recording is sampled, one in so many is: multiply by the sample.");
        s_meter.CreateObservableCounter("quire.ledger.untracked", static () => Ledger.Untracked, "{reference}", "References that got no record, because the ledger was full.");
        s_meter.CreateObservableUpDownCounter("quire.ledger.memory", static () => Ledger.Bytes, "By", "Memory of the ledger's records.");

        s_meter.CreateObservableCounter("quire.tracing.events", static () => PageTracing.Totals().Written, "{event}", "Events written by recordings.");
        s_meter.CreateObservableCounter("quire.tracing.lost", static () => PageTracing.Totals().Lost, "{event}", "Events that recordings lost: overwritten, or without room.");
        s_meter.CreateObservableUpDownCounter("quire.tracing.recordings", static () => PageTracing.IsRecording ? 1 : 0, "{recording}", "Recordings that run.");
    }

    /// <summary>Makes the meter, so that listeners see its instruments.</summary>
    internal static void Prepare() => _ = s_meter.Name;

    internal static void LimitReached(string allocator) => s_limitReached.Add(1, new KeyValuePair<string, object?>(AllocatorTag, allocator));

    internal static void PageBug() => s_bugs.Add(1);

    internal static void ContiguousFinished(string area, TimeSpan duration, string? reason)
    {
        KeyValuePair<string, object?> name = new(AreaTag, area);
        s_attempts.Add(1, name);
        if (reason is null)
        {
            s_duration.Record(duration.TotalSeconds, name);
        }
        else
        {
            KeyValuePair<string, object?> error = new(ErrorTag, reason);
            s_failures.Add(1, name, error);
            s_duration.Record(duration.TotalSeconds, name, error);
        }
    }

    private static void Pages(string name, string description, Func<PageMetrics, long> value) =>
        s_meter.CreateObservableUpDownCounter(name, () => Measure(value), "By", description);

    /// <summary>One measurement a name: of two with the same tags a collector keeps the last, and two allocators may bear the default name.</summary>
    private static IEnumerable<Measurement<long>> Measure(Func<PageMetrics, long> value) =>
        (TracingHooks.Metrics?.Invoke() ?? [])
            .GroupBy(static pages => pages.Allocator)
            .Select(group => new Measurement<long>(group.Sum(value), new KeyValuePair<string, object?>(AllocatorTag, group.Key)));

    // Counts without making a holder of each: the filter is asked for every live record, and takes none.
    private static long Live()
    {
        long live = 0;
        Ledger.Snapshot(page: _ =>
        {
            live++;
            return false;
        });
        return live;
    }
}
