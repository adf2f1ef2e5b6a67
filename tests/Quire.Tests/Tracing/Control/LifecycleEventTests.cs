using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>What allocators and areas tell of by themselves, with no lock held.</summary>
[Collection(LedgerCollection.Name)]
public sealed class LifecycleEventTests
{
    [Fact]
    public void A_trim_tells_what_it_gave_back_and_why_and_one_that_gave_nothing_is_silent()
    {
        using Listener listener = new("trims");
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "trims", LimitBytes = 64 << 20, TrimInterval = Timeout.InfiniteTimeSpan, KeepBytes = 0 });
        allocator.Allocate(order: 10).Put();
        long asked = allocator.Trim();
        Assert.Equal(("MemoryTrimmed", $"trims {asked} asked"), listener.Events.Last());
        allocator.Allocate(order: 10).Put();
        Assert.Equal(0, allocator.TrimIdle());
        long idle = allocator.TrimIdle();
        Assert.True(idle > 0);
        Assert.Equal(("MemoryTrimmed", $"trims {idle} idle"), listener.Events.Last());
        int told = listener.Events.Count;
        Assert.Equal(0, allocator.Trim());
        Assert.Equal(told, listener.Events.Count);
        Assert.Equal(asked + idle, allocator.DecommittedEver);
        Assert.Equal(allocator.DecommittedEver - (allocator.GetStatistics().DecommittedFrames * 4096), allocator.CommittedEver - allocator.GetStatistics().ManagedBytes);
    }

    [Fact]
    public void A_range_that_can_t_be_emptied_and_one_that_can_are_told_of_while_a_listener_may_use_the_area()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "pins", LimitBytes = 64 << 20 });
        using ContiguousArea area = ContiguousArea.Reserve(allocator, 4 << 20, "pins");
        // A lock held while listeners run would be found here: the statistics take the area's.
        using Listener listener = new("pins", () => Assert.True(Task.Run(area.GetStatistics).Wait(TimeSpan.FromSeconds(60))));
        MovablePage page = area.AllocateMovable();
        PagePin pin = page.Pin();
        Assert.False(area.TryAllocate(area.Pages, out _, out _, deadline: TimeSpan.FromMilliseconds(150)));
        pin.Unpin();
        Assert.Contains(("MigrationFailed", $"pins {area.FirstFrame} 1024 0 1"), listener.Events);
        Assert.Contains(listener.Events, static one => one.Name == "ContiguousAllocationFailed");
        ContiguousRange range = area.Allocate(area.Pages);
        Assert.Contains(listener.Events, static one => one.Name == "ContiguousAllocated" && one.Fields.StartsWith("pins 1024 ", StringComparison.Ordinal));
        Assert.Equal(1, area.GetStatistics().PagesMigrated);
        area.Release(range);
        page.Free();
        Assert.DoesNotContain(listener.Faults, static _ => true);
    }

    [Fact]
    public void Who_hears_of_a_range_given_up_finds_the_area_as_it_was_and_can_allocate_in_it()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "given up", LimitBytes = 64 << 20 });
        using ContiguousArea area = ContiguousArea.Reserve(allocator, 4 << 20, "given up");
        bool isInside = false;
        List<bool> got = [];
        using Listener listener = new("given up", () =>
        {
            if (!isInside)
            {
                isInside = true;
                bool has = area.TryAllocate(1, out ContiguousRange range, out _, deadline: TimeSpan.Zero);
                if (has)
                {
                    area.Release(range);
                }

                got.Add(has);
                isInside = false;
            }
        });
        MovablePage page = area.AllocateMovable();
        PagePin pin = page.Pin();
        Assert.False(area.TryAllocate(area.Pages, out _, out _, deadline: TimeSpan.FromMilliseconds(50)));
        pin.Unpin();
        page.Free();
        Assert.Contains(listener.Events, static one => one.Name == "MigrationFailed");
        Assert.NotEmpty(got);
        Assert.DoesNotContain(false, got);
        Assert.Empty(listener.Faults);
    }

    [Fact]
    public void An_area_is_among_the_metrics_from_its_reservation_to_its_end()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "areas", LimitBytes = 64 << 20 });
        ContiguousArea area = ContiguousArea.Reserve(allocator, 4 << 20, "metered");
        MovablePage page = area.AllocateMovable();
        AreaMetrics metrics = Assert.Single(TracingHooks.Areas!(), static one => one.Area == "metered");
        Assert.Equal(new AreaMetrics("metered", 1023, 1, 0, 0, 0), metrics);

        long moves = TracingHooks.LongTermMoves!();
        page.Pin(PinDuration.LongTerm).Unpin();
        Assert.Equal(moves + 1, TracingHooks.LongTermMoves!());
        page.Free();
        area.Dispose();
        Assert.DoesNotContain(TracingHooks.Areas!(), static one => one.Area == "metered");
    }

    [Fact]
    public void A_pool_tells_of_its_beginning_and_its_end_and_its_figures_add_up_between()
    {
        using Listener listener = new("metered pool");
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Name = "metered pool", LimitBytes = 64 << 20, TrimInterval = Timeout.InfiniteTimeSpan, KeepBytes = 0 });
        Assert.Contains(("PoolCreated", $"metered pool metered pool {64 << 20}"), listener.Events);
        PageMemory small = pool.Rent(1000), large = pool.Rent(10_000);
        PoolMetrics now = Now();
        Assert.Equal((11_000, 11_000, 4 << 20, 0), (now.Rented, now.Out, now.Allocated, now.Evicted));
        Assert.Equal((4 << 20) - pool.Allocator.GetStatistics().InUseBytes, now.Pooled);

        // What is rented only grows; a slice is rented too.
        PageMemory slice = large.Slice(0, 500);
        large.Dispose();
        small.Dispose();
        now = Now();
        Assert.Equal((11_500, 500), (now.Rented, now.Out));
        slice.Dispose();
        Assert.Equal(0, Now().Out);

        long given = pool.Allocator.Trim();
        now = Now();
        Assert.Equal((given, 4 << 20), (now.Evicted, now.Allocated));
        Assert.Equal((4 << 20) - given - pool.Allocator.GetStatistics().InUseBytes, now.Pooled);
        pool.Dispose();
        Assert.Contains(("PoolDisposed", "metered pool"), listener.Events);
        pool.Dispose();
        Assert.Single(listener.Events, static one => one.Name == "PoolDisposed");
        Assert.DoesNotContain(TracingHooks.Pools!(), static one => one.Pool == "metered pool");

        static PoolMetrics Now() => Assert.Single(TracingHooks.Pools!(), static one => one.Pool == "metered pool");
    }

    private sealed class Listener : EventListener
    {
        private readonly string _name;
        private readonly Action? _meanwhile;

        internal Listener(string name, Action? meanwhile = null)
        {
            (_name, _meanwhile) = (name, meanwhile);
            EnableEvents(QuireEventSource.Log, EventLevel.Verbose, EventKeywords.All);
        }

        internal ConcurrentQueue<(string Name, string Fields)> Events { get; } = [];

        internal ConcurrentQueue<Exception> Faults { get; } = [];

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            // Events may come before this constructor has run.
            if (_name is not null && eventData.EventSource.Name == "Quire" && (string)eventData.Payload![0]! == _name)
            {
                Events.Enqueue((eventData.EventName!, string.Join(' ', eventData.Payload!)));
                try
                {
                    _meanwhile?.Invoke();
                }
                catch (Exception fault)
                {
                    Faults.Enqueue(fault);
                }
            }
        }
    }
}
