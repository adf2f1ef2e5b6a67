using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>An allocator never goes while somebody holds a page of it, whoever is calling meanwhile.</summary>
public sealed unsafe class PageAllocatorDisposeTests
{
    [Fact]
    public void Dispose_beside_threads_that_take_and_free_never_takes_a_page_from_its_holder() => Trial.Seeded(static random =>
    {
        for (int round = 0; round < 150; round++)
        {
            PageAllocator allocator = Trial.Allocator(limit: 16 * Trial.MiB);
            int seed = random.Next();
            int disposed = 0;
            Trial.OnThreads(3, number =>
            {
                if (number == 0)
                {
                    Random when = new(seed);
                    while (Volatile.Read(ref disposed) == 0)
                    {
                        // In the midst of the others' work, not before it.
                        Thread.SpinWait(when.Next(20_000));
                        try
                        {
                            allocator.Dispose();
                            Volatile.Write(ref disposed, 1);
                        }
                        catch (PagesStillHeldException)
                        {
                            Thread.Yield();
                        }
                    }

                    return;
                }

                Random own = new(seed + number);
                try
                {
                    for (int i = 0; i < 3000; i++)
                    {
                        Page page = allocator.Allocate(own.Next(8) == 0 ? 2 : 0);
                        *page.Address = (byte)i;
                        Assert.Equal((byte)i, *page.Address);
                        allocator.Free(page);
                        if (i % 64 == 0)
                        {
                            Thread.Yield();
                        }
                    }
                }
                catch (ObjectDisposedException)
                {
                    // It went between two pages, as it may.
                }
            });
        }
    });

    [Fact]
    public void A_cache_that_was_not_disposed_is_named_as_the_holder_of_its_reserve()
    {
        PageAllocator allocator = Trial.Allocator(limit: 16 * Trial.MiB);
        PageFragmentCache cache = new(allocator);
        cache.Free(cache.Allocate(100));

        PagesStillHeldException held = Assert.Throws<PagesStillHeldException>(allocator.Dispose);

        Holder holder = Assert.Single(held.Holders);
        Assert.Equal(HolderKind.Bias, holder.Kind);
        Assert.Contains("fragment cache", held.Message, StringComparison.Ordinal);
        cache.Dispose();
        allocator.Dispose();
    }

    [Fact]
    public void One_frame_is_never_fragmented_and_memory_of_an_area_is_not_free_for_others()
    {
        PageAllocator allocator = Trial.Allocator(limit: 8 * Trial.MiB);
        ContiguousArea area = ContiguousArea.Reserve(allocator, 4 * Trial.MiB, "lent");
        List<Page> pages = [];
        AllocationFailure failure;
        while (allocator.TryAllocate(out Page page, out failure))
        {
            pages.Add(page);
        }

        Assert.Equal(AllocationFailure.LimitReached, failure);
        Assert.Throws<PageLimitException>(() => allocator.Allocate(3));
        pages.ForEach(page => page.Put());
        area.Dispose();
        allocator.Dispose();
    }

    [Theory]
    [InlineData(-1, 0, 5000)]
    [InlineData(0, -1, 5000)]
    [InlineData(0, 0, 0)]
    [InlineData(0, 0, -3000)]
    public void Options_that_are_none_are_refused_by_name_before_anything_is_made(long limit, long keep, int interval) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new PageAllocator(new PageAllocatorOptions
        {
            LimitBytes = limit,
            KeepBytes = keep,
            TrimInterval = TimeSpan.FromMilliseconds(interval),
        }));
}
