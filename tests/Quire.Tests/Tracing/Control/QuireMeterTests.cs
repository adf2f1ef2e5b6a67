using System.Diagnostics.Metrics;
using Xunit;

namespace Quire.Tests.Tracing.Control;

[Collection(LedgerCollection.Name)]
public sealed class QuireMeterTests : IDisposable
{
    private readonly Func<IEnumerable<PageMetrics>>? _hook;
    private readonly Func<IEnumerable<PageUseMetrics>>? _uses;
    private readonly Func<IEnumerable<AreaMetrics>>? _areas;
    private readonly Func<IEnumerable<PoolMetrics>>? _pools;
    private readonly Dictionary<string, (string? Unit, Type Kind)> _instruments = [];
    private readonly List<(string Name, double Value, string Tags)> _measured = [];
    private readonly MeterListener _listener = new();
    private int _bugs;

    public QuireMeterTests()
    {
        // What dead threads of other tests left with the shared allocator goes now: its timer would count it as events of a recording here.
        PageAllocator.Shared.Trim();

        // The hooks are there by now: the process's first allocator hangs itself on them.
        (_hook, _uses, _areas, _pools) = (TracingHooks.Metrics, TracingHooks.Uses, TracingHooks.Areas, TracingHooks.Pools);
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Quire")
            {
                _instruments[instrument.Name] = (instrument.Unit, instrument.GetType().GetGenericTypeDefinition());
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        TracingStart.Once();
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        TracingHooks.Metrics = _hook;
        TracingHooks.Uses = _uses;
        TracingHooks.Areas = _areas;
        TracingHooks.Pools = _pools;
    }

    [Fact]
    public void Names_units_and_kinds_are_OpenTelemetry_s()
    {
        Assert.All(_instruments, static instrument => Assert.Matches(@"^quire\.[a-z_]+\.[a-z_]+$", instrument.Key));
        Assert.All(_instruments, static instrument => Assert.Matches(@"^(By|s|\{[a-z]+\})$", instrument.Value.Unit));
        Assert.Equal(("By", typeof(ObservableUpDownCounter<>)), _instruments["quire.pages.in_use"]);
        Assert.Equal(("{event}", typeof(ObservableCounter<>)), _instruments["quire.tracing.events"]);
        Assert.Equal(("{allocation}", typeof(Counter<>)), _instruments["quire.contiguous.failures"]);
        Assert.Equal(("s", typeof(Histogram<>)), _instruments["quire.contiguous.duration"]);
        Assert.Equal("{holder}", _instruments["quire.ledger.holders"].Unit);
    }

    [Fact]
    public void Allocators_are_shown_by_name_and_those_of_one_name_added_up()
    {
        TracingHooks.Metrics = static () => [new("net", 100, 50, 30, 20, 5, 0), new("net", 100, 10, 10, 0, 0, 0), new("disk", 7, 6, 5, 1, 0, 0)];
        _listener.RecordObservableInstruments();
        Assert.Contains(("quire.pages.in_use", 40.0, "quire.allocator.name=net"), _measured);
        Assert.Contains(("quire.pages.in_use", 5.0, "quire.allocator.name=disk"), _measured);
        Assert.Contains(("quire.pages.limit", 200.0, "quire.allocator.name=net"), _measured);
        Assert.Contains(("quire.pages.managed", 60.0, "quire.allocator.name=net"), _measured);
        Assert.Contains(("quire.pages.free", 20.0, "quire.allocator.name=net"), _measured);
        Assert.Contains(("quire.pages.decommitted", 5.0, "quire.allocator.name=net"), _measured);
        Assert.Equal(2, _measured.Count(static measured => measured.Name == "quire.pages.in_use"));
    }

    [Fact]
    public void Pages_are_shown_by_order_and_state_and_allocators_of_one_name_added_up()
    {
        TracingHooks.Uses = static () => [new("net", [1, 2], [3, 4], 50, 40, 8192), new("net", [10, 20], [30, 40], 5, 4, 4096), new("disk", [7, 0], [0, 0], 6, 5, 4)];
        _listener.RecordObservableInstruments();
        Assert.Contains(("quire.pages.count", 11.0, "quire.allocator.name=net,quire.page.order=0,quire.page.state=in_use"), _measured);
        Assert.Contains(("quire.pages.count", 44.0, "quire.allocator.name=net,quire.page.order=1,quire.page.state=free"), _measured);
        Assert.Contains(("quire.pages.count", 7.0, "quire.allocator.name=disk,quire.page.order=0,quire.page.state=in_use"), _measured);
        Assert.Contains(("quire.pages.references", 55.0, "quire.allocator.name=net"), _measured);
        Assert.Contains(("quire.fragments.out", 44.0, "quire.allocator.name=net"), _measured);
        Assert.Contains(("quire.pages.pinned_by_fragments", 12288.0, "quire.allocator.name=net"), _measured);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(150)]
    public void A_walk_over_the_pages_is_shared_by_what_is_read_soon_after_it_however_long_it_takes(int milliseconds)
    {
        int walks = 0;
        long ended = 0;
        List<long> gaps = [];
        TracingHooks.Uses = () =>
        {
            if (walks++ != 0)
            {
                gaps.Add(Environment.TickCount64 - ended);
            }

            Thread.Sleep(milliseconds);
            ended = Environment.TickCount64;
            return [new("net", [1], [3], 50, 40, 8192)];
        };
        _listener.RecordObservableInstruments();
        Thread.Sleep(300);
        int before = walks;
        _listener.RecordObservableInstruments();
        Assert.True(walks > before, "figures of long ago were shown");

        // One walk serves all instruments that are read within this time; a collection that is kept from its core may rightly walk again.
        Assert.All(gaps, static gap => Assert.True(gap >= QuireMeter.UsesStayMs, $"a walk {gap} ms after another"));
    }

    [Fact]
    public void Areas_and_pools_are_shown_by_name()
    {
        TracingHooks.Areas = static () => [new("camera", 1, 2, 3, 4, 5), new("camera", 10, 20, 30, 40, 50)];
        TracingHooks.Pools = static () => [new("kestrel", 1, 2, 3, 4, 5, 6), new("kestrel", 10, 20, 30, 40, 50, 60)];
        _listener.RecordObservableInstruments();
        Assert.Equal(
            [("free", 11.0), ("lent", 22.0), ("allocated", 33.0), ("unusable", 44.0)],
            _measured.Where(static one => one.Name == "quire.contiguous.pages").Select(static one => (one.Tags.Replace("quire.area.name=camera,quire.page.state=", "", StringComparison.Ordinal), one.Value)));
        Assert.Contains(("quire.contiguous.migrated", 55.0, "quire.area.name=camera"), _measured);
        foreach ((string name, double value) in (ReadOnlySpan<(string, double)>)[("pooled", 11), ("allocated", 22), ("evicted", 33), ("rented", 44), ("in_use", 55), ("waiters", 66)])
        {
            Assert.Contains(($"quire.memory_pool.{name}", value, "quire.memory_pool.name=kestrel"), _measured);
        }
    }

    [Fact]
    public void What_is_in_use_is_counted_by_order_with_its_references_and_what_fragments_keep()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "survey", LimitBytes = 64 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        using PageFragmentCache cache = new(allocator);
        Page[] pages = [allocator.Allocate(), allocator.Allocate(order: 2), allocator.Allocate(order: 2)];
        Page second = pages[1].Get();
        PageFragment[] fragments = [.. Enumerable.Range(0, 3).Select(_ => cache.Allocate(100))];
        fragments = [.. fragments, fragments[0].Get()];
        PageFragment whole = cache.Allocate(60_000);

        Assert.Equal([1, 0, 2, 1, 1], InUse("survey").Take(5));
        Assert.Equal(3 + 1 + 4 + 1, Of("quire.pages.references"));
        Assert.Equal(5, Of("quire.fragments.out"));
        Assert.Equal(32768 + 65536, Of("quire.pages.pinned_by_fragments"));
        Assert.Equal(
            allocator.GetStatistics().FreeFrames,
            _measured.Where(static one => one.Name == "quire.pages.count" && one.Tags.StartsWith("quire.allocator.name=survey,", StringComparison.Ordinal) && one.Tags.EndsWith("=free", StringComparison.Ordinal))
                .Select(static (one, order) => (long)one.Value << order).Sum());

        // The cache keeps the page for the next fragments: nothing of it is out.
        PageFragment.Free(fragments);
        whole.Free();
        second.Put();
        Array.ForEach(pages, static page => page.Put());
        InUse("survey");
        Assert.Equal(0, Of("quire.pages.references"));
        Assert.Equal(0, Of("quire.pages.pinned_by_fragments"));
        cache.Drain();
    }

    [Fact]
    public void Resident_memory_follows_the_first_touch_and_the_trim()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux is asked what is resident.");
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "resident", LimitBytes = 64 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        Page[] pages = [.. Enumerable.Range(0, 4).Select(_ => allocator.Allocate(order: 9))];
        double before = Resident();
        pages[0].Span.Fill(1);
        pages[1].Span.Fill(1);
        Assert.Equal(before + (4 << 20), Resident());
        pages[0].Put();
        allocator.Trim();
        Assert.InRange(Resident(), 2 << 20, before + (2 << 20));
        Array.ForEach(pages[1..], static page => page.Put());

        double Resident()
        {
            _measured.Clear();
            _listener.RecordObservableInstruments();
            return _measured.Single(static one => one.Name == "quire.pages.resident" && one.Tags == "quire.allocator.name=resident").Value;
        }
    }

    [Fact]
    public void Figures_taken_while_fragments_come_and_go_never_show_a_cache_s_reserve_as_references()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "busy", LimitBytes = 256 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        bool stop = false;
        Thread[] threads = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            using PageFragmentCache cache = new(allocator);
            Queue<PageFragment> kept = [];
            while (!Volatile.Read(ref stop))
            {
                kept.Enqueue(cache.Allocate(1400));
                if (kept.Count > 200)
                {
                    kept.Dequeue().Free();
                }
            }

            foreach (PageFragment fragment in kept)
            {
                fragment.Free();
            }
        }))];
        Array.ForEach(threads, static thread => thread.Start());
        try
        {
            for (long until = Environment.TickCount64 + 1500; Environment.TickCount64 < until;)
            {
                // Each thread has at most 201 out; a cache's reserve is 32,769.
                PageSurvey seen = PageSurvey.Of(allocator);
                Assert.InRange(seen.Fragments, 0, 5000);
                Assert.InRange(seen.References, 0, 5000);
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            Array.ForEach(threads, static thread => thread.Join());
        }

        Assert.Equal(0, PageSurvey.Of(allocator).Fragments);
    }

    [Fact]
    public void The_ledger_s_holders_are_counted_as_they_are_now()
    {
        const ulong Identity = (3ul << Ledger.FrameBits) | 0xFFE_0001;
        double before = Collect("quire.ledger.holders");
        uint[] tickets = [.. Enumerable.Range(0, 20).Select(static _ => Ledger.Take(Identity, 1, 1, HolderKind.Raw, CallSiteTable.NumberOf("Meter.cs", 1, "M")))];
        Assert.Equal(before + 20, Collect("quire.ledger.holders"));
        Array.ForEach(tickets, static ticket => Ledger.Release(ticket, Identity, 1, 0));
        Assert.Equal(before, Collect("quire.ledger.holders"));
        Assert.Equal(Ledger.Untracked, Collect("quire.ledger.untracked"));
        Assert.Equal(Ledger.Bytes, Collect("quire.ledger.memory"));
    }

    [Fact]
    public void Recordings_show_with_their_events_while_they_run_and_afterwards()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        double before = Collect("quire.tracing.events");
        double lost = Collect("quire.tracing.lost");
        try
        {
            using (PageTracing.Start(new PageTracingOptions { Path = path, RingBytes = 8192 }))
            {
                Assert.Equal(1, Collect("quire.tracing.recordings"));
                const ulong Identity = (3ul << Ledger.FrameBits) | 0xFFE_0002;
                for (int i = 0; i < 100; i++)
                {
                    Ledger.Release(Ledger.Take(Identity, 1, 1, HolderKind.Raw, 0), Identity, 1, 0);
                }

                Assert.Equal(before + 200, Collect("quire.tracing.events"));
                Assert.True(Collect("quire.tracing.lost") > lost);
            }

            Assert.Equal(before + 200, Collect("quire.tracing.events"));
            Assert.Equal(0, Collect("quire.tracing.recordings"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Contiguous_allocations_count_by_area_and_reason()
    {
        TracingNotices.ContiguousFinished("camera", 64, TimeSpan.FromMilliseconds(250), "busy", "");
        TracingNotices.ContiguousFinished("camera", 64, TimeSpan.FromMilliseconds(500), null, "");
        Assert.Equal(2, _measured.Count(static measured => measured == ("quire.contiguous.attempts", 1, "quire.area.name=camera")));
        Assert.Contains(("quire.contiguous.failures", 1.0, "quire.area.name=camera,error.type=busy"), _measured);
        Assert.Contains(("quire.contiguous.duration", 0.25, "quire.area.name=camera,error.type=busy"), _measured);
        Assert.Contains(("quire.contiguous.duration", 0.5, "quire.area.name=camera"), _measured);

        // Those that other tests found may still be on their way.
        int bugs = Volatile.Read(ref _bugs);
        TracingNotices.PageBug("x");
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _bugs) > bugs, TimeSpan.FromSeconds(60)));
        TracingNotices.LimitReached("net", 1, 2);
        Assert.Contains(("quire.pages.limit_reached", 1.0, "quire.allocator.name=net"), _measured);
    }

    private IEnumerable<long> InUse(string allocator)
    {
        // Beyond the time for which figures of one walk are shared.
        Thread.Sleep(150);
        _measured.Clear();
        _listener.RecordObservableInstruments();
        return _measured.Where(one => one.Name == "quire.pages.count" && one.Tags.StartsWith($"quire.allocator.name={allocator},", StringComparison.Ordinal) && one.Tags.EndsWith("=in_use", StringComparison.Ordinal))
            .Select(static one => (long)one.Value);
    }

    private double Of(string name) => _measured.Single(one => one.Name == name && one.Tags == "quire.allocator.name=survey").Value;

    private double Collect(string name)
    {
        _measured.Clear();
        _listener.RecordObservableInstruments();
        return Assert.Single(_measured, measured => measured.Name == name).Value;
    }

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        // Told on a thread of the pool.
        if (instrument.Name == "quire.pages.bugs")
        {
            Interlocked.Increment(ref _bugs);
            return;
        }

        _measured.Add((instrument.Name, value, string.Join(',', tags.ToArray().Select(static tag => $"{tag.Key}={tag.Value}"))));
    }
}
