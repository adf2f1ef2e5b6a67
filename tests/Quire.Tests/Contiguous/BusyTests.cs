using System.Diagnostics;
using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>What an allocation says, and when, while pages would not move.</summary>
public class BusyTests
{
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(200);

    [Fact]
    public void A_busy_page_is_named_with_count_file_line_member_thread_and_age()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = default;
        AreaFixture.Start("pinner thread", () => pin = KeepPinned(page)).Join();
        Thread.Sleep(50);
        ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: s_short));
        BusyPage busy = Assert.Single(thrown.Failure!.BusyPages);
        Assert.Equal((2, 1, BusyReason.Pinned), (busy.Count, busy.ExpectedCount, busy.Reason));
        Assert.Equal(pin.Page.FrameNumber, busy.FrameNumber);
        Assert.InRange(busy.HeldFor.TotalMilliseconds, 200, 20_000);
        Holder holder = Assert.Single(busy.Blocking);
        Assert.Equal(nameof(KeepPinned), holder.Taken.Site.Member);
        Assert.Equal("pinner thread", holder.Taken.ThreadName);
        string[] lines = thrown.Message.Split('\n', StringSplitOptions.TrimEntries);
        Assert.StartsWith("busy: no range of 1024 pages (4 MiB) in contiguous area 'test area'", lines[0]);
        Assert.Contains("1 page would not move", lines[0]);
        Assert.Contains("refs 2 (expected 1 to migrate: 1 too many)", lines[1]);
        Assert.Matches(@"HELD  BusyTests\.cs:\d+ KeepPinned, T\d+ ""pinner thread"", (\d+ ms|\d+\.\d s) ago  \(pin\)", lines[2]);
        Assert.StartsWith("next: a short pin must end within 100 ms", lines[^1]);
        pin.Unpin();
        world.Verify();
    }

    [Fact]
    public void Every_busy_page_is_reported_with_all_its_holders_not_only_the_first()
    {
        using AreaFixture world = new();
        MovablePage[] pages = world.FillArea(at => at % 10 == 0);
        List<PagePin> pins = [];
        AreaFixture.Start("pinner", () =>
        {
            for (int i = 0; i < 30; i++)
            {
                pins.Add(pages[i].Pin());
                pins.Add(pages[i].Pin());
            }
        }).Join();
        Assert.False(world.Area.TryAllocate(1024, out _, out ContiguousFailure? failure, deadline: s_short));
        Assert.Equal(ContiguousFailureKind.Busy, failure.Kind);
        Assert.Equal(30, failure.BusyPages.Count);
        Assert.All(failure.BusyPages, busy => Assert.Equal((3, 2), (busy.Count, busy.Blocking.Count())));
        Assert.Equal(pins.Select(pin => pin.Page.FrameNumber).Distinct().Order(), failure.BusyPages.Select(busy => busy.FrameNumber));
        Assert.Contains("(+10 more pages", failure.ToString());
        pins.ForEach(pin => pin.Unpin());
        AreaFixture.AssertContent(pages);
        world.Verify();
    }

    [Fact]
    public void A_pin_of_the_caller_itself_is_reported_at_once()
    {
        using AreaFixture world = new();
        MovablePage own = world.Add();
        MovablePage other = world.Add();
        PagePin otherPin = default;
        AreaFixture.Start("other", () => otherPin = other.Pin()).Join();

        // No deadline would end a wait for itself.
        AreaFixture.Start("caller", () =>
        {
            PagePin ownPin = own.Pin();
            ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan));
            Assert.Equal([BusyReason.HeldByCaller, BusyReason.Pinned], thrown.Failure!.BusyPages.Select(page => page.Reason).Order().Reverse());
            Assert.Contains("end your own pins", thrown.Message);
            ownPin.Unpin();
        }).Join();
        otherPin.Unpin();
        world.Verify();
    }

    [Fact]
    public void Another_range_is_taken_where_the_first_has_a_pin_of_the_caller()
    {
        using AreaFixture world = new(areaMiB: 8);
        MovablePage[] pages = world.FillArea(at => at == 100);
        AreaFixture.Start("caller", () =>
        {
            PagePin pin = pages[0].Pin();
            ContiguousRange range = world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan);
            Assert.True(pin.IsAlive);
            pin.Unpin();
            world.Area.Release(range);
        }).Join();
    }

    [Fact]
    public void Another_range_is_taken_before_waiting_for_anybody()
    {
        using AreaFixture world = new(areaMiB: 8);
        MovablePage[] pages = world.FillArea(at => at is 100 or 1500);
        PagePin pin = default;
        AreaFixture.Start("other", () => pin = pages.Single(page => world.IndexOf(page) == 100).Pin()).Join();
        ContiguousRange range = world.Area.Allocate(1024, deadline: TimeSpan.Zero);
        Assert.Equal(0, world.Area.GetStatistics().Waits);
        world.Area.Release(range);
        pin.Unpin();
    }

    [Fact]
    public void A_range_that_becomes_free_is_taken_while_another_still_waits_for_a_pin_that_breaks_the_rule()
    {
        using AreaFixture world = new(areaMiB: 8);
        MovablePage[] pages = world.FillArea(at => at is 100 or 1500);
        PagePin stays = default;
        PagePin ends = default;
        AreaFixture.Start("other", () =>
        {
            stays = pages.Single(page => world.IndexOf(page) == 100).Pin();
            ends = pages.Single(page => world.IndexOf(page) == 1500).Pin();
        }).Join();

        // Between the two pins are 1,399 frames: whatever range is tried first, one of them is in it.
        ContiguousRange range = default;
        TestThread allocator = AreaFixture.Start("allocator", () => range = world.Area.Allocate(1400, deadline: Timeout.InfiniteTimeSpan));
        world.AwaitWaiter();
        ends.Unpin();
        allocator.Join();
        Assert.True(stays.IsAlive);
        Assert.Equal(world.Area.FirstFrame + 101, range.FirstFrame);
        world.Area.Release(range);
        stays.Unpin();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(300)]
    public void The_deadline_is_kept_neither_earlier_nor_much_later(int milliseconds)
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = default;
        AreaFixture.Start("other", () => pin = page.Pin()).Join();
        bool isKept = AreaFixture.Once(10, () =>
        {
            Stopwatch watch = Stopwatch.StartNew();
            Assert.False(world.Area.TryAllocate(1024, out _, out ContiguousFailure? failure, deadline: TimeSpan.FromMilliseconds(milliseconds)));
            TimeSpan took = watch.Elapsed;
            Assert.InRange(failure.Duration.TotalMilliseconds, milliseconds, took.TotalMilliseconds);
            return took.TotalMilliseconds <= milliseconds + 1000;
        });
        Assert.True(isKept, "ten times it gave up more than a second late");
        pin.Unpin();
    }

    [Fact]
    public void A_busy_failure_leaves_everything_as_it_was()
    {
        using AreaFixture world = new(areaMiB: 8);
        MovablePage[] pages = world.FillArea(at => at % 3 == 0);
        PagePin pin = default;
        AreaFixture.Start("other", () => pin = pages[^1].Pin()).Join();
        ContiguousAreaStatistics before = world.Area.GetStatistics();
        uint frame = pin.Page.FrameNumber;
        Assert.False(world.Area.TryAllocate(2048, out _, out _, deadline: TimeSpan.Zero));
        pin.Unpin();
        Assert.Equal(before.Pages, before.FreePages + before.LentPages);
        AreaFixture.AssertContent(pages);
        Assert.Equal((0, 2048), (world.Area.GetStatistics().AllocatedPages, world.Area.GetStatistics().LargestRun));
        Assert.Equal(frame, Locate(pages[^1]));
        world.Verify();
        Assert.DoesNotContain("Isolated", world.FreeLists());
    }

    [Fact]
    public void An_undo_of_an_empty_range_leaves_the_free_lists_block_for_block()
    {
        using AreaFixture world = new(areaMiB: 8);
        MovablePage page = world.FillArea(at => at == 700)[0];
        PagePin pin = default;
        AreaFixture.Start("other", () => pin = page.Pin()).Join();
        string lists = world.FreeLists();
        Assert.False(world.Area.TryAllocate(2048, out _, out _, deadline: TimeSpan.Zero));
        Assert.False(world.Area.TryAllocate(1500, out _, out _, deadline: TimeSpan.FromMilliseconds(30)));
        Assert.Equal(lists, world.FreeLists());
        pin.Unpin();
        world.Verify();
    }

    [Fact]
    public void Nothing_is_left_marked_after_a_failure_and_new_pins_do_not_wait()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = default;
        AreaFixture.Start("other", () => pin = page.Pin()).Join();
        Assert.False(world.Area.TryAllocate(1024, out _, out _, deadline: s_short));
        double least = double.MaxValue;
        for (int i = 0; i < 20 && least >= 90; i++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            page.Pin().Unpin();
            least = Math.Min(least, watch.Elapsed.TotalMilliseconds);
        }

        Assert.True(least < 90, $"every pin waited {least} ms or more for an allocation that had given up");
        pin.Unpin();
        world.Verify();
    }

    [Fact]
    public void A_block_in_two_ranges_is_lent_again_only_when_both_are_done_with_it()
    {
        using AreaFixture world = new();
        MovablePage[] pages = world.FillArea(at => at is 50 or 150);
        uint first = world.Area.FirstFrame;

        // A thread that changed its core while it freed left some on the other's list; drained after the isolation they would be counted as left.
        world.Allocator.DrainPerCore();
        RangeAttempt left = new(world.Area, first, 100);
        RangeAttempt right = new(world.Area, first + 100, 100);
        left.Isolate();
        right.Isolate();
        Assert.Equal((1, 1), (left.LeftCount, right.LeftCount));
        Assert.Equal(MigrateType.Isolated, BuddyZone.BlockTypeOf(first));
        left.Undo();
        Assert.Equal(MigrateType.Isolated, BuddyZone.BlockTypeOf(first));
        for (int i = 0; i < 600; i++)
        {
            int at = world.IndexOf(world.Add());
            Assert.True(at is < 0 or >= 512, $"frame {at} was given out while its block was isolated");
        }

        right.Undo();
        Assert.Equal(MigrateType.Contiguous, BuddyZone.BlockTypeOf(first));
        Assert.Equal(50, pages.Min(world.IndexOf));
        world.Verify();
    }

    [Fact]
    public void A_reference_kept_past_its_pin_makes_the_page_busy_and_is_untracked_while_tracking_is_off()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        Page kept = default;
        AreaFixture.Start("keeper", () =>
        {
            PagePin pin = page.Pin();
            kept = pin.Page.Get();
            pin.Unpin();
        }).Join();
        ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: s_short));
        BusyPage busy = Assert.Single(thrown.Failure!.BusyPages);
        Assert.Equal((2, 1, BusyReason.Referenced), (busy.Count, busy.ExpectedCount, busy.Reason));
        if (!Holders.IsTracking)
        {
            Assert.Equal(1, busy.Untracked);
            Assert.Contains("1 reference untracked", thrown.Message);
            Assert.Contains("Holders.Track", thrown.Message);
        }

        kept.Put();
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Fact]
    public void A_page_freed_while_references_are_left_makes_its_range_busy_until_they_are_put()
    {
        using AreaFixture world = new();
        MovablePage page = MovablePage.Allocate(world.Allocator);
        Page kept = default;
        AreaFixture.Start("keeper", () => kept = AreaFixture.KeepReference(page)).Join();
        page.Free();
        ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: s_short));
        Assert.Equal(BusyReason.FreedButReferenced, Assert.Single(thrown.Failure!.BusyPages).Reason);
        world.Verify();
        kept.Put();
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Fact]
    public void A_pin_taken_over_by_another_thread_is_blamed_on_that_thread()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        AreaFixture.Start("heir", () => TakeOver(pin)).Join();
        ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: s_short));
        Assert.Contains("TakeOver", thrown.Message);
        Assert.Contains("heir", thrown.Message);
        Assert.Equal(BusyReason.Pinned, Assert.Single(thrown.Failure!.BusyPages).Reason);
        pin.Unpin();
    }

    private static PagePin KeepPinned(MovablePage page) => page.Pin();

    private static void TakeOver(PagePin pin) => Assert.True(pin.Transfer());

    private static uint Locate(MovablePage page)
    {
        Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
        return PageIdentity.Frame(identity);
    }
}
