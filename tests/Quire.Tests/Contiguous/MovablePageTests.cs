using System.Diagnostics;
using Xunit;

namespace Quire.Tests.Contiguous;

public unsafe class MovablePageTests
{
    [Fact]
    public void A_movable_page_has_bytes_while_it_is_pinned()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        Assert.Equal(MovablePage.Size, pin.Span.Length);
        Assert.Equal(2, PageRef.Count(pin.Page));
        pin.Span[5] = 7;
        Assert.Equal(7, pin.Address[5]);
        pin.Unpin();
        Assert.False(pin.IsAlive);
    }

    [Fact]
    public void Pins_may_overlap_and_each_counts()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin[] pins = [page.Pin(), page.Pin(), page.Pin()];
        Assert.Equal(4, PageRef.Count(pins[0].Page));
        Assert.Equal(3, Holders.Of(pins[0].Page).Entries.Count(holder => holder.Kind == HolderKind.Pin));
        foreach (PagePin pin in pins)
        {
            pin.Unpin();
        }

        world.Verify();
    }

    [Fact]
    public void A_second_unpin_names_both_places_and_changes_nothing()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin other = page.Pin();
        PagePin pin = page.Pin();
        pin.Unpin();
        PageBugException thrown = Assert.Throws<PageBugException>(() => pin.Unpin());
        Assert.Contains("First end: MovablePageTests.cs:", thrown.Message);
        Assert.Contains("This unpin: MovablePageTests.cs:", thrown.Message);
        Assert.Equal(2, PageRef.Count(other.Page));
        Assert.True(other.IsAlive);
        other.Unpin();
    }

    [Fact]
    public void A_pin_that_has_ended_gives_no_bytes()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        pin.Unpin();
        Assert.Contains("Ended: MovablePageTests.cs:", Assert.Throws<PageBugException>(() => pin.Span.Length).Message);
        Assert.Throws<PageBugException>(() => (nint)pin.Address);
        Assert.Throws<PageBugException>(() => pin.Page.Span.Length);
        Assert.Throws<PageBugException>(() => default(PagePin).Span.Length);
        Assert.Throws<PageBugException>(() => default(PagePin).Unpin());
    }

    [Fact]
    public void A_page_handle_from_a_pin_is_stale_once_the_data_has_moved()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        Page handle = pin.Page;
        Assert.True(handle.IsAlive);
        pin.Unpin();
        ContiguousRange range = world.Area.Allocate(1024);
        Assert.False(handle.IsAlive);
        Assert.Throws<PageBugException>(() => handle.Get());
        Assert.False(handle.TryGet(out _, out PageGetFailure failure));
        Assert.Equal(PageGetFailure.Freed, failure);
        world.Area.Release(range);
    }

    [Fact]
    public void A_default_or_made_up_handle_is_found()
    {
        Assert.Contains("never was", Assert.Throws<PageBugException>(() => default(MovablePage).Pin()).Message);
        Assert.Throws<PageBugException>(() => default(MovablePage).Free());
        Assert.Throws<PageBugException>(() => new MovablePage(uint.MaxValue, 1).Pin());
        Assert.Throws<PageBugException>(() => new MovablePage(1, 0).Pin());
        Assert.Throws<PageBugException>(() => new MovablePage(1, uint.MaxValue).Free());
        Assert.False(default(MovablePage).IsAlive);
    }

    [Fact]
    public void A_pinned_page_is_not_freed_and_the_pins_are_named()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        PageBugException thrown = Assert.Throws<PageBugException>(() => page.Free());
        Assert.Contains("Pinned: MovablePageTests.cs", thrown.Message);
        Assert.True(AreaFixture.Has(page, 1));
        pin.Unpin();
    }

    [Fact]
    public void A_pin_may_end_on_another_thread()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        AreaFixture.Start("other", () => pin.Unpin()).Join();
        Assert.False(PinThread.Current.HoldsAny);
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Fact]
    public void A_lease_ends_its_pin_unless_it_is_detached()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin;
        using (PinLease lease = page.Pin().Lease())
        {
            pin = lease.Pin;
            Assert.Equal(MovablePage.Size, lease.Span.Length);
        }

        Assert.False(pin.IsAlive);
        using (PinLease lease = page.Pin().Lease())
        {
            pin = lease.Detach();
        }

        Assert.True(pin.IsAlive);
        pin.Unpin();
    }

    [Fact]
    public void Pins_are_recorded_whether_or_not_tracking_is_on()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        Holder holder = Assert.Single(Holders.Of(pin.Page).Entries, static entry => entry.Kind == HolderKind.Pin);
        Assert.Equal(nameof(Pins_are_recorded_whether_or_not_tracking_is_on), holder.Taken.Site.Member);
        Assert.Equal(Environment.CurrentManagedThreadId, holder.Taken.ThreadId);
        pin.Unpin();
    }

    [Fact]
    public void Pinning_and_unpinning_allocate_nothing()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        Assert.Equal(0, LeastAllocated(() =>
        {
            PagePin pin = page.Pin();
            pin.Span[0]++;
            pin.Unpin();
        }));
    }

    [Fact]
    public void Allocating_and_freeing_movable_pages_allocate_nothing()
    {
        using AreaFixture world = new();
        PageAllocator allocator = world.Allocator;
        Assert.Equal(0, LeastAllocated(() => MovablePage.Allocate(allocator).Free()));
    }

    /// <summary>Bytes that 1,000 calls allocate on the GC heap.</summary>
    private static long LeastAllocated(Action action) => Garbage.Least(10, () =>
    {
        for (int i = 0; i < 1_000; i++)
        {
            action();
        }
    });

    [Fact]
    public void A_reference_put_that_was_the_tables_own_is_found_by_the_next_pin()
    {
        // Misuse that costs the page: so with an allocator of its own, which is left behind.
#pragma warning disable QUIRE001 // Neither can be released any more: that is what is tested.
        PageAllocator allocator = new(new PageAllocatorOptions { LimitBytes = 4 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        MovablePage page = MovablePage.Allocate(allocator);
#pragma warning restore QUIRE001
        Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
        Assert.True(Page.TryFromFrame(PageIdentity.Frame(identity), out Page raw));
        raw.Put();
        Assert.Contains("did not own", Assert.Throws<PageBugException>(() => page.Pin()).Message);
    }

    [Fact]
    public void Long_term_pins_move_the_page_out_of_the_area_first()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add(seed: 9);
        Assert.True(world.IndexOf(page) >= 0);
        PagePin pin = page.Pin(PinDuration.LongTerm);
        Assert.Equal(-1, world.IndexOf(page));
        Assert.Equal(HolderKind.LongTermPin, Assert.Single(Holders.Of(pin.Page).Entries, static entry => entry.Kind != HolderKind.Movable).Kind);
        Assert.True(AreaFixture.Has(page, 9));
        ContiguousRange range = world.Area.Allocate(1024, deadline: TimeSpan.Zero);
        Assert.True(pin.IsAlive);
        world.Area.Release(range);
        pin.Unpin();
        world.Verify();
    }

    [Fact]
    public void A_long_term_pin_gives_up_at_its_deadline_and_names_the_short_pin()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = default;
        AreaFixture.Start("short pinner", () => pin = page.Pin()).Join();
        TimeSpan deadline = TimeSpan.FromMilliseconds(150);
        bool isInTime = AreaFixture.Once(10, () =>
        {
            Stopwatch watch = Stopwatch.StartNew();
            ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => page.Pin(PinDuration.LongTerm, deadline));
            TimeSpan took = watch.Elapsed;
            Assert.True(took >= deadline, $"it gave up after {took}");
            Assert.Contains("short pinner", thrown.Message);
            Assert.Contains(nameof(A_long_term_pin_gives_up_at_its_deadline_and_names_the_short_pin), thrown.Message);
            return took < TimeSpan.FromSeconds(3);
        });
        Assert.True(isInTime, "ten times it gave up much too late");
        pin.Unpin();
        page.Pin(PinDuration.LongTerm).Unpin();
        world.Verify();
    }

    [Fact]
    public void A_long_term_pin_over_the_callers_own_short_pin_is_told_at_once()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();

        // No deadline would end a wait for itself.
        AreaFixture.Start("caller", () =>
        {
            PagePin pin = page.Pin();
            ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan));
            Assert.Equal(BusyReason.HeldByCaller, thrown.Failure!.BusyPages[0].Reason);
            pin.Unpin();
        }).Join();
        world.Verify();
    }

    [Fact]
    public void A_long_term_pin_without_a_page_to_move_to_fails_clearly()
    {
        using AreaFixture world = new(areaMiB: 4, limitMiB: 4);
        MovablePage page = world.Add();
        PageLimitException thrown = Assert.Throws<PageLimitException>(() => page.Pin(PinDuration.LongTerm));
        Assert.Contains("outside the contiguous area", thrown.Message);
        Assert.True(AreaFixture.Has(page, 1));
        world.Verify();
    }
}
