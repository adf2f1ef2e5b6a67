using Xunit;

namespace Quire.Tests.Fragments;

/// <summary>The threads' own caches: drained when their thread ended, trimmed while it sleeps.</summary>
/// <remarks>They are the process's, on the shared allocator: alone, so that what is asked of the rack is the test's.</remarks>
[Collection(LedgerCollection.Name)]
public sealed unsafe class FragmentThreadTests
{
    private static readonly FragmentCacheRack s_rack = FragmentCacheRack.Of(PageAllocator.Shared);

    [Fact]
    public void A_dead_threads_cache_is_drained_by_the_next_who_asks_and_its_fragments_live()
    {
        PageFragment fragment = default;
        PageFragment older = default;
        Trial.OnThread(() =>
        {
            // One page used up and kept back, one current.
            older = PageFragmentCache.Current.Allocate(20_000);
            PageFragment filler = PageFragmentCache.Current.Allocate(20_000);
            PageFragmentCache.Current.Free(filler);
            fragment = PageFragmentCache.Current.Allocate(100);
            fragment.Span.Fill(5);
        });
        Assert.NotEqual(older.Page, fragment.Page);
        Assert.True(PageRef.Count(fragment.Page) > 1 && PageRef.Count(older.Page) > 1);
        Trial.OnThread(() => PageFragmentCache.Current.Allocate(1).Free());
        Assert.Equal((1, 1), (PageRef.Count(fragment.Page), PageRef.Count(older.Page)));
        Assert.Equal(-1, fragment.Span.IndexOfAnyExcept((byte)5));
        fragment.Free();
        older.Free();
        Assert.False(fragment.IsAlive || older.IsAlive);
        s_rack.DrainDead();
    }

    [Fact]
    public void Thousands_of_short_threads_leave_bounded_memory_and_no_caches()
    {
        s_rack.DrainDead();
        long before = PageAllocator.Shared.GetStatistics().InUseFrames;
        int caches = s_rack.Caches;
        for (int i = 0; i < 3000; i++)
        {
            Thread thread = new(() =>
            {
                PageFragment a = PageFragmentCache.Current.Allocate(30_000);
                PageFragment b = PageFragmentCache.Current.Allocate(30_000);
                a.Free();
                b.Free();
            });
            thread.Start();
            thread.Join();
        }

        Assert.InRange(s_rack.Caches, 0, caches + 2);
        s_rack.DrainDead();
        Assert.InRange(PageAllocator.Shared.GetStatistics().InUseFrames, 0, before + 16);
    }

    [Fact]
    public void Pages_that_a_sleeping_thread_keeps_back_go_with_a_trim_and_its_current_one_when_it_wakes()
    {
        using ManualResetEventSlim made = new();
        using ManualResetEventSlim wake = new();
        PageFragment[] fragments = new PageFragment[10];
        Page current = default;
        Thread thread = new(() =>
        {
            for (int i = 0; i < fragments.Length; i++)
            {
                fragments[i] = PageFragmentCache.Current.Allocate(PageFragmentCache.MaxSharedSize);
            }

            made.Set();
            wake.Wait();

            // The page it had is given up with the next one it needs.
            PageFragmentCache.Current.Allocate(PageFragmentCache.MaxSharedSize).Free();
            PageFragmentCache.Current.Drain();
        });
        thread.Start();
        made.Wait();
        current = fragments[^1].Page;
        PageFragment.Free(fragments);

        // Its fragments are home, its bias keeps the pages: count and bias are equal, and the thread sleeps.
        Assert.All(fragments, fragment => Assert.True(fragment.IsAlive));
        PageAllocator.Shared.Trim();
        Assert.All(fragments[..^1], fragment => Assert.False(fragment.IsAlive));
        Assert.True(current.IsAlive);
        wake.Set();
        thread.Join();
        Assert.False(current.IsAlive);
        PageAllocator.Shared.Verify();
    }

    [Fact]
    public void Retained_pages_taken_by_trims_while_their_owner_works_are_never_taken_twice() => Trial.Seeded(random =>
    {
        long drained = 0;
        Func<bool> goOn = Trial.For(1500, () => Volatile.Read(ref drained) > 0);
        int[] seeds = [.. Enumerable.Range(0, 3).Select(_ => random.Next())];
        PageAllocator allocator = Trial.Allocator();
        PageFragmentCache[] caches = [new(allocator), new(allocator)];
        Trial.OnThreads(3, number =>
        {
            Random own = new(seeds[number]);
            List<(PageFragment Fragment, byte Mark)> held = [];
            while (goOn())
            {
                if (number == 2)
                {
                    // Not too often: the owners must come to look at pages that are about to go.
                    Thread.SpinWait(own.Next(400));
                    Volatile.Write(ref drained, drained + caches[own.Next(2)].DrainRetained());
                    if (own.Next(50) == 0)
                    {
                        caches[own.Next(2)].AskToDrain();
                    }

                    continue;
                }

                PageFragment fragment = caches[number].Allocate(own.Next(8_000, 32_000));
                byte mark = (byte)own.Next(256);
                fragment.Span[..64].Fill(mark);
                held.Add((fragment, mark));
                while (held.Count > own.Next(9))
                {
                    int index = own.Next(held.Count);
                    Assert.Equal(-1, held[index].Fragment.Span[..64].IndexOfAnyExcept(held[index].Mark));
                    held[index].Fragment.Free();
                    held.RemoveAt(index);
                }
            }

            held.ForEach(entry => entry.Fragment.Free());
        });
        Assert.True(drained > 0);
        Array.ForEach(caches, cache => cache.Dispose());
        allocator.Verify();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Dispose();
    });

    [Fact]
    public void An_allocation_that_would_fail_gets_what_threads_keep_back()
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        PageFragment[] fragments = [.. Enumerable.Range(0, 40).Select(_ => cache.Allocate(PageFragmentCache.MaxSharedSize))];
        Trial.OnThread(() => PageFragment.Free(fragments));
        cache.Drain();
        fragments = [.. Enumerable.Range(0, 40).Select(_ => cache.Allocate(PageFragmentCache.MaxSharedSize))];
        Trial.OnThread(() => PageFragment.Free(fragments.AsSpan(0, fragments.Length - 1)));
        List<Page> all = [];
        while (allocator.TryAllocate(out Page page, out _))
        {
            all.Add(page);
        }

        Assert.Equal(PageMap.SectionFrames - 8, all.Count);
        allocator.Free([.. all]);
        cache.Free(fragments[^1]);
        cache.Dispose();
        allocator.Verify();
        allocator.Dispose();
    }
}
