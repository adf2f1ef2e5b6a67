using Xunit;

namespace Quire.Tests.Pages;

/// <summary>No handle ever means two pages: generations only rise, a used-up frame is retired, and going offline starts nothing again.</summary>
/// <remarks>Alone in the process: the tests look at which frame numbers come again.</remarks>
[Collection(LedgerCollection.Name)]
public sealed unsafe class GenerationTests
{
    [Fact]
    public void No_handle_of_an_earlier_life_ever_means_a_later_page() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        List<(Page Page, List<Page> Handles)> live = [];
        List<Page> dead = [];
        for (int step = 0; step < 20_000; step++)
        {
            if (random.Next(2) == 0 && allocator.TryAllocate(out Page page, out _, random.Next(3) == 0 ? random.Next(11) : random.Next(3), (MigrateType)random.Next(2)))
            {
                List<Page> handles = [page, page.Frame((1 << page.Order) - 1), page.Frame(random.Next(1 << page.Order))];
                Assert.All(handles, handle => Assert.True(handle.IsAlive));
                live.Add((page, handles));
            }
            else if (live.Count > 0)
            {
                int index = random.Next(live.Count);
                allocator.Free(live[index].Page, (PageTemperature)random.Next(2));
                Keep(dead, live[index].Handles, random);
                live.RemoveAt(index);
            }

            if (step % 16 == 0)
            {
                foreach (Page handle in dead)
                {
                    Assert.False(handle.IsAlive, $"{handle} lives again at step {step}.{Environment.NewLine}{handle.Dump()}");
                }

                Assert.All(live, entry => Assert.All(entry.Handles, handle => Assert.True(handle.IsAlive)));
            }
        }

        live.ForEach(entry => entry.Page.Put());
        allocator.Verify();
        allocator.Dispose();
        Assert.All(dead, handle => Assert.False(handle.IsAlive));
    });

    [Fact]
    public void Memory_that_goes_and_comes_again_continues_its_generations()
    {
        Dictionary<uint, long> last = [];
        List<Page> handles = [];
        int again = 0;
        for (int round = 0; round < 12; round++)
        {
            PageAllocator allocator = Trial.Allocator(limit: 4 * Trial.MiB);
            List<Page> pages = [];
            for (int i = 0; i < 40; i++)
            {
                Page page = allocator.Allocate(i % 4);
                for (int frame = 0; frame < 1 << page.Order; frame++)
                {
                    Page handle = page.Frame(frame);
                    if (last.TryGetValue(handle.FrameNumber, out long before))
                    {
                        again++;
                        Assert.True(handle.Generation > before, $"Frame 0x{handle.FrameNumber:x} had generation {before} and has {handle.Generation} again.");
                    }

                    last[handle.FrameNumber] = handle.Generation;
                    handles.Add(handle);
                }

                pages.Add(page);
            }

            pages.ForEach(page => page.Put());
            allocator.Verify();
            allocator.Dispose();
            Assert.All(handles, handle => Assert.False(handle.IsAlive));
        }

        Assert.True(again > 0, "No frame number came again: nothing was tested.");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(10)]
    public void A_page_out_of_generations_is_retired_and_never_handed_out_again(int order)
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        Page page = allocator.Allocate(order);
        uint frame = page.FrameNumber;
        uint[] frames = [.. Enumerable.Range((int)frame, 1 << order).Select(n => (uint)n)];
        page = Age(page);
        try
        {
            page.Put();
            allocator.Verify();
            PageAllocatorStatistics now = allocator.GetStatistics();
            Assert.Equal(1 << order, now.RetiredFrames);
            Assert.Equal(0, now.InUseFrames);
            Assert.False(page.IsAlive);
            Assert.False(Page.TryFromFrame(frame, out _));
            Assert.NotEmpty(page.Dump());

            // All that there is, in single frames: the retired ones are not among them.
            HashSet<uint> got = [];
            List<Page> all = [];
            while (allocator.TryAllocate(out Page other, out _))
            {
                Assert.True(got.Add(other.FrameNumber));
                all.Add(other);
            }

            Assert.Empty(got.Intersect(frames));
            Assert.Equal((8 * Trial.MiB / Trial.Frame) - (1 << order), got.Count);
            all.ForEach(other => other.Put());
            allocator.Trim();
            allocator.Verify();
            Assert.Equal(1 << order, allocator.GetStatistics().RetiredFrames);
            allocator.Dispose();

            // Their numbers come with other memory: still out of use, and the statistics say so.
            PageAllocator next = Trial.Allocator(limit: 8 * Trial.MiB);
            all.Clear();
            got.Clear();
            while (next.TryAllocate(out Page other, out _))
            {
                got.Add(other.FrameNumber);
                all.Add(other);
            }

            Assert.Empty(got.Intersect(frames));
            next.Verify();
            Assert.Equal(1 << order, next.GetStatistics().RetiredFrames);
            all.ForEach(other => other.Put());
            next.Verify();
            next.Dispose();
        }
        finally
        {
            // Only a test may do this, once no handle to the frames is left: other tests want whole sections.
            foreach (uint number in frames)
            {
                PageMap.Descriptor(number)->Identity = PageIdentity.Of(number, 1);
            }
        }
    }

    [Fact]
    public void A_retired_frame_does_not_age_those_that_once_were_its_tails()
    {
        PageAllocator allocator = Trial.Allocator(limit: 4 * Trial.MiB);
        Page whole = allocator.Allocate(Page.MaxOrder);
        uint first = whole.FrameNumber;
        whole.Put();
        Page page = allocator.Allocate(1);
        page.Put();
        page = allocator.Allocate();
        Assert.Equal(first, page.FrameNumber);
        page = Age(page);
        try
        {
            page.Put();
            for (int round = 0; round < 3; round++)
            {
                List<Page> others = [];
                while (allocator.TryAllocate(out Page other, out _))
                {
                    Assert.True(other.Generation < PagePreparation.RetireAt / 2, $"{other} is as old as the frame that was its head once.");
                    others.Add(other);
                }

                Assert.Equal(PageMap.SectionFrames - 1, others.Count);
                allocator.Free([.. others]);
                Assert.Equal(1, allocator.GetStatistics().RetiredFrames);
                allocator.Verify();
            }

            allocator.Dispose();
        }
        finally
        {
            PageMap.Descriptor(first)->Identity = PageIdentity.Of(first, 1);
        }
    }

    [Fact]
    public void A_handle_to_a_tail_from_any_round_of_a_page_never_means_a_later_page() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(limit: 4 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        List<Page> dead = [];
        for (int i = 0; i < 400; i++)
        {
            // Rounds in place, each with handles to its tails; then the frames go to pages of other orders, apart from the head.
            List<Page> last = [];
            for (int round = random.Next(1, 6); round > 0; round--)
            {
                PageFragment whole = cache.Allocate(PageFragmentCache.MaxSharedSize);
                Assert.All(last, handle => Assert.False(handle.IsAlive));
                last = [.. Enumerable.Range(0, 8).Select(whole.Page.Frame)];
                Assert.All(last, handle => Assert.True(handle.IsAlive));
                dead.AddRange(last);
                cache.Free(whole);
            }

            cache.Drain();
            for (int n = random.Next(6); n > 0; n--)
            {
                Page[] pages = [.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => allocator.Allocate(random.Next(5)))];
                foreach (Page handle in dead)
                {
                    Assert.False(handle.IsAlive, $"{handle} lives again at {i}.{Environment.NewLine}{handle.Dump()}");
                    Assert.False(handle.TryGet(out _, out _));
                }

                allocator.Free(pages);
            }

            if (dead.Count > 500)
            {
                dead.RemoveRange(0, dead.Count - 500);
            }
        }

        cache.Dispose();
        allocator.Verify();
        allocator.Dispose();
        Assert.All(dead, handle => Assert.False(handle.IsAlive));
    });

    [Fact]
    public void A_fragment_page_out_of_generations_leaves_its_cache()
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        Page page = Age(allocator.Allocate(PageFragmentCache.PageOrder), PagePreparation.RetireAt - 4);
        uint[] frames = [.. Enumerable.Range((int)page.FrameNumber, 8).Select(n => (uint)n)];
        try
        {
            // Freed, it is the first that the buddy lists give. Each round in place is a generation more, until there are none.
            page.Put();
            List<Page> rounds = [];
            for (int i = 0; i < 12; i++)
            {
                PageFragment whole = cache.Allocate(PageFragmentCache.MaxSharedSize);
                Assert.True(whole.Page.Generation < PagePreparation.RetireAt);
                rounds.Add(whole.Page);
                cache.Free(whole);
                cache.Verify();
            }

            int there = rounds.TakeWhile(round => round.FrameNumber == page.FrameNumber).Count();
            Assert.InRange(there, 2, 4);
            Assert.All(rounds.Skip(there), round => Assert.NotEqual(page.FrameNumber, round.FrameNumber));
            Assert.Equal(12, rounds.Distinct().Count());
            allocator.Verify();
            Assert.Equal(8, allocator.GetStatistics().RetiredFrames);
            cache.Dispose();
            allocator.Verify();
            Assert.Equal(0, allocator.GetStatistics().InUseFrames);
            allocator.Dispose();
        }
        finally
        {
            foreach (uint number in frames)
            {
                PageMap.Descriptor(number)->Identity = PageIdentity.Of(number, 1);
            }
        }
    }

    /// <summary>Brings a page in use to its last generation; returns the handle that means it then.</summary>
    private static Page Age(Page page, long generation = PagePreparation.RetireAt - 1)
    {
        PageDescriptor* head = Trial.Head(page);
        for (uint i = 0; i < 1u << head->Order; i++)
        {
            head[i].Identity = PageIdentity.Of(head->Frame + i, generation) | (i == 0 ? 0 : PageIdentity.TailBit);
        }

        return new Page(head->Identity);
    }

    private static void Keep(List<Page> dead, List<Page> handles, Random random)
    {
        foreach (Page handle in handles)
        {
            if (dead.Count < 600)
            {
                dead.Add(handle);
            }
            else
            {
                dead[random.Next(dead.Count)] = handle;
            }
        }
    }
}
