using System.Diagnostics;
using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>An exception may end an allocation or a disposal at any point where it waits or asks for memory; the area is then as before.</summary>
public class InterruptionTests
{
    [Fact]
    public void An_interrupted_allocation_leaves_everything_as_it_was()
    {
        using AreaFixture world = new();
        MovablePage[] pages = world.FillArea(at => at % 3 == 0);
        PagePin pin = PinElsewhere(pages[^1]);
        string lists = world.FreeLists();
        TestThread allocator = StartInterrupted(world, () => world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan));
        allocator.Join();
        AssertOpen(world, pages[^1], pin);
        AreaFixture.AssertContent(pages);

        // What had been moved away stays there; the frames it left are free again.
        Assert.DoesNotContain("Isolated", world.FreeLists());
        Assert.NotEqual(lists, world.FreeLists());
    }

    [Fact]
    public void An_interrupt_that_comes_while_the_maps_gate_is_contended_undoes_the_attempt_all_the_same()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = PinElsewhere(page);
        bool stop = false;

        // They have the gate nearly all the time, so that the undo must wait for it; and the interrupts go on through the undo.
        TestThread[] readers = [.. Enumerable.Range(0, 2).Select(i => AreaFixture.Start($"reader {i}", () =>
        {
            while (!Volatile.Read(ref stop))
            {
                world.Area.GetStatistics();
            }
        }))];
        for (int round = 0; round < 20; round++)
        {
            bool done = false;
            TestThread allocator = AreaFixture.Start("interrupted", () =>
            {
                try
                {
                    Assert.Throws<ThreadInterruptedException>(() => world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan));
                }
                finally
                {
                    Volatile.Write(ref done, true);
                }
            });
            long began = Stopwatch.GetTimestamp();
            while (!Volatile.Read(ref done) && Stopwatch.GetElapsedTime(began) < AreaFixture.Long)
            {
                allocator.Interrupt();
                Thread.Yield();
            }

            allocator.Join();
        }

        Volatile.Write(ref stop, true);
        Array.ForEach(readers, thread => thread.Join());
        AssertOpen(world, page, pin);
    }

    [Fact]
    public void An_interrupted_disposal_leaves_the_area_open()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = PinElsewhere(page);
        StartInterrupted(world, () => DisposeUntilInterrupted(world.Area)).Join();
        AssertOpen(world, page, pin);
    }

    [Fact]
    public void A_disposal_interrupted_while_it_waits_for_an_allocation_leaves_the_area_open()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = PinElsewhere(page);
        TestThread allocator = AreaFixture.Start("waits", () => world.Area.Release(world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan)));
        world.AwaitWaiter();
        TestThread disposer = AreaFixture.Start("disposer", () => Assert.Throws<ThreadInterruptedException>(() => DisposeUntilInterrupted(world.Area)));
        Assert.True(SpinWait.SpinUntil(() => IsClosed(world.Area), AreaFixture.Long));
        disposer.Interrupt();
        disposer.Join();
        Assert.False(IsClosed(world.Area));
        pin.Unpin();
        allocator.Join();
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Fact]
    public void A_disposal_does_not_wait_for_ever_for_an_allocation_that_does()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = PinElsewhere(page);
        TestThread allocator = AreaFixture.Start("waits", () => world.Area.Release(world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan)));
        world.AwaitWaiter();
        ContiguousBusyException? thrown = null;
        AreaFixture.Start("disposer", () => thrown = Assert.Throws<ContiguousBusyException>(world.Area.Dispose)).Join();
        Assert.Contains("allocation is under way", thrown!.Message);
        Assert.Equal(pin.Page.FrameNumber, Assert.Single(thrown.Failure!.BusyPages).FrameNumber);
        pin.Unpin();
        allocator.Join();
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    public void A_reclaimer_that_throws_leaves_the_area_open_and_no_page_behind(int limitMiB)
    {
        using AreaFixture world = new(areaMiB: 4, limitMiB);
        MovablePage[] pages = world.AddMany(600);
        List<Page> outside = [];

        // Some places to move to, not enough: the last resort is asked after the first were taken.
        while (world.Allocator.TryAllocate(out Page page, out _))
        {
            outside.Add(page);
        }

        foreach (Page page in outside.Take(40))
        {
            page.Put();
        }

        bool fails = true;
        world.Allocator.AddReclaimer(_ =>
        {
            if (fails)
            {
                throw new InvalidTimeZoneException("a reclaimer that fails");
            }
        });
        long inUse = world.Allocator.GetStatistics().InUseFrames;
        Assert.Throws<InvalidTimeZoneException>(() => world.Area.Allocate(1024));
        Assert.Equal(inUse, world.Allocator.GetStatistics().InUseFrames);
        Assert.Throws<InvalidTimeZoneException>(world.Area.Dispose);
        Assert.Equal(inUse, world.Allocator.GetStatistics().InUseFrames);
        fails = false;
        world.Verify();
        AreaFixture.AssertContent(pages);
        world.Area.Release(world.Area.Allocate(400));
        Assert.False(world.Area.TryAllocate(1024, out _, out ContiguousFailure? failure));
        Assert.Equal(ContiguousFailureKind.NoMemory, failure.Kind);
        foreach (Page page in outside.Skip(40))
        {
            page.Put();
        }
    }

    /// <summary>Starts what is to wait for a pin in the area, and interrupts it there.</summary>
    private static TestThread StartInterrupted(AreaFixture world, Action waits)
    {
        TestThread thread = AreaFixture.Start("interrupted", () => Assert.Throws<ThreadInterruptedException>(waits));
        world.AwaitWaiter();
        thread.Interrupt();
        return thread;
    }

    /// <summary>Nothing is claimed, isolated or wanted: the pin is the only thing in the way.</summary>
    private static void AssertOpen(AreaFixture world, MovablePage page, PagePin pin)
    {
        Assert.False(world.Area.TryAllocate(1024, out _, out ContiguousFailure? failure, deadline: TimeSpan.Zero));
        Assert.Equal(pin.Page.FrameNumber, Assert.Single(failure.BusyPages).FrameNumber);
        world.Verify();
        double least = double.MaxValue;
        for (int i = 0; i < 20 && least >= 50; i++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            page.Pin().Unpin();
            least = Math.Min(least, watch.Elapsed.TotalMilliseconds);
        }

        Assert.True(least < 50, $"each new pin waits {least} ms or more for an attempt that is over");
        pin.Unpin();
        world.Area.Release(world.Area.Allocate(1024, deadline: TimeSpan.Zero));
        world.Verify();
    }

    /// <summary>Disposes until something else ends it than its deadline, which may be over before the interrupt comes.</summary>
    private static void DisposeUntilInterrupted(ContiguousArea area)
    {
        while (true)
        {
            try
            {
                area.Dispose();
                return;
            }
            catch (ContiguousBusyException)
            {
                // Once more.
            }
        }
    }

    private static bool IsClosed(ContiguousArea area)
    {
        try
        {
            area.Release(area.Allocate(1, deadline: TimeSpan.Zero));
            return false;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
        catch (ContiguousBusyException)
        {
            return false;
        }
    }

    private static PagePin PinElsewhere(MovablePage page)
    {
        PagePin pin = default;
        AreaFixture.Start("pinner", () => pin = page.Pin()).Join();
        return pin;
    }
}
