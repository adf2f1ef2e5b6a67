using System.Diagnostics;
using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>Who waits for a page goes on when what it waits for has happened, and not only when the clock says so.</summary>
/// <remarks>
/// What took less than the clock's first own look was woken. On a busy machine not every round is so quick; without the wake-up none is. Alone, since areas share what wakes who waits
/// for a migration: another test's signal would do as well.
/// </remarks>
[Collection(LedgerCollection.Name)]
public class WakeUpTests
{
    private const int Rounds = 20;

    [Fact]
    public void The_unpin_wakes_the_allocation()
    {
        using AreaFixture world = new();
        bool isWoken = AreaFixture.Once(Rounds, () =>
        {
            PagePin pin = PinElsewhere(world.Add());
            long waits = world.Area.GetStatistics().Waits;
            TestThread other = AreaFixture.Start("unpinner", () =>
            {
                world.AwaitWaiter(waits);
                Thread.Sleep(20);
                pin.Unpin();
            });
            long began = Stopwatch.GetTimestamp();
            ContiguousRange range = world.Area.Allocate(1024, deadline: AreaFixture.Long);
            TimeSpan took = Stopwatch.GetElapsedTime(began);
            other.Join();
            world.Area.Release(range);
            return took < MovablePage.ShortPinBound;
        });
        Assert.True(isWoken, "the allocation went on by the clock every time");
    }

    [Fact]
    public void A_pin_that_waits_for_an_allocation_goes_on_when_the_allocation_gives_up()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = PinElsewhere(page);
        TimeSpan deadline = TimeSpan.FromMilliseconds(40);
        bool isWoken = AreaFixture.Once(Rounds, () =>
        {
            long asked = 0;
            long pinned = 0;
            long waits = world.Area.GetStatistics().Waits;
            TestThread late = AreaFixture.Start("late", () =>
            {
                world.AwaitWaiter(waits);
                asked = Stopwatch.GetTimestamp();
                PagePin second = page.Pin();
                pinned = Stopwatch.GetTimestamp();
                second.Unpin();
            });
            long began = Stopwatch.GetTimestamp();
            Assert.False(world.Area.TryAllocate(1024, out _, out _, deadline: deadline));
            late.Join();
            Assert.True(Stopwatch.GetElapsedTime(began, pinned) >= deadline, "the pin did not wait for the allocation");

            // It was asked for while the allocation was at it, and got before its own grace was over.
            return Stopwatch.GetElapsedTime(began, asked) < deadline && Stopwatch.GetElapsedTime(asked, pinned) < MovablePage.ShortPinBound;
        });
        Assert.True(isWoken, "the pin went on by the clock every time");
        pin.Unpin();
    }

    [Fact]
    public void A_pin_that_waits_for_a_migration_goes_on_when_the_data_has_moved()
    {
        using AreaFixture world = new();
        bool isWoken = AreaFixture.Once(Rounds, () =>
        {
            MovablePage page = world.Add(seed: 5);
            PagePin pin = PinElsewhere(page);
            long waits = world.Area.GetStatistics().Waits;
            long asked = 0;
            long pinned = 0;
            long unpinned = 0;
            int place = 0;
            TestThread late = AreaFixture.Start("late", () =>
            {
                world.AwaitWaiter(waits);
                asked = Stopwatch.GetTimestamp();
                PagePin second = page.Pin();
                pinned = Stopwatch.GetTimestamp();
                place = world.IndexOf(page);
                second.Unpin();
            });
            TestThread unpinner = AreaFixture.Start("unpinner", () =>
            {
                world.AwaitWaiter(waits);
                Thread.Sleep(10);
                unpinned = Stopwatch.GetTimestamp();
                pin.Unpin();
            });
            long began = Stopwatch.GetTimestamp();
            ContiguousRange range = world.Area.Allocate(1024, deadline: AreaFixture.Long);
            TimeSpan took = Stopwatch.GetElapsedTime(began);
            world.Area.Release(range);
            late.Join();
            unpinner.Join();
            Assert.True(AreaFixture.Has(page, 5));
            world.Free(page);

            // A pin of which the grace is over is let through, and an allocation that looks by the clock may give the range up for a moment.
            if (took >= MovablePage.ShortPinBound || Stopwatch.GetElapsedTime(asked, pinned) >= MovablePage.ShortPinBound)
            {
                return false;
            }

            Assert.Equal(-1, place);
            Assert.True(pinned >= unpinned, "the pin did not wait for the migration");
            return true;
        });
        Assert.True(isWoken, "the pin or the allocation went on by the clock every time");
    }

    [Fact]
    public void A_long_term_pin_waits_for_short_pins_in_its_way_and_is_woken_by_the_unpin()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add(seed: 3);
        using ManualResetEventSlim pinned = new();
        using ManualResetEventSlim go = new();
        TestThread other = AreaFixture.Start("short", () =>
        {
            PagePin pin = page.Pin();
            pinned.Set();
            go.Wait();
            Thread.Sleep(30);
            pin.Unpin();
        });
        pinned.Wait();
        go.Set();

        // A thread without pins of its own, and no deadline: the clock ends no wait, only the unpin does.
        PagePin longTerm = default;
        AreaFixture.Start("long", () => longTerm = page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan)).Join();
        other.Join();
        Assert.Equal(-1, world.IndexOf(page));
        longTerm.Unpin();
        world.Verify();
    }

    [Fact]
    public void A_reference_put_while_an_allocation_waits_lets_it_go_on()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        Page kept = default;
        AreaFixture.Start("keeper", () => kept = AreaFixture.KeepReference(page)).Join();
        TestThread allocator = AreaFixture.Start("allocator", () => world.Area.Release(world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan)));
        world.AwaitWaiter();
        kept.Put();
        allocator.Join();
    }

    private static PagePin PinElsewhere(MovablePage page)
    {
        PagePin pin = default;
        AreaFixture.Start("pinner", () => pin = page.Pin()).Join();
        return pin;
    }
}
