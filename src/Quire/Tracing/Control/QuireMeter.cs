using System.Diagnostics.Metrics;

namespace Quire;

/// <summary>The meter <c>Quire</c>: what OpenTelemetry, <c>dotnet-counters</c> and <c>dotnet-monitor</c> collect. Names and units follow OpenTelemetry's conventions.</summary>
/// <remarks>
/// Figures that exist anyway are read when somebody collects; nothing is counted twice. The few that are counted here cost a load and a branch while nobody listens, and, as all
/// counters of .NET, count from when somebody began to.
/// <para>
/// A listener's exceptions are its own. Other than an event source, a meter lets them through to who reports, who was perhaps just given a range that would be lost, or is on a thread of
/// the pool, where the process would end. So they end here: one thrown at a measurement costs the measurement, one thrown at an instrument's publication costs the instrument.
/// </para>
/// </remarks>
internal static class QuireMeter
{
    internal const string Name = "Quire";
    internal const string AllocatorTag = "quire.allocator.name";
    internal const string AreaTag = "quire.area.name";
    internal const string ErrorTag = "error.type";

    private static readonly Meter s_meter = new(Name, typeof(QuireMeter).Assembly.GetName().Version?.ToString(3));

    private static readonly Counter<long>? s_limitReached = Make(static () => s_meter.CreateCounter<long>(
        "quire.pages.limit_reached", "{allocation}", "Allocations that failed because the allocator's limit was reached."));

    private static readonly Counter<long>? s_bugs = Make(static () => s_meter.CreateCounter<long>("quire.pages.bugs", "{bug}", "Misuses found."));

    private static readonly Counter<long>? s_attempts = Make(static () => s_meter.CreateCounter<long>(
        "quire.contiguous.attempts", "{allocation}", "Contiguous allocations that ended, either way."));

    private static readonly Counter<long>? s_failures = Make(static () => s_meter.CreateCounter<long>(
        "quire.contiguous.failures", "{allocation}", "Contiguous allocations that failed."));

    private static readonly Histogram<double>? s_duration = Make(static () => s_meter.CreateHistogram<double>(
        "quire.contiguous.duration", "s", "How long contiguous allocations took."));

    static QuireMeter()
    {
        Pages("quire.pages.limit", "Most bytes that the allocator may manage.", static pages => pages.Limit);
        Pages("quire.pages.managed", "Bytes brought online.", static pages => pages.Managed);
        Pages("quire.pages.in_use", "Bytes of pages that somebody holds.", static pages => pages.InUse);
        Pages("quire.pages.free", "Bytes of free pages, wherever they wait.", static pages => pages.Free);
        Pages("quire.pages.decommitted", "Bytes of free pages given back to the system.", static pages => pages.Decommitted);
        Pages("quire.pages.retired", "Bytes of pages kept out of use.", static pages => pages.Retired);

        Make(static () => s_meter.CreateObservableUpDownCounter("quire.ledger.holders", static () => Live(), "{holder}", "Holders on record. While a recording is sampled, one in so many is: multiply by the sample."));
        Make(static () => s_meter.CreateObservableCounter("quire.ledger.untracked", static () => Ledger.Untracked, "{reference}", "References that got no record, because the ledger was full."));
        Make(static () => s_meter.CreateObservableUpDownCounter("quire.ledger.memory", static () => Ledger.Bytes, "By", "Memory of the ledger's records."));

        Make(static () => s_meter.CreateObservableCounter("quire.tracing.events", static () => PageTracing.Totals().Written, "{event}", "Events written by recordings."));
        Make(static () => s_meter.CreateObservableCounter("quire.tracing.lost", static () => PageTracing.Totals().Lost, "{event}", "Events that recordings lost: overwritten, or without room."));
        Make(static () => s_meter.CreateObservableUpDownCounter("quire.tracing.recordings", static () => PageTracing.IsRecording ? 1 : 0, "{recording}", "Recordings that run."));
    }

    /// <summary>Makes the meter, so that listeners see its instruments.</summary>
    internal static void Prepare() => _ = s_meter.Name;

    internal static void LimitReached(string allocator) => Add(s_limitReached, new KeyValuePair<string, object?>(AllocatorTag, allocator));

    internal static void PageBug() => Add(s_bugs);

    internal static void ContiguousFinished(string area, TimeSpan duration, string? reason)
    {
        KeyValuePair<string, object?> name = new(AreaTag, area);
        Add(s_attempts, name);
        if (reason is null)
        {
            Record(duration, name);
        }
        else
        {
            KeyValuePair<string, object?> error = new(ErrorTag, reason);
            Add(s_failures, name, error);
            Record(duration, name, error);
        }
    }

#pragma warning disable CA1031 // Whatever a listener throws, it is not the reporter's: see the remarks.
    private static void Add(Counter<long>? counter, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            counter?.Add(1, tags);
        }
        catch (Exception)
        {
            // A measurement less.
        }
    }

    private static void Record(TimeSpan duration, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            s_duration?.Record(duration.TotalSeconds, tags);
        }
        catch (Exception)
        {
            // A measurement less.
        }
    }

    private static T? Make<T>(Func<T> make)
        where T : class
    {
        try
        {
            return make();
        }
        catch (Exception)
        {
            // An instrument less.
            return null;
        }
    }
#pragma warning restore CA1031

    private static void Pages(string name, string description, Func<PageMetrics, long> value) =>
        Make(() => s_meter.CreateObservableUpDownCounter(name, () => Measure(value), "By", description));

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
