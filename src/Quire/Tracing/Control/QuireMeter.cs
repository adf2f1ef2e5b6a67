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
    internal const string PoolTag = "quire.memory_pool.name";
    internal const string OrderTag = "quire.page.order";
    internal const string StateTag = "quire.page.state";
    internal const string ErrorTag = "error.type";

    /// <summary>Several instruments show figures of one walk over all pages: those that are read together share it.</summary>
    internal const long UsesStayMs = 100;

    private static WalkedUses? s_uses;

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

        Make(static () => s_meter.CreateObservableUpDownCounter("quire.pages.resident", Resident, "By", "Bytes of the allocator's memory that are in memory, as the system tells; missing where it does not."));

        Make(static () => s_meter.CreateObservableUpDownCounter("quire.pages.count", Counts, "{page}", "Pages in use and free blocks, by order: a page of order n is 2^n times 4 KiB."));
        Uses("quire.pages.references", "{reference}", "References on pages in use, without what fragment caches keep in reserve.", static uses => uses.References);
        Uses("quire.pages.pinned_by_fragments", "By", "Bytes of pages that are kept in memory by fragments which are out.", static uses => uses.PinnedByFragments);
        Uses("quire.fragments.out", "{fragment}", "Fragments that are out, each further reference of one included.", static uses => uses.Fragments);

        Make(static () => s_meter.CreateObservableUpDownCounter("quire.contiguous.pages", Areas, "{page}", "Pages of 4 KiB in contiguous areas, by what they are used for."));
        Make(static () => s_meter.CreateObservableCounter("quire.contiguous.migrated", Migrated, "{page}", "Pages whose data was moved out of the way of contiguous allocations."));
        Make(static () => s_meter.CreateObservableCounter("quire.contiguous.long_term_moves", static () => TracingHooks.LongTermMoves?.Invoke() ?? 0, "{page}", "Pages whose data left an area for a long-term pin."));

        Pools("quire.memory_pool.pooled", "Bytes free and committed in the pool's allocator, ready to be rented.", static pool => pool.Pooled);
        Pools("quire.memory_pool.in_use", "Bytes rented and not yet returned.", static pool => pool.Out);
        PoolTotals("quire.memory_pool.rented", "Bytes rented.", static pool => pool.Rented);
        PoolTotals("quire.memory_pool.allocated", "Bytes that the pool's allocator took from the system.", static pool => pool.Allocated);
        PoolTotals("quire.memory_pool.evicted", "Bytes that the pool's allocator gave back to the system.", static pool => pool.Evicted);
        Make(static () => s_meter.CreateObservableUpDownCounter("quire.memory_pool.waiters", static () => Measure(TracingHooks.Pools?.Invoke(), PoolTag, static pool => pool.Pool, static pool => pool.Waiters), "{rent}", "Rents that wait for memory."));

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
        Make(() => s_meter.CreateObservableUpDownCounter(name, () => Measure(TracingHooks.Metrics?.Invoke(), AllocatorTag, static pages => pages.Allocator, value), "By", description));

    private static void Uses(string name, string unit, string description, Func<PageUseMetrics, long> value) =>
        Make(() => s_meter.CreateObservableUpDownCounter(name, () => Measure(Uses(), AllocatorTag, static uses => uses.Allocator, value), unit, description));

    private static void Pools(string name, string description, Func<PoolMetrics, long> value) =>
        Make(() => s_meter.CreateObservableUpDownCounter(name, () => Measure(TracingHooks.Pools?.Invoke(), PoolTag, static pool => pool.Pool, value), "By", description));

    private static void PoolTotals(string name, string description, Func<PoolMetrics, long> value) =>
        Make(() => s_meter.CreateObservableCounter(name, () => Measure(TracingHooks.Pools?.Invoke(), PoolTag, static pool => pool.Pool, value), "By", description));

    private static IEnumerable<Measurement<long>> Resident() =>
        Measure(TracingHooks.Resident?.Invoke(), AllocatorTag, static resident => resident.Allocator, static resident => resident.Bytes);

    private static IEnumerable<Measurement<long>> Migrated() =>
        Measure(TracingHooks.Areas?.Invoke(), AreaTag, static area => area.Area, static area => area.Migrated);

    private static IEnumerable<Measurement<long>> Counts()
    {
        foreach (IGrouping<string, PageUseMetrics> uses in Uses().GroupBy(static uses => uses.Allocator))
        {
            for (int order = 0; order < uses.First().InUse.Count; order++)
            {
                yield return Measured(uses.Sum(one => one.InUse[order]), uses.Key, order, "in_use");
                yield return Measured(uses.Sum(one => one.Free[order]), uses.Key, order, "free");
            }
        }

        static Measurement<long> Measured(long value, string allocator, int order, string state) => new(
            value, new KeyValuePair<string, object?>(AllocatorTag, allocator), new KeyValuePair<string, object?>(OrderTag, order), new KeyValuePair<string, object?>(StateTag, state));
    }

    private static IEnumerable<Measurement<long>> Areas()
    {
        foreach (IGrouping<string, AreaMetrics> areas in (TracingHooks.Areas?.Invoke() ?? []).GroupBy(static area => area.Area))
        {
            yield return Measured(areas.Sum(static area => area.Free), areas.Key, "free");
            yield return Measured(areas.Sum(static area => area.Lent), areas.Key, "lent");
            yield return Measured(areas.Sum(static area => area.Allocated), areas.Key, "allocated");
            yield return Measured(areas.Sum(static area => area.Unusable), areas.Key, "unusable");
        }

        static Measurement<long> Measured(long value, string area, string state) => new(
            value, new KeyValuePair<string, object?>(AreaTag, area), new KeyValuePair<string, object?>(StateTag, state));
    }

    private static IReadOnlyList<PageUseMetrics> Uses()
    {
        // Two that collect at once may each walk; both get figures of now.
        Func<IEnumerable<PageUseMetrics>>? hook = TracingHooks.Uses;
        WalkedUses? last = Volatile.Read(ref s_uses);
        if (hook is null)
        {
            return [];
        }

        if (last is not null && last.Hook == hook && Environment.TickCount64 - last.At < UsesStayMs)
        {
            return last.Uses;
        }

        // The clock is read after the walk: one that took long is shared like any other.
        IReadOnlyList<PageUseMetrics> uses = [.. hook()];
        WalkedUses walked = new(hook, Environment.TickCount64, uses);
        Volatile.Write(ref s_uses, walked);
        return walked.Uses;
    }

    /// <summary>One measurement a name: of two with the same tags a collector keeps the last, and two allocators may bear the default name.</summary>
    private static IEnumerable<Measurement<long>> Measure<T>(IEnumerable<T>? figures, string tag, Func<T, string> name, Func<T, long> value) =>
        (figures ?? []).GroupBy(name).Select(group => new Measurement<long>(group.Sum(value), new KeyValuePair<string, object?>(tag, group.Key)));

    private sealed record WalkedUses(Func<IEnumerable<PageUseMetrics>> Hook, long At, IReadOnlyList<PageUseMetrics> Uses);

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
