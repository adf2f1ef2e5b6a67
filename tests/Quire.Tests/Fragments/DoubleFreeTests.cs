using Xunit;

namespace Quire.Tests.Fragments;

/// <summary>With the ledger off a second free in the same round passes at first. What it does later hits the page, and nobody who did nothing wrong.</summary>
public sealed class DoubleFreeTests
{
    [Fact]
    public void A_page_short_of_references_is_set_aside_by_the_trim_and_the_cache_goes_on()
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        FreeOneTwiceAndUseUpThePage(cache);

        allocator.Trim();

        Assert.Equal(8, allocator.GetStatistics().RetiredFrames);
        PageFragment good = cache.Allocate(100);
        good.Span.Fill(1);
        cache.Free(good);
        cache.Dispose();
        allocator.Verify();
        allocator.Dispose();
    }

    [Fact]
    public void The_owner_that_drains_hears_of_the_page_and_all_others_are_drained()
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        FreeOneTwiceAndUseUpThePage(cache);

        PageBugException told = Assert.Throws<PageBugException>(cache.Drain);

        Assert.Contains("freed twice", told.Message, StringComparison.Ordinal);
        Assert.Equal(8, allocator.GetStatistics().RetiredFrames);
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        cache.Dispose();
        allocator.Verify();
        allocator.Dispose();
    }

    [Fact]
    public void The_ring_that_pushes_out_a_page_short_of_references_keeps_the_page_that_it_takes_in()
    {
        PageAllocator allocator = Trial.Allocator(limit: 16 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        FreeOneTwiceAndUseUpThePage(cache);
        List<PageFragment> kept = [];
        for (int i = 0; i < (PageFragmentCache.RetainedPages + 4) * 2; i++)
        {
            kept.Add(cache.Allocate(16 * 1024));
        }

        Assert.Equal(8, allocator.GetStatistics().RetiredFrames);
        kept.ForEach(fragment => fragment.Free());
        cache.Dispose();
        allocator.Verify();
        allocator.Dispose();
    }

    [Fact]
    public void A_batch_with_one_handle_twice_frees_all_the_others_and_names_the_second_of_the_two()
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        List<PageFragment> batch = [.. Enumerable.Range(0, 10).Select(_ => cache.Allocate(1000))];
        cache.Dispose();
        batch.Insert(7, batch[3]);

        PageBugException bug = Assert.Throws<PageBugException>(() => PageFragment.Free(batch.ToArray()));

        Assert.Contains("1 not freed, the first at index 7; the other 10 were", bug.Message, StringComparison.Ordinal);
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Verify();
        allocator.Dispose();
    }

    [Fact]
    public void A_disposed_cache_gives_out_nothing_more()
    {
        using PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        PageFragment out1 = cache.Allocate(100);
        cache.Dispose();

        Assert.Throws<ObjectDisposedException>(() => cache.Allocate(100));
        out1.Free();
        cache.Dispose();
    }

    private static void FreeOneTwiceAndUseUpThePage(PageFragmentCache cache)
    {
        PageFragment twice = cache.Allocate(256);
        cache.Free(twice);
#pragma warning disable QUIRE002 // Misuse on purpose.
        cache.Free(twice);
#pragma warning restore QUIRE002
        List<PageFragment> rest = [];
        int frame = (int)twice.Page.FrameNumber;
        PageFragment next = cache.Allocate(256);
        while (next.Page.FrameNumber == frame)
        {
            rest.Add(next);
            next = cache.Allocate(256);
        }

        rest.Add(next);
        rest.ForEach(fragment => fragment.Free());
    }
}
