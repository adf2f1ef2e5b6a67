using System.Buffers;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Nothing allocates on the GC heap once warm while the ledger is off, on one thread and across two.</summary>
[Collection(LedgerCollection.Name)]
public sealed class PoolNoGarbageTests
{
    private const int Rounds = 20_000;

    public static TheoryData<string, string> Paths
    {
        get
        {
            TheoryData<string, string> data = [];
            foreach (string pool in (string[])["shared", "own", "pinned"])
            {
                foreach (string path in (string[])["256", "4096", "64 KiB", "nothing", "base type", "100 at once", "slice", "read-only", "pin", "span and memory", "array", "async", "try"])
                {
                    data.Add(pool, path);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void A_rent_makes_no_garbage_once_warm(string kind, string path)
    {
        QuireMemoryPool pool = Open(kind);
        PageMemory[] owners = new PageMemory[100];
        PageMemory kept = pool.Rent(1000);
        Action step = Step(pool, path, owners, kept);
        long bytes = Measure(step, path == "100 at once" ? Rounds / 50 : Rounds);
        kept.Dispose();
        Assert.True(bytes == 0, $"{Rounds} rounds of '{path}' in the {kind} pool made {bytes} bytes of garbage.");
        Close(pool);
    }

    [Theory]
    [InlineData("shared", 256)]
    [InlineData("own", 256)]
    [InlineData("own", 4096)]
    [InlineData("pinned", 4096)]
    [InlineData("own", 65_536)]
    public void Rent_here_and_dispose_there_makes_no_garbage_on_either_thread(string kind, int size)
    {
        QuireMemoryPool pool = Open(kind);
        const int Batch = 100;
        PageMemory?[] slots = new PageMemory?[Batch];
        using Barrier turn = new(2);
        long[] garbage = new long[2];
        Trial.OnThreads(2, number =>
        {
            for (int attempt = 0; attempt < 4; attempt++)
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                long mine = 0;
                for (int round = 0; round < 200; round++)
                {
                    for (int i = 0; number == 0 && i < Batch; i++)
                    {
                        slots[i] = pool.Rent(size);
                    }

                    mine += GC.GetAllocatedBytesForCurrentThread() - before;
                    turn.SignalAndWait();
                    before = GC.GetAllocatedBytesForCurrentThread();
                    for (int i = 0; number == 1 && i < Batch; i++)
                    {
                        slots[i]!.Dispose();
                    }

                    mine += GC.GetAllocatedBytesForCurrentThread() - before;
                    turn.SignalAndWait();
                    before = GC.GetAllocatedBytesForCurrentThread();
                }

                // The first attempt warms up; of the others the best counts.
                garbage[number] = attempt <= 1 ? mine : Math.Min(garbage[number], mine);
            }
        });
        Assert.True(garbage.Sum() == 0, $"20,000 handed over made {garbage[0]} bytes of garbage where they were rented and {garbage[1]} where they were disposed.");
        Close(pool);
    }

    [Fact]
    public void A_burst_of_owners_leaves_a_bounded_number_of_objects_behind()
    {
        QuireMemoryPool pool = PoolTrial.Pool(512 * Trial.MiB);
        PageMemory[] owners = new PageMemory[60_000];
        for (int i = 0; i < owners.Length; i++)
        {
            owners[i] = pool.Rent(64);
        }

        Trial.OnThread(() => Array.ForEach(owners, static owner => owner.Dispose()));
        int threads = Environment.ProcessorCount + 200;
        Assert.InRange(pool.GetStatistics().FreeOwners, OwnerDepot.MostBatches * OwnerBatch.Size, (OwnerDepot.MostBatches * OwnerBatch.Size) + (threads * 2 * OwnerBatch.Size));
        pool.End();
    }

    [Fact]
    public void The_depot_gives_no_owner_to_two_threads()
    {
        const int Batches = 4;
        PageMemory[] owners = [.. Enumerable.Range(0, 3 * Batches * OwnerBatch.Size).Select(static _ => new PageMemory())];
        Dictionary<PageMemory, int> numbers = owners.Index().ToDictionary(static pair => pair.Item, static pair => pair.Index, ReferenceEqualityComparer.Instance as IEqualityComparer<PageMemory>);
        int[] held = new int[owners.Length];
        long taken = 0;
        Func<bool> goOn = Trial.For(2000, () => Interlocked.Read(ref taken) > 10_000);
        Trial.OnThreads(3, number =>
        {
            PageMemory?[][] mine = [.. Enumerable.Range(0, Batches).Select(batch => owners.AsSpan(((number * Batches) + batch) * OwnerBatch.Size, OwnerBatch.Size).ToArray())];
            int full = Batches;
            while (goOn())
            {
                long count = 0;
                for (int i = 0; i < 100; i++)
                {
                    if (full != 0)
                    {
                        PageMemory?[] batch = mine[--full];
                        Array.ForEach(batch, owner => Hold(owner!, 0));
                        OwnerDepot.Give(batch);
                    }

                    while (full < Batches && OwnerDepot.TryTake(mine[full]) != 0)
                    {
                        Array.ForEach(mine[full++], owner => Assert.True(Hold(owner!, 1) == 0, "An owner in two hands."));
                        count++;
                    }
                }

                Interlocked.Add(ref taken, count);
            }

            // What other tests left in the depot has no number.
            int Hold(PageMemory owner, int value) => numbers.TryGetValue(owner, out int index) ? Interlocked.Exchange(ref held[index], value) : 0;
        });
        Assert.True(taken > 10_000, $"Only {taken} batches taken: that tries nothing.");
    }

    private static QuireMemoryPool Open(string kind) => kind switch
    {
        "shared" => QuireMemoryPool.Shared,
        "own" => PoolTrial.Pool(),
        _ => PoolTrial.Pool(provider: RegionProvider.PinnedArrays),
    };

    private static void Close(QuireMemoryPool pool)
    {
        if (pool != QuireMemoryPool.Shared)
        {
            pool.End();
        }
    }

    private static Action Step(QuireMemoryPool pool, string path, PageMemory[] owners, PageMemory kept)
    {
        MemoryPool<byte> any = pool;
        return path switch
        {
            "256" => () => pool.Rent(256).Dispose(),
            "4096" => () => pool.Rent(4096).Dispose(),
            "64 KiB" => () => pool.Rent(65_536).Dispose(),
            "nothing" => () => pool.Rent(0).Dispose(),
            "base type" => () => any.Rent().Dispose(),
            "100 at once" => () =>
            {
                for (int i = 0; i < owners.Length; i++)
                {
                    owners[i] = pool.Rent(700 + (i * 40));
                }

                foreach (PageMemory owner in owners)
                {
                    owner.Dispose();
                }
            }
            ,
            "slice" => () => kept.Slice(3, 4).Dispose(),
            "read-only" => () => kept.AsReadOnly().Dispose(),
            "pin" => () => kept.Memory.Pin().Dispose(),
            "span and memory" => () => kept.Memory.Span[kept.Length - 1] = kept.Span[0],
            "array" => () => System.Runtime.InteropServices.MemoryMarshal.TryGetArray<byte>(kept.Memory, out _),
            "async" => () =>
            {
                ValueTask<PageMemory> rent = pool.RentAsync(300);
                if (rent.IsCompletedSuccessfully)
                {
                    rent.Result.Dispose();
                }
            }
            ,
            "try" => () =>
            {
                if (pool.TryRent(5000, out PageMemory? owner, out _))
                {
                    owner.Dispose();
                }
            }
            ,
            _ => throw new ArgumentOutOfRangeException(nameof(path)),
        };
    }

    private static long Measure(Action step, int rounds)
    {
        // The first rounds make what stays: magazines, counts, owners, compiled code.
        for (int i = 0; i < 500; i++)
        {
            step();
        }

        return Garbage.Least(5, () =>
        {
            for (int i = 0; i < rounds; i++)
            {
                step();
            }
        });
    }
}
