using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>The allocator's calls: what they refuse, what they leave as it was, and its end.</summary>
public sealed unsafe class PageAllocatorTests
{
    [Fact]
    public void A_page_comes_with_its_own_bytes_with_and_without_the_magazine()
    {
        PageAllocator allocator = Trial.Allocator();
        List<Page> pages = [];
        for (int i = 0; i < 100; i++)
        {
            Page page = allocator.Allocate(out Span<byte> bytes);
            Assert.True(bytes == page.Span);
            bytes.Fill((byte)i);
            pages.Add(page);
        }

        for (int i = 0; i < pages.Count; i++)
        {
            Assert.Equal(-1, pages[i].Span.IndexOfAnyExcept((byte)i));
            allocator.Free(pages[i]);
        }

        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void Orders_and_types_that_do_not_exist_are_refused()
    {
        PageAllocator allocator = Trial.Allocator();
        foreach (int order in (int[])[-1, 11, int.MaxValue, int.MinValue])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => allocator.Allocate(order));
            Assert.Throws<ArgumentOutOfRangeException>(() => allocator.TryAllocate(out _, out _, order));
        }

        foreach (MigrateType type in (MigrateType[])[MigrateType.Contiguous, MigrateType.Isolated, (MigrateType)17])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => allocator.Allocate(0, type));
            Assert.Throws<ArgumentOutOfRangeException>(() => allocator.TryAllocate(out _, out _, 0, type));
        }

        Assert.Equal(default, allocator.GetStatistics() with { LargestFreeOrder = 0 });
        allocator.Dispose();
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    [InlineData("hostile")]
    public void A_page_of_each_order_is_aligned_whole_and_writable_to_its_last_byte(string provider)
    {
        PageAllocator allocator = Trial.Allocator(provider: Trial.Provider(provider));
        List<Page> pages = [];
        for (int order = 0; order <= Page.MaxOrder; order++)
        {
            Page page = allocator.Allocate(order, (MigrateType)(order % 2));
            Assert.Equal((order, Trial.Frame << order, Trial.Frame << order), (page.Order, page.Length, page.Span.Length));
            Assert.Equal((nuint)0, (nuint)page.Address % (nuint)page.Length);
            Assert.Equal(1, PageRef.Count(page));
            page.Span.Fill((byte)(order + 1));
            pages.Add(page);
        }

        for (int order = 0; order <= Page.MaxOrder; order++)
        {
            Assert.Equal(-1, pages[order].Span.IndexOfAnyExcept((byte)(order + 1)));
        }

        allocator.Free([.. pages]);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_page_of_another_allocator_is_refused_and_both_stand()
    {
        PageAllocator mine = Trial.Allocator();
        PageAllocator other = Trial.Allocator(name: "the other one");
        foreach (int order in (int[])[0, 2])
        {
            Page page = other.Allocate(order);
            PageBugException bug = Assert.Throws<PageBugException>(() => mine.Free(page));
            Assert.Contains("'the other one'", bug.Message, StringComparison.Ordinal);
            Assert.Throws<PageBugException>(() => mine.Free(page, PageTemperature.Cold));
            Assert.Throws<PageBugException>(() => mine.Free(page.Frame((1 << order) - 1)));
            Assert.Throws<PageBugException>(() => mine.FreeUnreferenced(page));
            Assert.Throws<PageBugException>(() => mine.Free([page]));
            Assert.Equal(1, PageRef.Count(page));

            // A put asks nobody where the page belongs.
            page.Put();
        }

        mine.Verify();
        PageOwnershipTests.AssertWhole(other);
        mine.Dispose();
    }

    [Fact]
    public void A_bad_handle_among_many_is_named_by_its_index_and_the_others_are_freed()
    {
        PageAllocator allocator = Trial.Allocator();
        Page[] pages = [.. Enumerable.Range(0, 20).Select(i => allocator.Allocate(i % 3))];
        pages[7].Put();
        pages[11].Put();
        PageBugException bug = Assert.Throws<PageBugException>(() => allocator.Free(pages));
        Assert.Contains("Free of 20 pages: 2 not freed, the first at index 7; the other 18 were.", bug.Message, StringComparison.Ordinal);
        Assert.All(pages, page => Assert.False(page.IsAlive));
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        Assert.Equal(default, pages.AsSpan(..0).Length);
        allocator.Free(ReadOnlySpan<Page>.Empty);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_second_free_is_refused_whatever_has_become_of_the_page()
    {
        PageAllocator allocator = Trial.Allocator();
        foreach (int order in (int[])[0, 3])
        {
            foreach (PageTemperature temperature in (PageTemperature[])[PageTemperature.Hot, PageTemperature.Cold])
            {
                Page page = allocator.Allocate(order);
                allocator.Free(page, temperature);
                Assert.Throws<PageBugException>(() => allocator.Free(page, temperature));
                Assert.Throws<PageBugException>(() => page.Put());
                allocator.Reclaim();
                Assert.Throws<PageBugException>(() => allocator.Free(page, temperature));
                Page again = allocator.Allocate(order);
                Assert.Throws<PageBugException>(() => allocator.Free(page, temperature));
                Assert.Equal(1, PageRef.Count(again));
                again.Put();
            }
        }

        PageOwnershipTests.AssertWhole(allocator);
        Page dead = default;
        PageAllocator gone = Trial.Allocator();
        dead = gone.Allocate();
        dead.Put();
        gone.Dispose();
        Assert.Throws<PageBugException>(() => gone.Free(dead));
        Assert.Throws<PageBugException>(() => dead.Put());
    }

    [Fact]
    public void A_page_that_somebody_counts_on_while_it_is_free_is_kept_out_of_use()
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        foreach (int order in (int[])[0, 2])
        {
            Page page = allocator.Allocate(order);
            PageDescriptor* head = Trial.Head(page);
            page.Put();
            long retired = allocator.GetStatistics().RetiredFrames;

            // Only through internals can a count be set on free memory: the bug that this stands for is a wild write.
            PageRef.Set(head + ((1 << order) - 1), 5);
            Page next = allocator.Allocate(order);
            Assert.NotEqual(head->Frame, next.FrameNumber);
            Assert.Equal(PageState.Bad, head->State);
            Assert.Equal(retired + (1 << order), allocator.GetStatistics().RetiredFrames);
            allocator.Verify();
            next.Put();
        }

        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Verify();
        allocator.Dispose();
    }

    [Fact]
    public void An_allocator_with_pages_out_cannot_be_disposed_and_still_stands()
    {
        PageAllocator allocator = Trial.Allocator();
        Page page = allocator.Allocate(3);
        PagesStillHeldException held = Assert.Throws<PagesStillHeldException>(allocator.Dispose);
        Assert.Equal(8 * Trial.Frame, held.HeldBytes);
        Assert.Contains("8 frames", held.Message, StringComparison.Ordinal);
        page.Span.Fill(1);
        allocator.Allocate().Put();
        allocator.Verify();
        page.Put();
        allocator.Dispose();
    }

    [Fact]
    public void A_disposed_allocator_gives_nothing_and_says_so()
    {
        PageAllocator allocator = Trial.Allocator();
        allocator.Free([allocator.Allocate(), allocator.Allocate(2)]);
        allocator.Dispose();
        allocator.Dispose();
        Assert.Throws<ObjectDisposedException>(() => allocator.Allocate());
        Assert.Throws<ObjectDisposedException>(() => allocator.Allocate(3));
        Assert.Throws<ObjectDisposedException>(() => allocator.TryAllocate(out _, out _));
        Assert.Throws<ObjectDisposedException>(() => allocator.Verify());
        Assert.Throws<ObjectDisposedException>(() => new PageFragmentCache(allocator).Allocate(1));
        Assert.Equal(0, allocator.Trim());

        // Its number goes to the next one, whose pages this thread's old magazine must not take.
        PageAllocator next = Trial.Allocator();
        foreach (int order in (int[])[0, 2])
        {
            Page page = next.Allocate(order);
            Assert.Throws<PageBugException>(() => allocator.Free(page));
            Assert.Throws<PageBugException>(() => allocator.Free(page, PageTemperature.Cold));
            next.Free(page);
        }

        Assert.Throws<ObjectDisposedException>(() => allocator.Allocate());
        PageOwnershipTests.AssertWhole(next);
    }

    [Fact]
    public void Of_many_disposals_at_once_one_happens()
    {
        for (int round = 0; round < 100; round++)
        {
            PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
            allocator.Allocate().Put();
            PageAllocator? next = null;
            Trial.OnThreads(3, number =>
            {
                allocator.Dispose();

                // It has the number of the one that went; a second departure would take it away.
                if (number == 0)
                {
                    next = Trial.Allocator(4 * Trial.MiB);
                }
            });
            Page page = next!.Allocate();
            page.Put();
            PageOwnershipTests.AssertWhole(next);
        }
    }

    [Fact]
    public void The_shared_allocator_cannot_be_disposed()
    {
        Assert.Throws<InvalidOperationException>(PageAllocator.Shared.Dispose);
        Page page = PageAllocator.Shared.Allocate();
        page.Span.Fill(3);
        PageAllocator.Shared.Free(page);
    }

    [Fact]
    public void Threads_that_ended_leave_bounded_memory_behind()
    {
        PageAllocator allocator = Trial.Allocator();
        Page[] pages = new Page[50];
        for (int i = 0; i < 5000; i++)
        {
            Thread thread = new(() =>
            {
                for (int j = 0; j < pages.Length; j++)
                {
                    pages[j] = allocator.Allocate();
                }

                allocator.Free(pages);
            });
            thread.Start();
            thread.Join();
        }

        PageAllocatorStatistics now = allocator.GetStatistics();
        Assert.Equal(4 * Trial.MiB, now.ManagedBytes);
        Assert.True(now.MagazineFrames <= 2 * MagazineBlock.Capacity, now.ToString());
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void A_thread_may_use_many_allocators_in_turn_and_outlive_them()
    {
        for (int round = 0; round < 20; round++)
        {
            PageAllocator[] allocators = [.. Enumerable.Range(0, 5).Select(_ => Trial.Allocator(4 * Trial.MiB))];
            Page[] pages = new Page[100];
            for (int i = 0; i < pages.Length; i++)
            {
                pages[i] = allocators[i % 5].Allocate();
            }

            for (int i = 0; i < pages.Length; i++)
            {
                allocators[i % 5].Free(pages[i]);
            }

            foreach (PageAllocator allocator in allocators)
            {
                PageOwnershipTests.AssertWhole(allocator);
            }
        }
    }
}
