using Xunit;

namespace Quire.Tests.Fragments;

/// <summary>Many fragments freed at once: one operation on a page's count, whatever their order, and a bad one spoils nothing.</summary>
public sealed unsafe class FragmentBatchTests : IDisposable
{
    private readonly PageAllocator _allocator = Trial.Allocator(limit: 64 * Trial.MiB);
    private readonly PageFragmentCache _cache;

    public FragmentBatchTests() => _cache = new PageFragmentCache(_allocator);

    [Fact]
    public void A_page_with_more_handles_in_the_batch_than_references_gets_all_back_that_it_has()
    {
        PageFragment[] a = [_cache.Allocate(8), _cache.Allocate(8)];
        _cache.Drain();
        PageFragment[] b = [_cache.Allocate(8), _cache.Allocate(8), _cache.Allocate(8)];
        _cache.Drain();
        PageBugException bug = Assert.Throws<PageBugException>(() => PageFragment.Free([a[0], b[0], a[1], b[1], a[0], b[2]]));
        Assert.Contains("Free of 6 fragments: 1 not freed, the first at index 4; the other 5 were", bug.Message, StringComparison.Ordinal);
        Assert.False(b[0].IsAlive);
        Assert.False(a[0].IsAlive);
    }

    [Fact]
    public void Nobody_ever_sees_a_count_in_the_middle_of_a_batch() => Trial.Seeded(random =>
    {
        // Each of four pages goes from 257 references to 1 in one step: whoever watches sees these two numbers only.
        for (int round = 0; round < 40; round++)
        {
            List<PageFragment> fragments = [];
            Page[] pages = new Page[4];
            for (int p = 0; p < pages.Length; p++)
            {
                for (int i = 0; i < 257; i++)
                {
                    fragments.Add(_cache.Allocate(100));
                }

                pages[p] = fragments[^1].Page;
                Assert.Equal(pages[p], fragments[^257].Page);
                _cache.Drain();
            }

            // The first of each page stays.
            PageFragment[] kept = [.. Enumerable.Range(0, 4).Select(p => fragments[p * 257])];
            PageFragment[] shuffled = [.. fragments.Except(kept)];
            random.Shuffle(shuffled);
            HashSet<int> seen = [];
            using ManualResetEventSlim freed = new();
            Trial.OnThreads(2, number =>
            {
                if (number == 0)
                {
                    PageFragment.Free(shuffled);
                    freed.Set();
                    return;
                }

                while (!freed.IsSet)
                {
                    foreach (Page page in pages)
                    {
                        seen.Add(PageRef.Count(page));
                    }
                }
            });
            Assert.All(pages, page => Assert.Equal(1, PageRef.Count(page)));
            Assert.True(seen.All(count => count is 1 or 257), $"Counts on the way: {string.Join(", ", seen.Order().Take(20))}.");
            PageFragment.Free(kept);
        }
    });

    [Theory]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(129)]
    [InlineData(700)]
    public void Any_number_of_pages_in_any_order_is_freed(int pages) => Trial.Seeded(random =>
    {
        List<PageFragment> fragments = [];
        for (int p = 0; p < pages; p++)
        {
            int n = random.Next(1, 6);
            for (int i = 0; i < n; i++)
            {
                fragments.Add(_cache.Allocate(random.Next(8, 200)));
            }

            _cache.Drain();
        }

        PageFragment[] shuffled = [.. fragments];
        random.Shuffle(shuffled);
        PageFragment.Free(shuffled);
        Assert.All(fragments, fragment => Assert.False(fragment.IsAlive));
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
    });

    [Fact]
    public void A_bad_handle_among_many_is_named_and_the_others_are_freed()
    {
        PageFragment stale = _cache.Allocate(100_000);
        stale.Free();
        List<PageFragment> fragments = [];
        for (int i = 0; i < 50; i++)
        {
            fragments.Add(_cache.Allocate(i % 10 == 9 ? 50_000 : 400));
        }

        foreach (bool owner in (bool[])[false, true])
        {
            PageFragment[] batch = [.. fragments.Take(25)];
            fragments.RemoveRange(0, 25);
            fragments.AddRange([batch[7], batch[8]]);
            batch[7] = stale;
            batch[8] = default;
            PageBugException bug = Assert.Throws<PageBugException>(() => Free(batch, owner));
            Assert.Contains("Free of 25 fragments: 2 not freed, the first at index 7; the other 23 were.", bug.Message, StringComparison.Ordinal);
            _cache.Verify();
        }

        Page page = fragments[0].Page;
        _cache.Drain();
        Assert.Equal(fragments.Count(fragment => fragment.Page == page), PageRef.Count(page));
        PageFragment.Free([.. fragments]);
        PageFragment.Free([]);
    }

    [Fact]
    public void A_batch_of_the_current_page_goes_to_the_bias_without_touching_the_count()
    {
        PageFragment[] fragments = [.. Enumerable.Range(0, 100).Select(_ => _cache.Allocate(64))];
        Page page = fragments[0].Page;
        int count = PageRef.Count(page);
        _cache.Free(fragments);
        Assert.Equal((count, count), (PageRef.Count(page), _cache.Bias));

        // In the hands of another owner the same batch is one subtraction.
        fragments = [.. Enumerable.Range(0, 100).Select(_ => _cache.Allocate(64))];
        PageFragmentCache other = new(_allocator);
        other.Free(fragments);
        Assert.Equal((count - 100, count - 100), (PageRef.Count(page), _cache.Bias));
        other.Dispose();
    }

    public void Dispose()
    {
        _cache.Dispose();
        _allocator.Verify();
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
        _allocator.Dispose();
    }

    private void Free(PageFragment[] batch, bool owner)
    {
        if (owner)
        {
            _cache.Free(batch);
        }
        else
        {
            PageFragment.Free(batch);
        }
    }
}
