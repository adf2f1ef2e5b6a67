using Quire.Tests.Regions;
using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>Out of memory, at the limit, fragmented: each is an answer of its own, and what was there before still stands.</summary>
public sealed unsafe class PageLimitTests
{
    [Fact]
    public void At_the_limit_every_frame_is_in_use_and_the_next_page_is_refused_by_that_name()
    {
        PageAllocator allocator = Trial.Allocator(8 * Trial.MiB);
        List<Page> pages = [];
        while (allocator.TryAllocate(out Page page, out AllocationFailure failure) || !Refused(failure, AllocationFailure.LimitReached))
        {
            pages.Add(page);
        }

        Assert.Equal(2 * PageMap.SectionFrames, pages.Count);
        PageAllocatorStatistics full = allocator.GetStatistics();
        PageLimitException limit = Assert.Throws<PageLimitException>(() => allocator.Allocate());
        Assert.Equal(AllocationFailure.LimitReached, limit.Failure);
        Assert.Contains($"at most {8 * Trial.MiB} bytes", limit.Message, StringComparison.Ordinal);
        Assert.Throws<PageLimitException>(() => allocator.Allocate(10));
        Assert.Equal(full, allocator.GetStatistics());
        allocator.Verify();
        pages[7].Put();
        Assert.Equal(pages[7].FrameNumber, (pages[7] = allocator.Allocate()).FrameNumber);
        allocator.Free([.. pages]);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void Free_memory_in_pieces_is_told_from_none()
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        Page[] pages = [.. Enumerable.Range(0, PageMap.SectionFrames).Select(_ => allocator.Allocate())];
        Page[] sorted = [.. pages.OrderBy(page => page.FrameNumber)];
        for (int i = 0; i < sorted.Length; i += 2)
        {
            sorted[i].Put();
        }

        PageFragmentationException fragmented = Assert.Throws<PageFragmentationException>(() => allocator.Allocate(1));
        Assert.Equal(AllocationFailure.Fragmented, fragmented.Failure);
        Assert.Throws<PageFragmentationException>(() => allocator.Allocate(9));
        Assert.Throws<PageLimitException>(() => allocator.Allocate(10));
        allocator.Verify();
        Assert.Equal(512, allocator.GetStatistics().FreeFrames);
        sorted[1].Put();
        Page pair = allocator.Allocate(1);
        Assert.Equal(sorted[0].FrameNumber, pair.FrameNumber);
        pair.Put();
        for (int i = 3; i < sorted.Length; i += 2)
        {
            sorted[i].Put();
        }

        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void Memory_that_the_system_refuses_is_out_of_memory_and_comes_when_the_system_gives_again()
    {
        HostileRegionProvider hostile = new();
        PageAllocator allocator = Trial.Allocator(provider: hostile);
        hostile.Fail(HostileCall.Reserve, nth: 1, times: 4);
        Assert.Throws<PageOutOfMemoryException>(() => allocator.Allocate());
        Assert.Equal(0, allocator.GetStatistics().ManagedFrames);
        allocator.Verify();

        Page page = AllocateAfter(allocator, hostile, HostileCall.Reserve);
        hostile.Fail(HostileCall.Commit, nth: 1, times: 4);
        Assert.False(allocator.TryAllocate(out Page none, out AllocationFailure failure, 10));
        Assert.Equal(AllocationFailure.OutOfMemory, failure);
        Assert.Equal(default, none);
        Assert.Equal(PageMap.SectionFrames, allocator.GetStatistics().ManagedFrames);
        allocator.Verify();
        AllocateAfter(allocator, hostile, HostileCall.Commit).Put();
        page.Put();
        PageOwnershipTests.AssertWhole(allocator);
        Assert.Equal(0, hostile.LiveRegions);
    }

    [Fact]
    public void Where_a_large_reservation_is_refused_a_section_alone_will_do()
    {
        HostileRegionProvider hostile = new();
        hostile.Fail(HostileCall.Reserve, nth: 1, RegionFailure.AddressSpaceExhausted);
        PageAllocator allocator = Trial.Allocator(provider: hostile);
        allocator.Allocate().Put();
        Assert.Equal(PageMap.SectionFrames, allocator.GetStatistics().ManagedFrames);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(64)]
    public void A_provider_that_breaks_its_promise_is_named_as_that(int misalignBy)
    {
        HostileRegionProvider hostile = new() { MisalignBy = (nuint)misalignBy };
        PageAllocator allocator = Trial.Allocator(provider: hostile);
        Assert.Equal(AllocationFailure.BrokenProvider, Assert.Throws<PageAllocationException>(() => allocator.Allocate()).Failure);
        Assert.False(allocator.TryAllocate(out _, out AllocationFailure failure, 3));
        Assert.Equal(AllocationFailure.BrokenProvider, failure);
        Assert.Equal(0, hostile.LiveRegions);
        allocator.Verify();
        allocator.Dispose();
    }

    [Fact]
    public void Memory_comes_in_sections_as_it_is_needed_up_to_the_limit_rounded_down()
    {
        PageAllocator allocator = Trial.Allocator((12 * Trial.MiB) + 4095);
        Assert.Equal(12 * Trial.MiB, allocator.LimitBytes);
        Assert.Equal(0, allocator.GetStatistics().ManagedBytes);
        Page[] pages = new Page[3];
        for (int i = 0; i < 3; i++)
        {
            pages[i] = allocator.Allocate(Page.MaxOrder);
            Assert.Equal((i + 1) * 4 * Trial.MiB, allocator.GetStatistics().ManagedBytes);
        }

        Assert.Throws<PageLimitException>(() => allocator.Allocate(Page.MaxOrder));
        allocator.Free(pages);
        PageOwnershipTests.AssertWhole(allocator);
        Assert.Throws<ArgumentOutOfRangeException>(() => Trial.Allocator((4 * Trial.MiB) - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Trial.Allocator(-1));
    }

    [Fact]
    public void Pages_that_lie_with_other_threads_and_cores_are_reclaimed_before_an_allocation_fails()
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        using Barrier barrier = new(4);
        List<Page> got = [];
        Trial.OnThreads(4, number =>
        {
            if (number > 0)
            {
                // Live threads with full magazines, and what they spilled on the lists of their cores.
                Page[] pages = [.. Enumerable.Range(0, 150).Select(_ => allocator.Allocate())];
                barrier.SignalAndWait();
                allocator.Free(pages);
                barrier.SignalAndWait();
                barrier.SignalAndWait();
                return;
            }

            barrier.SignalAndWait();
            barrier.SignalAndWait();
            try
            {
                Assert.True(allocator.GetStatistics() is var now && now.MagazineFrames + now.PerCoreFrames >= 3 * PerCoreList.Batch, now.ToString());
                Page whole = allocator.Allocate(Page.MaxOrder);
                whole.Put();
                for (int i = 0; i < PageMap.SectionFrames; i++)
                {
                    got.Add(allocator.Allocate());
                }
            }
            finally
            {
                barrier.SignalAndWait();
            }
        });
        allocator.Free([.. got]);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void The_n_th_refusal_of_the_system_loses_nothing_wherever_it_falls() => Trial.Seeded(random =>
    {
        foreach (HostileCall call in (HostileCall[])[HostileCall.Reserve, HostileCall.Commit, HostileCall.Decommit, HostileCall.Advise])
        {
            for (int nth = 1; nth <= 24; nth++)
            {
                HostileRegionProvider hostile = new() { RevokeOnDecommit = OperatingSystem.IsLinux() };
                hostile.Fail(call, nth, times: 1 + (nth % 3));
                PageAllocator allocator = Trial.Allocator(12 * Trial.MiB, hostile);
                try
                {
                    Story(allocator, new Random(random.Next()));
                }
                catch (Exception e)
                {
                    throw new InvalidOperationException($"When {call} number {nth} failed: {e.Message}", e);
                }

                PageOwnershipTests.AssertWhole(allocator);
                Assert.Equal(0, hostile.LiveRegions);
            }
        }
    });

    [Fact]
    public void A_trim_that_the_system_refuses_ends_and_changes_nothing()
    {
        HostileRegionProvider hostile = new();
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB, hostile);
        Page[] pages = [.. Enumerable.Range(0, PageMap.SectionFrames).Select(_ => allocator.Allocate())];
        Page[] sorted = [.. pages.OrderBy(page => page.FrameNumber)];
        for (int i = 0; i < sorted.Length; i += 2)
        {
            sorted[i].Put();
        }

        // 512 single frames, none of which may go.
        hostile.Fail(HostileCall.Decommit, nth: 1, RegionFailure.NotSupported, times: 1_000_000);
        Trial.OnThread(() => Assert.Equal(0, allocator.Trim()));
        Assert.True(hostile.CallsOf(HostileCall.Decommit) <= 512, $"{hostile.CallsOf(HostileCall.Decommit)} tries for 512 frames.");
        allocator.Verify();
        Assert.Equal((512, 0), (allocator.GetStatistics().FreeFrames, allocator.GetStatistics().DecommittedFrames));
        for (int i = 1; i < sorted.Length; i += 2)
        {
            sorted[i].Put();
        }

        PageOwnershipTests.AssertWhole(allocator);
    }

    /// <summary>Takes, writes, frees, trims and takes again, with each page's bytes checked; refusals are answers, nothing else is.</summary>
    private static void Story(PageAllocator allocator, Random random)
    {
        List<(Page Page, byte Fill)> held = [];
        for (int step = 0; step < 300; step++)
        {
            int order = random.Next(4) == 0 ? random.Next(Page.MaxOrder + 1) : random.Next(3);
            if (random.Next(2) == 0)
            {
                if (allocator.TryAllocate(out Page page, out AllocationFailure failure, order, (MigrateType)random.Next(2)))
                {
                    byte fill = (byte)random.Next(1, 256);
                    page.Span.Fill(fill);
                    held.Add((page, fill));
                }
                else
                {
                    Assert.NotEqual(AllocationFailure.None, failure);
                }
            }
            else if (held.Count > 0)
            {
                int index = random.Next(held.Count);
                (Page page, byte fill) = held[index];
                held.RemoveAt(index);
                Assert.Equal(-1, page.Span.IndexOfAnyExcept(fill));
                allocator.Free(page, (PageTemperature)random.Next(2));
            }

            if (random.Next(20) == 0)
            {
                allocator.Trim();
                allocator.Verify();
            }
        }

        allocator.Verify();
        Assert.Equal(held.Sum(entry => (long)entry.Page.Length), allocator.GetStatistics().InUseBytes);
        foreach ((Page page, byte fill) in held)
        {
            Assert.Equal(-1, page.Span.IndexOfAnyExcept(fill));
            page.Put();
        }
    }

    private static bool Refused(AllocationFailure failure, AllocationFailure expected)
    {
        Assert.Equal(expected, failure);
        return true;
    }

    /// <summary>Tries until the planned refusals are used up, a handful at most.</summary>
    private static Page AllocateAfter(PageAllocator allocator, HostileRegionProvider hostile, HostileCall call)
    {
        for (int i = 0; i < 6; i++)
        {
            if (allocator.TryAllocate(out Page page, out AllocationFailure failure, call == HostileCall.Commit ? 10 : 0))
            {
                return page;
            }

            Assert.Equal(AllocationFailure.OutOfMemory, failure);
        }

        throw new InvalidOperationException($"Still refused after {hostile.CallsOf(call)} calls.");
    }
}
