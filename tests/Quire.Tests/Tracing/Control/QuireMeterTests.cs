using System.Diagnostics.Metrics;
using Xunit;

namespace Quire.Tests.Tracing.Control;

[Collection(LedgerCollection.Name)]
public sealed class QuireMeterTests : IDisposable
{
    private readonly Func<IEnumerable<PageMetrics>>? _hook = TracingHooks.Metrics;
    private readonly Dictionary<string, (string? Unit, Type Kind)> _instruments = [];
    private readonly List<(string Name, double Value, string Tags)> _measured = [];
    private readonly MeterListener _listener = new();
    private int _bugs;

    public QuireMeterTests()
    {
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
        TracingNotices.PageBug("x");
        Assert.True(SpinWait.SpinUntil(() => _bugs == 1, TimeSpan.FromSeconds(10)));
        TracingNotices.LimitReached("net", 1, 2);
        Assert.Contains(("quire.pages.limit_reached", 1.0, "quire.allocator.name=net"), _measured);
    }

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
