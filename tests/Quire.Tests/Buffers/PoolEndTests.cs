using System.Buffers;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>The end of a pool, what is counted until then, and what threads and pools leave behind.</summary>
[Collection(LedgerCollection.Name)]
public sealed class PoolEndTests
{
    [Theory]
    [InlineData(100, true)]
    [InlineData(4096, true)]
    [InlineData(100, false)]
    [InlineData(4096, false)]
    public void A_pool_with_owners_out_is_not_ended_and_names_them_where_the_ledger_is_on(int size, bool tracking)
    {
        using IDisposable? session = tracking ? Holders.Track() : null;
        QuireMemoryPool pool = PoolTrial.Pool(name: "my pool");
        string taken = PoolTrial.Here(); PageMemory owner = pool.Rent(size);
        PagesStillHeldException thrown = Assert.Throws<PagesStillHeldException>(pool.Dispose);
        Assert.StartsWith($"Pool 'my pool' can't be disposed: 1 owners ({size} bytes) and 0 pins are out.", thrown.Message, StringComparison.Ordinal);
        Assert.Contains(tracking ? taken : "keep the ledger on (Holders.Track)", thrown.Message, StringComparison.Ordinal);
        Assert.Equal(size, thrown.HeldBytes);

        // It stands as before.
        pool.Rent(size).Dispose();
        MemoryHandle pin = owner.Pin();
        owner.Dispose();
        Assert.Contains("0 owners (0 bytes) and 1 pins are out", Assert.Throws<PagesStillHeldException>(pool.Dispose).Message, StringComparison.Ordinal);
        pin.Dispose();
        pool.Dispose();
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Rent(size));
        Assert.Throws<ObjectDisposedException>(() => pool.TryRent(size, out _, out _));
        Assert.Throws<ObjectDisposedException>(() => ((MemoryPool<byte>)pool).Rent());
        Assert.DoesNotContain(pool, QuireMemoryPool.All());
    }

    [Fact]
    public void A_page_taken_from_the_pools_allocator_keeps_it_from_its_end_too()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        Page page = pool.Allocator.Allocate();
        Assert.Throws<PagesStillHeldException>(pool.Dispose);
        pool.Rent(10).Dispose();
        page.Put();
        pool.End();
    }

    [Fact]
    public void An_allocator_that_was_given_is_left_as_it_was_and_outlives_its_pools()
    {
        using PageAllocator allocator = Trial.Allocator();
        for (int i = 0; i < 50; i++)
        {
            QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Name = $"pool {i}", Allocator = allocator });
            pool.Rent(100).Dispose();
            pool.Rent(4096).Dispose();
            pool.Rent(10_000).Dispose();
            pool.End();
            Assert.Equal(0, allocator.GetStatistics().InUseFrames);
            foreach (int size in (int[])[100, 4096, 10_000, 100_000])
            {
                Assert.Throws<ObjectDisposedException>(() => pool.Rent(size));
            }
        }

        allocator.Trim();
        allocator.Verify();
    }

    [Fact]
    public void Two_pools_on_one_allocator_count_apart()
    {
        using PageAllocator allocator = Trial.Allocator();
        QuireMemoryPool a = new(new QuireMemoryPoolOptions { Name = "a", Allocator = allocator });
        QuireMemoryPool b = new(new QuireMemoryPoolOptions { Name = "b", Allocator = allocator });
        PageMemory[] owners = [a.Rent(100), b.Rent(200), b.Rent(4096), a.Rent(10_000)];
        Assert.Equal((2L, 10_100L), (a.GetStatistics().RentedOwners, a.GetStatistics().RentedBytes));
        Assert.Equal((2L, 4296L), (b.GetStatistics().RentedOwners, b.GetStatistics().RentedBytes));
        Array.ForEach(owners, static owner => owner.Dispose());
        a.End();
        b.End();
    }

    [Fact]
    public void What_threads_did_that_have_ended_stays_counted_and_leaves_no_threads_behind()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        PageMemory? last = null;
        for (int i = 0; i < 300; i++)
        {
            // Each disposes what the one before rented.
            Trial.OnThread(() =>
            {
                last?.Dispose();
                last = pool.Rent(i % 2 == 0 ? 100 : 4096);
            });
        }

        QuireMemoryPoolStatistics now = pool.GetStatistics();
        Assert.Equal((300L, 299L, 1L), (now.Rents, now.Returns, now.RentedOwners));
        Assert.Equal(4096, now.RentedBytes);
        last!.Dispose();
        pool.End();
    }

    [Fact]
    public void A_pool_gets_the_slot_of_one_that_ended_and_none_of_its_counts()
    {
        QuireMemoryPool first = PoolTrial.Pool(name: "first");
        for (int i = 0; i < 10; i++)
        {
            first.Rent(100).Dispose();
        }

        first.End();
        QuireMemoryPool second = PoolTrial.Pool(name: "second");
        second.Rent(100).Dispose();
        Assert.Throws<ObjectDisposedException>(() => first.Rent(100));
        Assert.Equal((1L, 1L), (second.GetStatistics().Rents, second.GetStatistics().Returns));
        Assert.Contains(second, QuireMemoryPool.All());
        second.End();
    }

    [Fact]
    public void Rents_that_race_with_the_end_are_counted_or_refused() => Trial.Seeded(random =>
    {
        int ended = 0;
        int refused = 0;
        Func<bool> goOn = Trial.For(2000, () => ended > 5 && refused > 5);
        using PageAllocator given = Trial.Allocator();
        for (int round = 0; goOn(); round++)
        {
            // On an allocator that lives on nothing but the pool's own mark refuses a rent.
            bool own = round % 2 == 0;
            QuireMemoryPool pool = own ? PoolTrial.Pool() : new QuireMemoryPool(new QuireMemoryPoolOptions { Allocator = given });
            bool isOver = false;
            int delay = random.Next(3000);
            Trial.OnThreads(3, number =>
            {
                if (number == 0)
                {
                    Thread.SpinWait(delay);
                    while (true)
                    {
                        try
                        {
                            pool.Dispose();
                            Volatile.Write(ref isOver, true);
                            ended++;
                            return;
                        }
                        catch (PagesStillHeldException)
                        {
                            Thread.Yield();
                        }
                    }
                }

                try
                {
                    for (int i = 0; i < 100_000; i++)
                    {
                        bool over = Volatile.Read(ref isOver);
                        PageMemory owner = pool.Rent((number, i % 2) switch { (1, _) => 4096, (_, 0) => 300, _ => 20_000 });
                        Assert.False(over, "A rent of a pool whose dispose had returned.");

                        // Would be another's, or a fault, in memory of a pool that has ended.
                        owner.Span.Fill((byte)i);
                        Assert.Equal((byte)i, owner.Span[^1]);
                        Assert.False(Volatile.Read(ref isOver), "The pool was disposed with an owner out.");
                        owner.Dispose();
                    }
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref refused);
                }
            });
            Assert.Equal(0, given.GetStatistics().InUseFrames);
        }

        Assert.True(ended > 5 && refused > 5, $"{ended} ended, {refused} rents refused: that tries nothing.");
    });

    [Fact]
    public void Idle_memory_goes_back_to_the_system_by_itself()
    {
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Name = "brief", LimitBytes = 64 * Trial.MiB, TrimInterval = TimeSpan.FromMilliseconds(50), KeepBytes = 0 });
        List<PageMemory> owners = [];
        for (int i = 0; i < 3000; i++)
        {
            owners.Add(pool.Rent(i % 2 == 0 ? 1000 : 4096));
            owners[^1].Span.Fill(1);
        }

        owners.ForEach(static owner => owner.Dispose());
        Assert.True(
            Trial.Eventually(() => pool.Allocator.GetStatistics() is var now && now.InUseFrames == 0 && now.DecommittedFrames == now.ManagedFrames),
            $"{pool.Allocator.GetStatistics()}");
        pool.Dispose();
    }
}
