using Xunit;

namespace Quire.Explore;

public sealed unsafe class PageFragmentCacheTests
{
    private const int Half = PageFragmentCache.MaxSharedSize / 2;

    /// <summary>A cache whose owner is one explored thread, and the fragments that are out.</summary>
    private sealed class Cache
    {
        private readonly HashSet<uint> _frames = [];

        internal PageAllocator Allocator { get; } = Memory.New();

        internal PageFragmentCache Fragments { get; }

        /// <summary>Handed from thread to thread by the scene itself.</summary>
        internal List<PageFragment> Out { get; } = [];

        internal Cache() => Fragments = new PageFragmentCache(Allocator);

        internal PageFragment Take(int size = Half)
        {
            PageFragment fragment = Fragments.Allocate(size);
            _frames.Add(fragment.Page.FrameNumber);
            Assert.True(fragment.IsAlive);
            return fragment;
        }

        internal void Keep(int size = Half) => Out.Add(Take(size));

        /// <summary>For every page that ever was the cache's: count == bias + fragments out, and a page without either is free. Then everything goes back.</summary>
        internal void End()
        {
            Fragments.Verify();
            foreach (uint frame in _frames)
            {
                PageDescriptor* page = PageMap.Descriptor(frame);
                int pieces = Out.Count(fragment => fragment.Page.FrameNumber == frame);
                Assert.Equal(((IBiasOwner)Fragments).BiasOn(page) + pieces, PageRef.Count(page));
            }

            Out.ForEach(static fragment => fragment.Free());
            Fragments.Dispose();
            Memory.AssertAllBack(Allocator);
        }
    }

    [Fact]
    public void A_page_whose_last_fragments_are_freed_elsewhere_while_its_owner_is_done_with_it_is_freed_or_reused_once()
    {
        Explorer.Explore(static scene =>
        {
            Cache cache = new();
            PageFragment a = cache.Take();
            PageFragment b = cache.Take();
            Page page = a.Page;
            scene.Thread("owner", () =>
            {
                // Each finds its page used up: renew, or retain and reuse the older, or take another.
                cache.Keep();
                cache.Take(Half).Free();
                cache.Keep();
                cache.Keep();
            });
            scene.Thread("freer a", () => a.Free());
            scene.Thread("freer b", () => b.Free());
            scene.Thread("finder", () =>
            {
                if (page.TryGet(out Page mine, out _))
                {
                    Assert.Equal(page._identity, Atomic.LoadAcquire(ref PageMap.DescriptorOf(page._identity)->Identity));
                    mine.Put();
                }
            });
            scene.AtEnd(() =>
            {
                // Where the frame is used again, it is another page: the first one's handles are stale.
                Assert.All(cache.Out, fragment => Assert.NotEqual(page, fragment.Page));
                cache.End();
            });
            scene.Afterwards(cache.Allocator.Dispose);
        });
    }

    [Fact]
    public void Fragments_of_several_pages_freed_at_once_elsewhere_leave_every_count_right()
    {
        Explorer.Explore(static scene =>
        {
            Cache cache = new();
            PageFragment[] batch = [.. Enumerable.Range(0, 6).Select(_ => cache.Take())];
            scene.Thread("owner", () =>
            {
                cache.Keep();
                cache.Keep();
                cache.Keep();
                cache.Fragments.Drain();
                cache.Keep();
            });
            scene.Thread("freer 1", () => PageFragment.Free([batch[0], batch[2], batch[4]]));
            scene.Thread("freer 2", () => PageFragment.Free([batch[5], batch[3], batch[1]]));
            scene.AtEnd(cache.End);
            scene.Afterwards(cache.Allocator.Dispose);
        });
    }

    [Fact]
    public void A_trim_takes_retained_pages_from_under_an_owner_that_reuses_them_and_each_bias_goes_once()
    {
        Explorer.Explore(static scene =>
        {
            Cache cache = new();
            PageFragment[] fragments = [.. Enumerable.Range(0, 6).Select(_ => cache.Take())];
            scene.Thread("owner", () =>
            {
                cache.Keep();
                cache.Keep();
                cache.Keep();
                cache.Keep();
                cache.Keep();
            });
            scene.Thread("freer", () =>
            {
                foreach (PageFragment fragment in fragments)
                {
                    fragment.Free();
                }
            });
            scene.Thread("trimmer", () =>
            {
                cache.Fragments.DrainRetained();
                cache.Fragments.AskToDrain();
            });
            scene.AtEnd(cache.End);
            scene.Afterwards(cache.Allocator.Dispose);
        });
    }

    [Fact]
    public void When_all_slots_are_full_the_owner_and_a_trim_that_empty_the_same_one_drop_its_bias_once()
    {
        Explorer.Explore(
            static scene =>
            {
                Cache cache = new();
                for (int i = 0; i < PageFragmentCache.RetainedPages + 1; i++)
                {
                    cache.Keep(PageFragmentCache.MaxSharedSize);
                }

                PageFragment oldest = cache.Out[0];
                cache.Out.RemoveAt(0);
                scene.Thread("owner", () =>
                {
                    cache.Keep(PageFragmentCache.MaxSharedSize);
                    cache.Keep(PageFragmentCache.MaxSharedSize);
                });
                scene.Thread("freer", () => oldest.Free());
                scene.Thread("trimmer", () => cache.Fragments.DrainRetained());
                scene.AtEnd(cache.End);
                scene.Afterwards(cache.Allocator.Dispose);
            },
            schedules: 1000);
    }
}
