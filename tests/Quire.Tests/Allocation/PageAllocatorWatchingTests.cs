using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>What watchers of an allocator see, and an end that waits for holders.</summary>
[Collection(LedgerCollection.Name)]
public sealed class PageAllocatorWatchingTests
{
    [Fact]
    public void A_limit_that_is_reached_is_told_each_time_and_what_a_listener_throws_is_not_the_callers()
    {
        using PageAllocator allocator = Trial.Allocator(limit: 4 * Trial.MiB);
        List<PageLimitNotice> notices = [];
        allocator.LimitReached += (sender, notice) =>
        {
            Assert.Same(allocator, sender);
            notices.Add(notice);

            // Listeners may use what they listen to.
            allocator.GetStatistics();
            throw new InvalidOperationException("thrown by the test's listener");
        };
        Page all = allocator.Allocate(Page.MaxOrder);
        Assert.Throws<PageLimitException>(() => allocator.Allocate());
        Assert.False(allocator.TryAllocate(out _, out AllocationFailure failure, order: 3));
        Assert.Equal(AllocationFailure.LimitReached, failure);
        Assert.Equal([new PageLimitNotice(4096, 4 * Trial.MiB), new PageLimitNotice(8 * 4096, 4 * Trial.MiB)], notices);
        all.Put();
        allocator.Allocate().Put();
        Assert.Equal(2, notices.Count);
    }

    [Fact]
    public void The_list_of_all_has_an_allocator_from_its_making_to_its_disposal()
    {
        PageAllocator allocator = Trial.Allocator(limit: 4 * Trial.MiB);
        Assert.Contains(allocator, PageAllocator.All());
        allocator.Dispose();
        Assert.DoesNotContain(allocator, PageAllocator.All());
    }

    [Fact]
    public void The_table_of_an_allocator_has_its_holders_and_counts_what_nobody_recorded()
    {
        using PageAllocator allocator = Trial.Allocator(limit: 4 * Trial.MiB);
        using PageAllocator other = Trial.Allocator(limit: 4 * Trial.MiB);
        Page before = allocator.Allocate();
        Page second = before.Get();
        Page alone = allocator.Allocate(order: 2);
        using (Holders.Track())
        {
            Page tracked = allocator.Allocate();
            Page foreign = other.Allocate();
            Page again = before.Get();
            HolderTable table = allocator.GetHolders();
            Assert.Equal((3, 2), (table.UntrackedReferences, table.UntrackedPages));
            Assert.Equal(5, table.References);
            Assert.Equal(2, table.Rows.Sum(static row => row.Holders));
            Assert.All(table.Rows, static row => Assert.Equal("PageAllocatorWatchingTests.cs", Path.GetFileName(row.Site.File)));
            again.Put();
            foreign.Put();
            tracked.Put();
        }

        Assert.Equal((3, 2), (allocator.GetHolders().UntrackedReferences, allocator.GetHolders().UntrackedPages));
        before.Put();
        second.Put();
        alone.Put();
        Assert.Equal(0, allocator.GetHolders().References);
    }

    [Fact]
    public void References_that_come_and_go_while_they_are_counted_do_not_pass_for_untracked()
    {
        const int Takers = 2;
        const int Batch = 64;
        using PageAllocator allocator = Trial.Allocator(limit: 16 * Trial.MiB);
        using IDisposable tracking = Holders.Track();
        int stop = 0;
        long seen = 0;
        Trial.OnThreads(1 + Takers, number =>
        {
            if (number == 0)
            {
                try
                {
                    Func<bool> goOn = Trial.For(0, () => seen > 200);
                    for (int i = 0; i < 200 || goOn(); i++)
                    {
                        HolderTable table = allocator.GetHolders();
                        seen += table.Pages;

                        // Each taker may be between a page's count and its record, and stay there for a while; all else is recorded.
                        Assert.True(table.UntrackedReferences <= Takers, $"query {i}: {table.UntrackedReferences} references pass for untracked\n{table}");
                    }
                }
                finally
                {
                    Volatile.Write(ref stop, 1);
                }

                return;
            }

            Page[] pages = new Page[Batch];
            while (Volatile.Read(ref stop) == 0)
            {
                for (int i = 0; i < Batch; i++)
                {
                    pages[i] = allocator.Allocate();
                }

                Array.ForEach(pages, static page => page.Put());
            }
        });
        Assert.True(seen > 200, $"only {seen} pages were seen in all queries");
    }

    [Fact]
    public void An_allocator_that_is_to_go_when_free_gives_no_page_and_goes_when_the_last_one_has_come_back()
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        Page page = allocator.Allocate();
        Page more = page.Get();
        Assert.False(allocator.DisposeWhenFree());
        Assert.Throws<ObjectDisposedException>(() => allocator.Allocate());
        Assert.Throws<ObjectDisposedException>(() => allocator.TryAllocate(out _, out _, order: 4));
        Assert.Equal(2, PageRef.Count(page));
        page.Span.Fill(7);
        allocator.Dispose(); // Nothing more to do, and nothing to throw.
        more.Put();
        Assert.False(allocator.DisposeWhenFree());
        allocator.Free(page);
        Assert.True(SpinWait.SpinUntil(() => !PageAllocator.All().Contains(allocator), TimeSpan.FromSeconds(60)), "all came back, and it stayed");
        Assert.True(allocator.DisposeWhenFree());
        Assert.Throws<InvalidOperationException>(() => PageAllocator.Shared.DisposeWhenFree());
        PageAllocator.Shared.Allocate().Put();
    }

    [Fact]
    public void An_allocator_that_is_to_go_when_free_gives_no_range_no_area_and_no_ring_either()
    {
        PageAllocator allocator = Trial.Allocator(limit: 64 * Trial.MiB);
        ContiguousArea area = ContiguousArea.Reserve(allocator, 4 * Trial.MiB, "going");
        Page page = allocator.Allocate();
        Assert.False(allocator.DisposeWhenFree());
        Assert.Throws<ObjectDisposedException>(() => area.Allocate(1));
        Assert.Throws<ObjectDisposedException>(() => ContiguousArea.Reserve(allocator, 4 * Trial.MiB, "more"));
        Assert.Throws<ObjectDisposedException>(() => new PacketReceiveRing(new PacketReceiveRingOptions { Allocator = allocator }));
        area.Dispose();
        page.Put();
        Assert.True(SpinWait.SpinUntil(() => allocator.DisposeWhenFree(), TimeSpan.FromSeconds(60)), "all came back, and it stayed");
    }

    [Fact]
    public void Threads_that_take_and_free_beside_the_end_lose_nothing_and_the_end_comes()
    {
        for (int round = 0; round < 60; round++)
        {
            PageAllocator allocator = Trial.Allocator(limit: 16 * Trial.MiB);
            Page kept = allocator.Allocate();
            Trial.OnThreads(3, number =>
            {
                if (number == 0)
                {
                    Thread.SpinWait(round * 500);
                    Assert.False(allocator.DisposeWhenFree());
                    return;
                }

                try
                {
                    for (int i = 0; i < 100_000; i++)
                    {
                        Page page = allocator.Allocate(i % 16 == 0 ? 3 : 0);
                        page.Span[0] = (byte)i;
                        allocator.Free(page);
                    }
                }
                catch (ObjectDisposedException)
                {
                    // It closed between two pages.
                }
            });
            Assert.Equal(1, allocator.GetStatistics().InUseFrames);
            kept.Put();
            Assert.True(allocator.DisposeWhenFree(), $"round {round}: all came back, and it stayed");
        }
    }

    [Fact]
    public void A_dispose_with_somebody_to_tell_tells_and_does_not_throw()
    {
        PagesStillHeldException? told = null;
        PageAllocator allocator = new(new PageAllocatorOptions { Name = "tells", LimitBytes = 4 * Trial.MiB, HeldAtDispose = held => told = held });
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Allocator = allocator });
        PageMemory rented = pool.Rent(5000);
        PageMemory small = pool.Rent(50);
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Rent(1));
        allocator.Dispose();
        Assert.Equal(8192 + 32768, told!.HeldBytes);
        rented.Span.Fill(1);
        rented.Dispose();
        small.Dispose();
        Assert.True(allocator.DisposeWhenFree());
        pool.Dispose();
    }
}
