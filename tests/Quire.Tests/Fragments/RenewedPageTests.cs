using Xunit;

namespace Quire.Tests.Fragments;

/// <summary>A fragment page that is reused in place is a new page to every handle, to its tails too.</summary>
public sealed unsafe class RenewedPageTests
{
    [Fact]
    public void A_tail_of_a_renewed_page_is_found_by_address_and_counts_on_the_head()
    {
        using PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        using PageFragmentCache cache = new(allocator);
        PageFragment fragment = Renewed(cache);

        for (int i = 0; i < 8; i++)
        {
            Assert.True(Page.TryFromAddress(fragment.Page.Address + (i * Trial.Frame), out Page tail), $"frame {i}");
            Assert.Equal(fragment.Page.Frame(i), tail);
            int count = PageRef.Count(fragment.Page);
            Page reference = tail.Get();
            Assert.Equal(count + 1, PageRef.Count(fragment.Page));
            reference.Put();
        }

        cache.Free(fragment);
    }

    [Fact]
    public void A_handle_to_a_tail_of_a_renewed_page_never_means_the_page_that_the_frame_is_later()
    {
        PageAllocator allocator = Trial.Allocator(limit: 4 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        List<Page> old = [];
        for (int round = 0; round < 5; round++)
        {
            PageFragment fragment = Renewed(cache);
            old.AddRange(Enumerable.Range(0, 8).Select(i => fragment.Page.Frame(i)));
            cache.Free(fragment);
        }

        cache.Dispose();

        // Every frame alone, several lives each: none of the old handles may mean any of them.
        for (int life = 0; life < 8; life++)
        {
            List<Page> pages = [];
            while (allocator.TryAllocate(out Page page, out _))
            {
                pages.Add(page);
            }

            foreach (Page stale in old)
            {
                Assert.False(stale.IsAlive, $"{stale} passes for a later page");
                Assert.Throws<PageBugException>(() => stale.Put());
            }

            pages.ForEach(page => page.Put());
        }

        allocator.Verify();
        allocator.Dispose();
    }

    /// <summary>A fragment of a page that has been renewed in place at least once.</summary>
    private static PageFragment Renewed(PageFragmentCache cache)
    {
        PageFragment first = cache.Allocate(16 * 1024);
        cache.Free(first);
        cache.Free(cache.Allocate(16 * 1024));
        PageFragment next = cache.Allocate(16 * 1024);
        Assert.Equal(first.Page.FrameNumber, next.Page.FrameNumber);
        Assert.NotEqual(first.Page.Generation, next.Page.Generation);
        return next;
    }
}
