using System.Buffers;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>What a rent gives: exact lengths, fragments or pages, errors by name.</summary>
public sealed class PoolRentTests
{
    private const int Largest = 4 << 20;

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    [InlineData("hostile")]
    public void Every_size_is_given_exactly_and_can_be_written_to_its_last_byte(string provider)
    {
        QuireMemoryPool pool = PoolTrial.Pool(provider: Trial.Provider(provider));
        int[] sizes = [1, 7, 8, 9, 255, 2047, 2048, 2049, 4095, 4096, 4097, 8192, 8193, 32_768, 32_769, 65_536, 65_537, 1_000_000, Largest];
        List<PageMemory> owners = [];
        for (int i = 0; i < sizes.Length; i++)
        {
            PageMemory owner = pool.Rent(sizes[i]);
            Assert.Equal(sizes[i], owner.Length);
            Assert.Equal(sizes[i], owner.Memory.Length);
            Assert.Equal(sizes[i], owner.Span.Length);
            Assert.Equal(sizes[i], owner.Memory.Span.Length);
            owner.Span.Fill((byte)(i + 1));
            owners.Add(owner);
        }

        for (int i = 0; i < sizes.Length; i++)
        {
            Assert.Equal(-1, owners[i].Memory.Span.IndexOfAnyExcept((byte)(i + 1)));
            owners[i].Dispose();
        }

        pool.End();
    }

    [Fact]
    public void Up_to_half_a_frame_rents_share_a_page_and_above_each_has_its_own_of_the_smallest_order()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        using (PageMemory a = pool.Rent(QuireMemoryPool.LargestFragment))
        using (PageMemory b = pool.Rent(QuireMemoryPool.LargestFragment))
        using (PageMemory c = pool.Rent(QuireMemoryPool.LargestFragment + 1))
        using (PageMemory d = pool.Rent(4096))
        using (PageMemory e = pool.Rent(4097))
        using (PageMemory f = pool.Rent(Largest))
        {
            Assert.Equal(3, a.Page.Order);
            Assert.Equal((0, 0, 1, 10), (c.Page.Order, d.Page.Order, e.Page.Order, f.Page.Order));
            Assert.NotEqual(c.Page, d.Page);
            Assert.Equal(1, PageRef.Count(d.Page));
        }

        pool.End();
    }

    [Fact]
    public void A_rent_without_a_size_gets_the_pools_default()
    {
        QuireMemoryPool pool = PoolTrial.Pool(defaultSize: 1500);
        using (PageMemory mine = pool.Rent())
        using (IMemoryOwner<byte> theirs = ((MemoryPool<byte>)pool).Rent())
        using (PageMemory kestrels = PoolTrial.Pool(name: "default").Rent())
        {
            Assert.Equal(1500, mine.Length);
            Assert.Equal(1500, theirs.Memory.Length);
            Assert.Equal(4096, kestrels.Length);
        }

        pool.End();
    }

    [Fact]
    public void A_rent_of_nothing_is_empty_and_is_disposed_like_any()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        PageMemory owner = pool.Rent(0);
        Assert.Equal(0, owner.Memory.Length);
        Assert.True(owner.Span.IsEmpty);
        PageMemory slice = owner.Slice(0, 0);
        owner.Dispose();
        slice.Dispose();
        pool.End();
    }

    [Fact]
    public void Sizes_that_are_none_are_refused_and_counted_nowhere()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        Assert.Equal(Largest, pool.MaxBufferSize);
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(-2));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(Largest + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => ((MemoryPool<byte>)pool).Rent(int.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.TryRent(int.MinValue, out _, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.RentAsync(-2).AsTask().Wait());
        Assert.Equal((0L, 0L), (pool.GetStatistics().Rents, pool.GetStatistics().Returns));
        pool.End();
    }

    [Fact]
    public void At_the_limit_a_rent_says_so_by_name_and_what_is_out_stays()
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        List<PageMemory> owners = [];
        while (pool.TryRent(65_536, out PageMemory? owner, out AllocationFailure failure))
        {
            Assert.Equal(AllocationFailure.None, failure);
            owners.Add(owner);
        }

        Assert.Equal(64, owners.Count);
        Assert.False(pool.TryRent(65_536, out PageMemory? none, out AllocationFailure why));
        Assert.Null(none);
        Assert.Equal(AllocationFailure.LimitReached, why);
        PageLimitException thrown = Assert.Throws<PageLimitException>(() => pool.Rent(100));
        Assert.Contains("'At_the_limit_a_rent_says_so_by_name_and_what_is_out_stays' has no 100 bytes: LimitReached. It has 64 owners out, of 4194304 bytes.", thrown.Message, StringComparison.Ordinal);
        Assert.Throws<PageLimitException>(() => ((MemoryPool<byte>)pool).Rent());

        owners[0].Dispose();
        using (PageMemory again = pool.Rent(65_536))
        {
            Assert.Equal(64, pool.GetStatistics().RentedOwners);
        }

        owners[1..].ForEach(static owner => owner.Dispose());
        pool.End();
    }

    [Fact]
    public void Enough_in_total_but_not_in_one_piece_is_an_answer_of_its_own()
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        List<PageMemory> owners = [];
        while (pool.TryRent(4096, out PageMemory? owner, out _))
        {
            owners.Add(owner);
        }

        for (int i = 0; i < owners.Count; i += 2)
        {
            owners[i].Dispose();
        }

        Assert.False(pool.TryRent(8192, out _, out AllocationFailure failure));
        Assert.Equal(AllocationFailure.Fragmented, failure);
        Assert.Throws<PageFragmentationException>(() => pool.Rent(8192));
        for (int i = 1; i < owners.Count; i += 2)
        {
            owners[i].Dispose();
        }

        pool.End();
    }

    [Fact]
    public void Small_rents_find_room_in_any_stripe_before_they_fail()
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        List<PageMemory> small = [];

        // Fragment pages on every core's stripe first, then everything else is taken away.
        Trial.OnThreads(4, _ =>
        {
            for (int i = 0; i < 4; i++)
            {
                PageMemory owner = pool.Rent(1000);
                lock (small)
                {
                    small.Add(owner);
                }

                Thread.Yield();
            }
        });
        List<PageMemory> large = [];
        while (pool.TryRent(4096, out PageMemory? owner, out _))
        {
            large.Add(owner);
        }

        HashSet<Page> pages = [.. small.Select(static owner => owner.Page)];
        int more = 0;
        while (pool.TryRent(1000, out PageMemory? owner, out _))
        {
            small.Add(owner);
            more++;
        }

        // All that a page of 32 KiB holds beside what it had, on every one of them. (Who found all stripes occupied got a page of order 0 to itself.)
        Assert.True(pages.SetEquals(small.Select(static owner => owner.Page)), "A small rent took a page while there was none.");
        Assert.Equal(pages.Sum(static page => page.Order == 3 ? 32_768 / 1000 : 1), small.Count);
        Assert.True(more > 0);
        small.ForEach(static owner => owner.Dispose());
        large.ForEach(static owner => owner.Dispose());
        pool.End();
    }

    [Fact]
    public void The_shared_pool_is_on_the_shared_allocator_and_is_not_ended_by_a_dispose()
    {
        Assert.Same(PageAllocator.Shared, QuireMemoryPool.Shared.Allocator);
        QuireMemoryPool.Shared.Dispose();
        foreach (int size in (int[])[100, 4096, 100_000])
        {
            using PageMemory owner = QuireMemoryPool.Shared.Rent(size);
            owner.Span.Fill(1);
            Assert.Equal(size, owner.Length);
        }
    }

    [Fact]
    public void Memory_is_zero_again_where_that_was_asked_for()
    {
        QuireMemoryPool pool = PoolTrial.Pool(zeroOnFree: true);
        for (int i = 0; i < 200; i++)
        {
            using PageMemory page = pool.Rent(4096);
            using PageMemory fragment = pool.Rent(2000);
            Assert.Equal(-1, page.Span.IndexOfAnyExcept((byte)0));
            Assert.Equal(-1, fragment.Span.IndexOfAnyExcept((byte)0));
            page.Span.Fill(1);
            fragment.Span.Fill(1);
        }

        pool.End();
    }

    [Fact]
    public void Options_that_are_none_are_refused_by_name_and_nothing_is_made()
    {
        int pools = QuireMemoryPool.All().Count;
        Assert.Equal("DefaultBufferSize", Assert.Throws<ArgumentOutOfRangeException>(() => new QuireMemoryPool(new QuireMemoryPoolOptions { DefaultBufferSize = 0 })).ParamName);
        Assert.Equal("DefaultBufferSize", Assert.Throws<ArgumentOutOfRangeException>(() => new QuireMemoryPool(new QuireMemoryPoolOptions { DefaultBufferSize = Largest + 1 })).ParamName);
        Assert.Equal("LimitBytes", Assert.Throws<ArgumentOutOfRangeException>(() => new QuireMemoryPool(new QuireMemoryPoolOptions { LimitBytes = 4096 })).ParamName);
        Assert.Equal("Name", Assert.Throws<ArgumentNullException>(() => new QuireMemoryPool(new QuireMemoryPoolOptions { Name = null! })).ParamName);
        Assert.Equal("Provider", Assert.Throws<ArgumentNullException>(() => new QuireMemoryPool(new QuireMemoryPoolOptions { Provider = null! })).ParamName);
        PageAllocator gone = Trial.Allocator();
        gone.Dispose();
        Assert.Throws<ObjectDisposedException>(() => new QuireMemoryPool(new QuireMemoryPoolOptions { Allocator = gone }));
        Assert.DoesNotContain(QuireMemoryPool.All().Skip(pools), pool => ReferenceEquals(pool.Allocator, gone));
    }
}
