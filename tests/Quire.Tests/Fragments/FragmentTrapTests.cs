using Xunit;

namespace Quire.Tests.Fragments;

/// <summary>The bugs that the kernel's page fragments had, each as a test (reference/linux-mm.md, 2.3).</summary>
public sealed unsafe class FragmentTrapTests
{
    [Fact]
    public void The_bias_outlasts_the_smallest_fragments_by_one_at_least()
    {
        // 2c2ade81741c: a bias of just the page's size could be used up by fragments of one byte, with the cache still on the page.
        PageAllocator allocator = Trial.Allocator();
        PageFragmentCache cache = new(allocator);
        PageFragment first = cache.Allocate(1);
        List<PageFragment> fragments = [first];
        PageFragment next;
        while ((next = cache.Allocate(1, 1)).Page == first.Page)
        {
            Assert.True(cache.Bias >= 1);
            fragments.Add(next);
        }

        Assert.Equal(PageFragmentCache.MaxSharedSize / PageFragmentCache.MinAlignment, fragments.Count);
        Assert.Equal(PageFragmentCache.FullBias, PageRef.Count(first.Page));
        Trial.OnThread(() => PageFragment.Free([.. fragments]));

        // The cache's own share is left, and with it the page.
        Assert.True(first.IsAlive);
        Assert.Equal(PageFragmentCache.FullBias - fragments.Count, PageRef.Count(first.Page));
        cache.Drain();
        Assert.False(first.IsAlive);
        cache.Free(next);
        Done(cache, allocator);
    }

    [Fact]
    public void The_constant_is_larger_than_any_page_has_room_for()
    {
        // 8644772637de replaced the size by a constant, which must then be one more than the largest page.
        Assert.True(PageFragmentCache.FullBias >= PageFragmentCache.MaxSharedSize + 1);
        Assert.Equal(PageFragmentCache.MaxSharedSize, Page.FrameSize << PageFragmentCache.PageOrder);

        // And the bias with all that can be given back above it stays far from the end of the count.
        Assert.True((long)PageFragmentCache.FullBias + (1 << 20) + 65_536 < PageRef.Bound);
    }

    [Fact]
    public void A_request_larger_than_the_fallback_page_is_refused_and_the_cache_keeps_its_page()
    {
        // "mm: prevent page_frag_alloc() from corrupting the memory": 4097 bytes from a page of 4096 began before the page.
        (PageAllocator allocator, List<Page> taken) = OnlySinglePages();
        PageFragmentCache cache = new(allocator);
        PageFragment small = cache.Allocate(100);
        Assert.Equal(0, small.Page.Order);
        small.Span.Fill(1);
        int bias = cache.Bias;
        foreach (int size in (int[])[4097, 5000, 8192, 32768, 100_000])
        {
            PageAllocationException none = Assert.ThrowsAny<PageAllocationException>(() => cache.Allocate(size));
            Assert.True(none.Failure is AllocationFailure.Fragmented or AllocationFailure.LimitReached);
            Assert.False(cache.TryAllocate(size, out PageFragment fragment, out AllocationFailure failure));
            Assert.Equal((default, none.Failure), (fragment, failure));
            Assert.ThrowsAny<PageAllocationException>(() => cache.Allocate(8, 8192));
        }

        // Check order: nothing was reset on the way.
        Assert.Equal(bias, cache.Bias);
        cache.Verify();
        PageFragment next = cache.Allocate(100);
        Assert.True(next.Page == small.Page && next.Address == small.Address + 104);
        Assert.Equal(-1, small.Span.IndexOfAnyExcept((byte)1));
        Assert.Equal(cache.Bias + 2, PageRef.Count(small.Page));

        // The whole fallback page in one piece is fine, and not a byte more.
        cache.Free([small, next]);
        PageFragment whole = cache.Allocate(4096);
        Assert.Equal(0, whole.Page.Order);
        whole.Span.Fill(2);
        cache.Free(whole);
        cache.Drain();
        allocator.Free([.. taken]);
        Done(cache, allocator);
    }

    [Fact]
    public void An_empty_cache_that_falls_back_on_a_page_too_small_for_the_request_keeps_it_for_the_next()
    {
        (PageAllocator allocator, List<Page> taken) = OnlySinglePages();
        PageFragmentCache cache = new(allocator);
        Assert.ThrowsAny<PageAllocationException>(() => cache.Allocate(5000));
        cache.Verify();
        PageFragment small = cache.Allocate(50);
        Assert.Equal(cache.Bias + 1, PageRef.Count(small.Page));
        cache.Free(small);
        cache.Drain();
        allocator.Free([.. taken]);
        Done(cache, allocator);
    }

    [Fact]
    public void A_fallback_page_is_not_recycled_when_better_ones_are_there_again()
    {
        // d8c19014bba8: a reserve page recycled in place lived on long after the emergency.
        (PageAllocator allocator, List<Page> taken) = OnlySinglePages();
        PageFragmentCache cache = new(allocator);
        PageFragment emergency = cache.Allocate(4096);
        Page page = emergency.Page;
        Assert.Equal(0, page.Order);
        cache.Free(emergency);
        allocator.Free([.. taken]);
        PageFragment next = cache.Allocate(100);
        Assert.Equal(PageFragmentCache.PageOrder, next.Page.Order);
        Assert.False(page.IsAlive);
        cache.Free(next);
        Done(cache, allocator);
    }

    [Fact]
    public void A_fallback_page_is_not_recycled_during_the_emergency_either()
    {
        (PageAllocator allocator, List<Page> taken) = OnlySinglePages();
        PageFragmentCache cache = new(allocator);
        HashSet<Page> pages = [];
        for (int i = 0; i < 10; i++)
        {
            PageFragment emergency = cache.Allocate(4096);
            pages.Add(emergency.Page);
            cache.Free(emergency);
        }

        // Freed and taken again each time, by way of the allocator, which may have had something better.
        Assert.Equal(10, pages.Count);
        cache.Drain();
        allocator.Free([.. taken]);
        Done(cache, allocator);
    }

    [Fact]
    public void A_refill_loses_no_reference_that_somebody_got_speculatively() => Trial.Seeded(random =>
    {
        // "net: fix races accessing page->_count": a set on a page that others can reach forgets their references.
        PageAllocator allocator = Trial.Allocator(8 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        PageFragment probe = cache.Allocate(1);
        uint first = probe.Page.FrameNumber;
        cache.Free(probe);
        cache.Drain();
        long got = 0;
        Func<bool> goOn = Trial.For(1200, () => Volatile.Read(ref got) > 0);
        int[] seeds = [.. Enumerable.Range(0, 3).Select(_ => random.Next())];
        Trial.OnThreads(3, number =>
        {
            Random own = new(seeds[number]);
            while (goOn())
            {
                if (number == 0)
                {
                    PageFragment fragment = cache.Allocate(own.Next(1, 20_000));
                    if (own.Next(2) == 0)
                    {
                        cache.Free(fragment);
                        cache.Refill();
                    }
                    else
                    {
                        cache.Drain();
                        fragment.Free();
                    }
                }
                else if (Page.TryFromFrame((first & ~1023u) + (uint)own.Next(64), out Page seen) && seen.TryGet(out Page reference, out _))
                {
                    Interlocked.Increment(ref got);
                    Thread.SpinWait(own.Next(50));
                    Assert.True(PageRef.Count(reference) >= 1);
                    Assert.True(reference.IsAlive);
                    reference.Put();
                }
            }
        });
        Assert.True(got > 0);
        Done(cache, allocator);
    });

    /// <summary>An allocator with a few free pages of order 0, none beside another, and no more to come.</summary>
    private static (PageAllocator Allocator, List<Page> Taken) OnlySinglePages()
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        List<Page> pages = [];
        while (allocator.TryAllocate(out Page page, out _))
        {
            pages.Add(page);
        }

        Page[] sorted = [.. pages.OrderBy(page => page.FrameNumber)];
        Page[] free = [.. sorted.Where((_, i) => i % 64 == 0)];
        allocator.Free(free);
        allocator.Reclaim();
        Assert.Equal(0, allocator.GetStatistics().LargestFreeOrder);
        return (allocator, [.. sorted.Except(free)]);
    }

    private static void Done(PageFragmentCache cache, PageAllocator allocator)
    {
        cache.Dispose();
        allocator.Verify();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Dispose();
    }
}
