using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Rents that wait: served in order, woken by whatever frees memory, never forgotten.</summary>
public sealed class PoolWaitTests
{
    private const int Large = 1 << 20;

    /// <summary>Long: it is reached by what never comes, and not by a machine with other work to do.</summary>
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task While_there_is_memory_nothing_waits()
    {
        QuireMemoryPool pool = PoolTrial.Pool();
        foreach (int size in (int[])[0, -1, 100, 4096, 70_000])
        {
            ValueTask<PageMemory> rent = pool.RentAsync(size);
            Assert.True(rent.IsCompletedSuccessfully);
            using PageMemory owner = await rent;
            Assert.Equal(size == -1 ? 4096 : size, owner.Length);
        }

        pool.End();
    }

    [Theory]
    [InlineData(Large)]
    [InlineData(4096)]
    [InlineData(100)]
    public async Task At_the_limit_a_rent_waits_and_goes_on_when_an_owner_is_disposed(int size)
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        List<PageMemory> owners = Fill(pool);
        Task<PageMemory> waiting = pool.RentAsync(size).AsTask();
        await Task.Delay(3 * QuireMemoryPool.PollMilliseconds);
        Assert.False(waiting.IsCompleted);
        Assert.Equal(1, pool.GetStatistics().Waiters);
        owners[0].Dispose();
        using (PageMemory got = await waiting.WaitAsync(s_limit))
        {
            Assert.Equal(size, got.Length);
            Assert.Equal(0, pool.GetStatistics().Waiters);
        }

        owners[1..].ForEach(static owner => owner.Dispose());
        pool.End();
    }

    [Fact]
    public async Task Waiters_are_served_in_the_order_in_which_they_came_and_a_small_one_does_not_overtake_a_large_one()
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        List<PageMemory> owners = Fill(pool);
        int[] sizes = [Large, 100, Large, 4096, 70_000];
        Task<PageMemory>[] waiting = [.. sizes.Select(size => pool.RentAsync(size).AsTask())];
        List<int> order = [];
        Task[] seen = [.. waiting.Select(async (task, index) =>
        {
            PageMemory memory = await task;
            lock (order)
            {
                order.Add(index);
            }

            return memory;
        })];

        // Room for the small one alone: it waits behind the large one.
        PageMemory quarter = owners[0];
        PageMemory part = quarter.Slice(0, 10);
        quarter.Dispose();
        await Task.Delay(4 * QuireMemoryPool.PollMilliseconds);
        Assert.Equal(5, pool.GetStatistics().Waiters);
        part.Dispose();
        PageMemory first = await waiting[0].WaitAsync(s_limit);
        await Task.Delay(4 * QuireMemoryPool.PollMilliseconds);
        Assert.Equal(4, pool.GetStatistics().Waiters);
        owners[1].Dispose();
        PageMemory second = await waiting[1].WaitAsync(s_limit);
        Assert.False(waiting[3].IsCompleted);
        owners[2].Dispose();
        PageMemory third = await waiting[2].WaitAsync(s_limit);
        owners[3].Dispose();
        await Task.WhenAll(seen).WaitAsync(s_limit);
        foreach (PageMemory memory in (PageMemory[])[first, second, third, await waiting[3], await waiting[4]])
        {
            memory.Dispose();
        }

        Assert.Equal(5, order.Count);
        pool.End();
    }

    [Fact]
    public async Task A_cancelled_wait_takes_nothing_and_lets_those_behind_move_up()
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        List<PageMemory> owners = Fill(pool);
        using CancellationTokenSource cancellation = new();
        Task<PageMemory> large = pool.RentAsync(4 * Large, cancellation.Token).AsTask();
        Task<PageMemory> small = pool.RentAsync(Large).AsTask();
        owners[0].Dispose();
        await Task.Delay(3 * QuireMemoryPool.PollMilliseconds);
        Assert.False(small.IsCompleted);
        await cancellation.CancelAsync();
        OperationCanceledException thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => large);
        Assert.Equal(cancellation.Token, thrown.CancellationToken);
        (await small.WaitAsync(s_limit)).Dispose();

        // One cancelled before it began asks for nothing.
        Assert.True(pool.RentAsync(100, cancellation.Token).AsTask().IsCanceled);
        owners[1..].ForEach(static owner => owner.Dispose());
        Assert.Equal(0, pool.GetStatistics().Waiters);
        pool.End();
    }

    [Fact]
    public async Task Memory_that_others_free_on_the_same_allocator_is_noticed()
    {
        using PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Name = "one of two", Allocator = allocator });
        List<Page> pages = [];
        while (allocator.TryAllocate(out Page page, out _, 10))
        {
            pages.Add(page);
        }

        Task<PageMemory> waiting = pool.RentAsync(Large).AsTask();
        await Task.Delay(50);
        Assert.False(waiting.IsCompleted);
        pages[0].Put();
        (await waiting.WaitAsync(s_limit)).Dispose();
        pages[1..].ForEach(static page => page.Put());
        pool.End();
        allocator.Verify();
    }

    [Fact]
    public async Task A_pools_end_fails_those_who_wait_by_its_name_even_where_owners_are_out()
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB, name: "busy pool");
        List<PageMemory> owners = Fill(pool);
        Task<PageMemory>[] waiting = [pool.RentAsync(100).AsTask(), pool.RentAsync(Large).AsTask()];
        Assert.Throws<PagesStillHeldException>(pool.Dispose);
        foreach (Task<PageMemory> task in waiting)
        {
            ObjectDisposedException thrown = await Assert.ThrowsAsync<ObjectDisposedException>(() => task);
            Assert.Contains("'busy pool' was disposed while a rent waited", thrown.Message, StringComparison.Ordinal);
        }

        // The pool stands.
        Task<PageMemory> again = pool.RentAsync(100).AsTask();
        owners.ForEach(static owner => owner.Dispose());
        (await again.WaitAsync(s_limit)).Dispose();
        pool.End();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await pool.RentAsync(1));
    }

    [Fact]
    public async Task Reasons_that_waiting_does_not_mend_are_told_at_once()
    {
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Name = "poor", Provider = new NoMemory(), TrimInterval = Timeout.InfiniteTimeSpan, LimitBytes = 64 * Trial.MiB });
        PageOutOfMemoryException thrown = await Assert.ThrowsAsync<PageOutOfMemoryException>(async () => await pool.RentAsync(100));
        Assert.Contains("'poor' has no 100 bytes: OutOfMemory", thrown.Message, StringComparison.Ordinal);
        Assert.Equal(0, pool.GetStatistics().Waiters);
        pool.End();
    }

    [Fact]
    public async Task What_awaits_a_rent_goes_on_elsewhere_than_in_the_dispose_that_made_room()
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        List<PageMemory> owners = Fill(pool);
        Thread? thread = null;
        using ManualResetEventSlim held = new();
        Task waiter = Task.Run(async () =>
        {
            using PageMemory memory = await pool.RentAsync(Large).ConfigureAwait(false);
            thread = Thread.CurrentThread;
            held.Wait(TimeSpan.FromSeconds(30));
        });
        Assert.True(Trial.Eventually(() => pool.GetStatistics().Waiters == 1, 60_000));
        Thread? mine = null;
        Trial.OnThread(() =>
        {
            mine = Thread.CurrentThread;

            // Would not come back if the waiter went on in here.
            owners[0].Dispose();
            held.Set();
        });
        await waiter.WaitAsync(s_limit);
        Assert.NotNull(thread);
        Assert.NotSame(mine, thread);
        owners[1..].ForEach(static owner => owner.Dispose());
        pool.End();
    }

    [Fact]
    public void Under_a_limit_that_is_always_reached_every_waiter_is_served_and_every_cancelled_one_is_told() => Trial.Seeded(random =>
    {
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        long served = 0;
        long waited = 0;
        Func<bool> goOn = Trial.For(2500, () => Interlocked.Read(ref served) > 100 && Interlocked.Read(ref waited) > 10);
        int[] seeds = [.. Enumerable.Range(0, 6).Select(_ => random.Next())];
        Task[] workers = [.. seeds.Select((seed, number) => Task.Run(async () =>
        {
            Random own = new(seed);
            List<PageMemory> held = [];
            while (goOn())
            {
                int size = own.Next(4) switch { 0 => own.Next(1, 2000), 1 => 4096, 2 => own.Next(1, 200_000), _ => Large };
                using CancellationTokenSource cancellation = new();
                bool cancels = own.Next(8) == 0;
                ValueTask<PageMemory> rent = pool.RentAsync(size, cancellation.Token);
                if (!rent.IsCompleted)
                {
                    Interlocked.Increment(ref waited);

                    // Whoever waits holds nothing, so somebody can always go on.
                    held.ForEach(static owner => owner.Dispose());
                    held.Clear();
                    if (cancels)
                    {
                        cancellation.CancelAfter(TimeSpan.FromMilliseconds(own.Next(3)));
                    }
                }

                try
                {
                    // A wake-up that is lost is found by the look at intervals, so this fails only where neither works.
                    PageMemory memory = await rent.AsTask().WaitAsync(s_limit);
                    memory.Span[^1] = (byte)number;
                    held.Add(memory);
                    Interlocked.Increment(ref served);
                }
                catch (OperationCanceledException) when (cancels)
                {
                }

                if (held.Count > own.Next(6))
                {
                    held.ForEach(static owner => owner.Dispose());
                    held.Clear();
                }
            }

            held.ForEach(static owner => owner.Dispose());
        }))];
        Assert.True(Task.WaitAll(workers, TimeSpan.FromSeconds(150)), $"Hangs with {pool.GetStatistics()}.");
        Assert.True(served > 100 && waited > 10, $"{served} served, {waited} of them after a wait: that tries nothing.");
        Assert.True(Trial.Eventually(() => pool.GetStatistics() is { Waiters: 0, RentedOwners: 0 }, 60_000), $"{pool.GetStatistics()}");
        pool.End();
    });

    [Fact]
    public void A_dispose_wakes_the_one_who_waits_without_the_look_at_intervals() => Trial.Seeded(random =>
    {
        // The limit is one owner: each dispose must wake exactly the other thread. With the timer slow, a lost wake-up would take more than a minute; none may.
        QuireMemoryPool pool = PoolTrial.Pool(4 * Trial.MiB);
        pool.PollInterval = TimeSpan.FromSeconds(75);
        PageMemory? filler = pool.Rent(2 * Large);
        int[] seeds = [random.Next(), random.Next(), random.Next()];
        long[] slowest = new long[3];
        Func<bool> goOn = Trial.For(2500);
        Trial.OnThreads(3, number =>
        {
            Random own = new(seeds[number]);
            while (goOn())
            {
                long start = Environment.TickCount64;
                PageMemory memory = pool.RentAsync(2 * Large).AsTask().Result;
                long took = Environment.TickCount64 - start;
                slowest[number] = Math.Max(slowest[number], took);
                Thread.SpinWait(own.Next(300));
                memory.Dispose();
                Thread.SpinWait(own.Next(300));
            }
        });
        filler.Dispose();
        Assert.InRange(slowest.Max(), 0, 60_000);
        pool.End();
    });

    private static List<PageMemory> Fill(QuireMemoryPool pool)
    {
        List<PageMemory> owners = [];
        while (pool.TryRent(Large, out PageMemory? owner, out _))
        {
            owners.Add(owner);
        }

        Assert.Equal(4, owners.Count);
        return owners;
    }

    private sealed class NoMemory : RegionProvider
    {
        public override RegionKind Kind => RegionKind.Mapped;

        public override string Name => "no memory";

        protected override MemoryRegion? ReserveCore(nuint bytes, nuint alignment, out RegionFailure failure)
        {
            failure = RegionFailure.OutOfMemory;
            return null;
        }
    }
}
