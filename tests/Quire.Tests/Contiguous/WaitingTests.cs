using System.Diagnostics;
using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>Every wait ends: by what it waits for, or by its deadline, also where somebody breaks the rules.</summary>
public class WaitingTests
{
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData(0)]
    [InlineData(150)]
    public void A_page_left_at_count_0_does_not_hold_an_allocation_past_its_deadline(int milliseconds)
    {
        using AreaFixture world = new();
        MovablePage page = MovablePage.Allocate(world.Allocator);
        PagePin pin = page.Pin();
        Page kept = pin.Page.Get();
        pin.Unpin();
        page.Free();
        Assert.True(PageRef.DecAndTest(kept));
        ContiguousFailure? failure = null;
        bool isInTime = AreaFixture.Once(10, () =>
        {
            TimeSpan took = Within(() => Assert.False(world.Area.TryAllocate(1024, out _, out failure, deadline: TimeSpan.FromMilliseconds(milliseconds))));
            Assert.True(took.TotalMilliseconds >= milliseconds, $"it gave up after {took}");
            return took.TotalMilliseconds <= milliseconds + 1500;
        });
        Assert.True(isInTime, "ten times it gave up much too late");
        BusyPage busy = Assert.Single(failure!.BusyPages);
        Assert.Equal((BusyReason.Unreferenced, 0), (busy.Reason, busy.Count));
        Assert.Contains("FreeUnreferenced", failure.ToString());
        world.Allocator.FreeUnreferenced(kept);
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Fact]
    public unsafe void A_page_left_at_count_0_does_not_hold_a_long_term_pin_past_its_deadline()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
        Assert.True(Page.TryFromFrame(PageIdentity.Frame(identity), out Page raw));
        Assert.True(PageRef.DecAndTest(raw));
        ContiguousBusyException? thrown = null;
        Within(() => thrown = Assert.Throws<ContiguousBusyException>(() => page.Pin(PinDuration.LongTerm, s_short)));
        Assert.Equal(BusyReason.Unreferenced, Assert.Single(thrown!.Failure!.BusyPages).Reason);
        PageRef.Set(PageMap.DescriptorOf(identity), 1);
        page.Pin(PinDuration.LongTerm).Unpin();
    }

    [Fact]
    public void A_deadline_beyond_the_clocks_range_is_for_ever()
    {
        foreach (TimeSpan time in new[] { TimeSpan.MaxValue, TimeSpan.FromTicks(long.MaxValue / 2), Timeout.InfiniteTimeSpan })
        {
            Assert.False(Deadline.In(time).IsOver);
            Assert.NotEqual(0, Deadline.In(time).LeftMilliseconds);
        }

        Assert.Equal(Timeout.Infinite, Deadline.In(TimeSpan.MaxValue).LeftMilliseconds);
        Assert.True(Deadline.In(TimeSpan.Zero).IsOver);
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = default;
        AreaFixture.Start("pinner", () => pin = page.Pin()).Join();
        TestThread later = AreaFixture.Start("later", () =>
        {
            Thread.Sleep(50);
            pin.Unpin();
        });
        world.Area.Release(world.Area.Allocate(1024, deadline: TimeSpan.MaxValue));
        later.Join();
    }

    [Fact]
    public void A_negative_deadline_is_refused_whatever_it_is_for()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        foreach (TimeSpan bad in new[] { TimeSpan.MinValue, TimeSpan.FromTicks(-1), TimeSpan.FromMilliseconds(-2) })
        {
            ArgumentOutOfRangeException thrown = Assert.Throws<ArgumentOutOfRangeException>(() => page.Pin(PinDuration.LongTerm, bad));
            Assert.Equal("deadline", thrown.ParamName);
            Assert.Contains("Timeout.InfiniteTimeSpan", thrown.Message);
            Assert.Equal("deadline", Assert.Throws<ArgumentOutOfRangeException>(() => page.Pin(PinDuration.Short, bad)).ParamName);
            Assert.Equal("deadline", Assert.Throws<ArgumentOutOfRangeException>(() => world.Area.TryAllocate(1, out _, out _, deadline: bad)).ParamName);
        }

        page.Pin(PinDuration.Short, TimeSpan.Zero).Unpin();
    }

    [Fact]
    public void A_long_term_pin_that_could_not_make_itself_known_as_waiting_looks_again_by_itself()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = default;
        AreaFixture.Start("pinner", () => pin = page.Pin()).Join();
        int wanters = WantAsOftenAsCanBe(page);
        TestThread waiter = AreaFixture.Start("waiter", () => page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan).Unpin());
        Thread.Sleep(50);
        EndWants(page, wanters);

        // At once after the last want: nobody is told of this end, unless the waiter was quick to make itself known, which is as good.
        pin.Unpin();
        waiter.Join();
        Assert.Equal(-1, world.IndexOf(page));
    }

    [Fact]
    public void An_attempt_that_could_not_make_itself_known_as_waiting_counts_on_no_signal()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = default;
        AreaFixture.Start("pinner", () => pin = page.Pin()).Join();
        RangeAttempt attempt = new(world.Area, world.Area.FirstFrame, 1024);
        attempt.Isolate();
        Assert.True(attempt.TryReserveDestinations(out _));
        int wanters = WantAsOftenAsCanBe(page);
        attempt.Settle();
        Assert.Equal(1, attempt.LeftCount);
        Assert.False(attempt.IsOnlyPinned);

        // With room again it makes itself known, and the end of the pin is signalled.
        EndWants(page, wanters);
        attempt.Settle();
        Assert.True(attempt.IsOnlyPinned);
        long version = MovableTable.Migrators.Version;
        pin.Unpin();
        Assert.NotEqual(version, MovableTable.Migrators.Version);
        attempt.Undo();
        world.Verify();
    }

    [Fact]
    public void A_long_term_pin_of_a_page_freed_with_its_allocator_is_told_that_it_is_stale()
    {
        PageAllocator allocator = new(new PageAllocatorOptions { LimitBytes = 16 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        MovablePage page = MovablePage.Allocate(allocator);
        page.Free();
        allocator.Dispose();

        // As if both had happened between the first look and the move.
        string message = Assert.Throws<PageBugException>(() => LongTermPinning.MoveOut(page, s_short, "Here.cs", 7, "Pinner")).Message;
        Assert.Contains("it was freed", message);
        Assert.Contains("Here.cs:7", message);
    }

    [Fact]
    public void A_put_by_a_pins_handle_is_refused_and_the_pin_goes_on()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        foreach (Action put in new Action[] { () => pin.Page.Put(), () => pin.Page.Put(1), () => world.Allocator.Free(pin.Page), () => world.Allocator.Free([pin.Page]) })
        {
            string message = Assert.Throws<PageBugException>(put).Message;
            Assert.Contains("Unpin", message);
            Assert.Contains("Pinned: WaitingTests.cs", message);
            Assert.Equal(2, PageRef.Count(pin.Page));
            Assert.True(pin.IsAlive);
        }

        // A reference of one's own is another thing.
        Page own = pin.Page.Get();
        own.Put();
        pin.Unpin();
        world.Area.Release(world.Area.Allocate(1024, deadline: TimeSpan.Zero));
        world.Free(page);
    }

    [Fact]
    public async Task A_pin_taken_on_a_pool_thread_and_ended_elsewhere_in_time_does_not_fail_that_threads_allocation()
    {
        using AreaFixture world = new();
        await Task.Run(
            () =>
            {
                WhileOwnPinEndsElsewhere(world, _ => world.Area.Release(world.Area.Allocate(1024, deadline: AreaFixture.Long)));
                WhileOwnPinEndsElsewhere(world, page => page.Pin(PinDuration.LongTerm, AreaFixture.Long).Unpin());
            },
            TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_pool_threads_own_pin_is_told_once_it_breaks_the_rule()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        await Task.Run(
            () =>
            {
                PagePin pin = page.Pin();
                Assert.Equal(BusyReason.HeldByCaller, Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan)).Failure!.BusyPages[0].Reason);
                Assert.Equal(BusyReason.HeldByCaller, Assert.Throws<ContiguousBusyException>(() => page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan)).Failure!.BusyPages[0].Reason);
                pin.Unpin();
            },
            TestContext.Current.CancellationToken).WaitAsync(AreaFixture.Long, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_page_that_others_hold_too_is_waited_for(bool longTerm)
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        AreaFixture.Start("holds one", () =>
        {
            PagePin own = page.Pin();
            PagePin other = default;
            AreaFixture.Start("holds the other", () => other = page.Pin()).Join();
            TestThread later = AreaFixture.Start("later", () =>
            {
                Thread.Sleep(30);
                own.Unpin();
                other.Unpin();
            });
            if (longTerm)
            {
                page.Pin(PinDuration.LongTerm, AreaFixture.Long).Unpin();
            }
            else
            {
                world.Area.Release(world.Area.Allocate(1024, deadline: AreaFixture.Long));
            }

            later.Join();
        }).Join();
    }

    [Fact]
    public unsafe void The_callers_own_pin_is_not_to_blame_alone_while_there_is_a_reference_that_nobody_answers_for()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin own = page.Pin();
        PageDescriptor* counted = PageMap.DescriptorOf(own.Identity);
        PageRef.AddReturn(counted, 1, "Get");
        ContiguousFailure failure = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: s_short)).Failure!;
        Assert.Equal(BusyReason.Pinned, Assert.Single(failure.BusyPages).Reason);
        PageRef.SubNotLast(counted, 1, "Put");
        failure = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: AreaFixture.Long)).Failure!;
        Assert.Equal(BusyReason.HeldByCaller, Assert.Single(failure.BusyPages).Reason);
        own.Unpin();
    }

    [Fact]
    public void When_the_others_pins_have_ended_the_callers_own_is_told_before_the_deadline()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        AreaFixture.Start("holds one", () =>
        {
            PagePin own = page.Pin();
            PagePin other = default;
            AreaFixture.Start("holds the other", () => other = page.Pin()).Join();
            TestThread later = AreaFixture.Start("later", () =>
            {
                Thread.Sleep(30);
                other.Unpin();
            });
            ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: Timeout.InfiniteTimeSpan));
            Assert.Equal(BusyReason.HeldByCaller, Assert.Single(thrown.Failure!.BusyPages).Reason);
            later.Join();
            own.Unpin();
        }).Join();
    }

    /// <summary>
    /// Does something that waits for a pin which this thread took and another ends. What ends within the bound must be waited for; where it came to its end
    /// too late, because the machine had other work to do, either answer is right, and the round is repeated.
    /// </summary>
    private static void WhileOwnPinEndsElsewhere(AreaFixture world, Action<MovablePage> waits)
    {
        bool isJudged = AreaFixture.Once(50, () =>
        {
            MovablePage page = MovablePage.Allocate(world.Allocator);
            Assert.True(world.IndexOf(page) >= 0);
            PagePin pin = page.Pin();
            long began = Stopwatch.GetTimestamp();
            TimeSpan lasted = default;
            TestThread later = AreaFixture.Start("goes on elsewhere", () =>
            {
                Thread.Sleep(30);
                pin.Unpin();
                lasted = Stopwatch.GetElapsedTime(began);
            });
            ContiguousBusyException? refused = null;
            try
            {
                waits(page);
            }
            catch (ContiguousBusyException thrown)
            {
                refused = thrown;
            }

            later.Join();
            page.Free();
            bool isInTime = lasted < MovablePage.ShortPinBound;
            Assert.True(refused is null || !isInTime, $"the pin ended after {lasted}, and yet: {refused}");
            return isInTime;
        });
        Assert.True(isJudged, "the pin never ended in time");
    }

    private static unsafe int WantAsOftenAsCanBe(MovablePage page)
    {
        Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
        int wanters = 0;
        while (MovableTable.TryWant(PageMap.DescriptorOf(identity), out _, out _))
        {
            wanters++;
        }

        Assert.Equal(1023, wanters);
        return wanters;
    }

    private static void EndWants(MovablePage page, int wanters)
    {
        for (int i = 0; i < wanters; i++)
        {
            MovableTable.EndWant(page.Index, page.Generation);
        }
    }

    /// <summary>How long something takes, on a thread of its own, so that one that never ends fails the test.</summary>
    private static TimeSpan Within(Action action)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using ManualResetEventSlim ended = new();
        TestThread thread = AreaFixture.Start("bounded", () =>
        {
            try
            {
                action();
            }
            finally
            {
                ended.Set();
            }
        });
        Assert.True(ended.Wait(AreaFixture.Long), "it did not end");
        TimeSpan took = watch.Elapsed;
        thread.Join();
        return took;
    }
}
