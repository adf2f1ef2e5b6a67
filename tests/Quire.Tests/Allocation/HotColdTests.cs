using System.Runtime.ExceptionServices;
using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>A hot page is handed out again first, a cold one last, on the per-core lists, in the magazines and between the two.</summary>
public sealed unsafe class HotColdTests
{
    [Fact]
    public void On_a_per_core_list_hot_pages_come_first_the_last_one_before_all_and_cold_ones_last()
    {
        // Clearing on free keeps the magazines out: every page goes through the core's list.
        PageAllocator allocator = Trial.Allocator(zeroOnFree: true);
        OnOneCore(() =>
        {
            allocator.DrainPerCore();
            Page[] pages = [.. Enumerable.Range(0, 5).Select(_ => allocator.Allocate())];
            uint[] frames = [.. pages.Select(page => page.FrameNumber)];
            allocator.Free(pages[0], PageTemperature.Cold);
            allocator.Free(pages[1]);
            allocator.Free(pages[2]);
            allocator.Free(pages[3], PageTemperature.Cold);
            allocator.Free(pages[4]);
            pages = [.. pages.Select(_ => allocator.Allocate())];
            uint[] order = [.. pages.Select(page => page.FrameNumber)];
            allocator.Free(pages);
            return () => Assert.Equal([frames[4], frames[2], frames[1], frames[0], frames[3]], order);
        });
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_magazine_gives_the_page_freed_last()
    {
        PageAllocator allocator = Trial.Allocator();
        Page[] pages = [.. Enumerable.Range(0, 8).Select(_ => allocator.Allocate())];
        uint[] frames = [.. pages.Select(page => page.FrameNumber)];
        allocator.Free(pages);
        pages = [.. pages.Select(_ => allocator.Allocate())];
        Assert.Equal(frames.Reverse(), pages.Select(page => page.FrameNumber));
        allocator.Free(pages);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_cold_page_is_not_kept_by_the_magazine_that_hot_ones_are_taken_from()
    {
        PageAllocator allocator = Trial.Allocator();
        Page[] pages = [.. Enumerable.Range(0, 4).Select(_ => allocator.Allocate())];
        uint cold = pages[3].FrameNumber;
        allocator.Free(pages.AsSpan(0, 3));
        allocator.Free(pages[3], PageTemperature.Cold);
        Page[] next = [.. Enumerable.Range(0, 3).Select(_ => allocator.Allocate())];
        Assert.DoesNotContain(next, page => page.FrameNumber == cold);
        allocator.Free(next);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_refill_keeps_the_order_of_the_list_that_it_comes_from()
    {
        PageAllocator allocator = Trial.Allocator();
        OnOneCore(() =>
        {
            // A thread without a magazine frees to the core's list; its first allocation then brings a batch into a new magazine.
            allocator.Reclaim();
            Page[] pages = [.. Enumerable.Range(0, 12).Select(_ => allocator.Allocate())];
            uint[] frames = [.. pages.Select(page => page.FrameNumber)];
            uint[] order = [];
            bool isOnOneCore = false;
            Trial.OnThread(() =>
            {
                // Its own core, and not the one above: nothing of the first batch is on any list.
                int core = Thread.GetCurrentProcessorId();
                allocator.Free(pages.AsSpan(0, 10));
                allocator.Free(pages.AsSpan(10), PageTemperature.Cold);
                Page[] again = [.. pages.Select(_ => allocator.Allocate())];
                order = [.. again.Select(page => page.FrameNumber)];
                allocator.Free(again);
                isOnOneCore = Thread.GetCurrentProcessorId() == core;
            });
            return isOnOneCore ? () => Assert.Equal([.. frames[..10].Reverse(), .. frames[10..]], order) : null;
        });
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_full_magazine_spills_what_was_freed_longest_ago()
    {
        PageAllocator allocator = Trial.Allocator();
        Page[] pages = [.. Enumerable.Range(0, MagazineBlock.Capacity + 1).Select(_ => allocator.Allocate(0, MigrateType.Unmovable))];
        allocator.Reclaim();
        uint[] frames = [.. pages.Select(page => page.FrameNumber)];
        allocator.Free(pages);
        PageAllocatorStatistics now = allocator.GetStatistics();
        Assert.Equal(PerCoreList.Batch, now.PerCoreFrames);
        Assert.Equal(MagazineBlock.Capacity + 1 - PerCoreList.Batch, now.MagazineFrames);
        Page[] again = [.. Enumerable.Range(0, (int)now.MagazineFrames).Select(_ => allocator.Allocate())];
        Assert.Equal(frames[PerCoreList.Batch..].Reverse(), again.Select(page => page.FrameNumber));
        allocator.Free(again);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_full_per_core_list_gives_its_coldest_back_in_a_batch()
    {
        PageAllocator allocator = Trial.Allocator(zeroOnFree: true);
        OnOneCore(() =>
        {
            allocator.DrainPerCore();
            Page[] pages = [.. Enumerable.Range(0, PerCoreList.High + 1).Select(_ => allocator.Allocate())];
            allocator.Free(pages.AsSpan(..^1));
            long full = allocator.GetStatistics().PerCoreFrames;
            allocator.Free(pages[^1]);
            PageAllocatorStatistics now = allocator.GetStatistics();
            bool coldestIsBack = PageMap.Descriptor(pages[0].FrameNumber)->State != PageState.PerCore;
            return () =>
            {
                Assert.Equal(PerCoreList.High, full);
                Assert.Equal(PerCoreList.High + 1 - PerCoreList.Batch, now.PerCoreFrames);
                Assert.True(coldestIsBack);
            };
        });
        PageOwnershipTests.AssertWhole(allocator);
    }

    /// <summary>
    /// Repeats an experiment until it has run on one core from start to end, and what came out is right. Between the same core at the start and at the end
    /// may lie a while on another one, though not every time: what is wrong is wrong in all of many rounds.
    /// </summary>
    private static void OnOneCore(Func<Action?> experiment)
    {
        const int Enough = 20;
        ExceptionDispatchInfo? wrong = null;
        for (int i = 0, judged = 0; i < 200 && judged < Enough; i++)
        {
            int core = Thread.GetCurrentProcessorId();
            Action? check = experiment();
            if (check is null || Thread.GetCurrentProcessorId() != core)
            {
                continue;
            }

            try
            {
                check();
                return;
            }
            catch (Exception thrown)
            {
                wrong = ExceptionDispatchInfo.Capture(thrown);
                judged++;
            }
        }

        wrong?.Throw();
        Assert.Skip("The system never left the thread on one core.");
    }
}
