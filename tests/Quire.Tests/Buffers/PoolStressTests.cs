using System.Buffers;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Several threads that rent, slice, pin, hand over and dispose: no two owners' bytes overlap, and nothing is held at the end.</summary>
[Collection(LedgerCollection.Name)]
public sealed unsafe class PoolStressTests
{
    [Theory]
    [InlineData("mapped", false, false)]
    [InlineData("pinned", false, false)]
    [InlineData("hostile", false, false)]
    [InlineData("mapped", true, false)]
    [InlineData("mapped", false, true)]
    [InlineData("pinned", false, true)]
    public void Owners_never_share_bytes_that_are_not_slices_and_nothing_is_left(string provider, bool zeroOnFree, bool tracking) => Trial.Seeded(random =>
    {
        using IDisposable? session = tracking ? Holders.Track() : null;
        QuireMemoryPool pool = PoolTrial.Pool(16 * Trial.MiB, Trial.Provider(provider), zeroOnFree);
        long[] rents = new long[4];
        Func<bool> goOn = Trial.For(2000, () => rents.Sum() > 500);
        int[] seeds = [.. Enumerable.Range(0, 4).Select(_ => random.Next())];
        Exchange exchange = new();
        Trial.OnThreads(4, number =>
        {
            Random own = new(seeds[number]);
            List<Held> held = [];
            while (goOn())
            {
                switch (own.Next(10))
                {
                    case < 4:
                        if (pool.TryRent(Size(own), out PageMemory? owner, out _))
                        {
                            if (zeroOnFree)
                            {
                                Assert.Equal(-1, owner.Span.IndexOfAnyExcept((byte)0));
                            }

                            byte mark = (byte)own.Next(1, 256);
                            owner.Span.Fill(mark);
                            held.Add(new Held(owner, mark));
                            Volatile.Write(ref rents[number], rents[number] + 1);
                        }

                        break;
                    case 4 when held.Count != 0:
                        Held source = held[own.Next(held.Count)];
                        int start = own.Next(source.Owner.Length + 1);
                        held.Add(new Held(source.Owner.Slice(start, own.Next(source.Owner.Length - start + 1)), source.Mark));
                        break;
                    case 5 when held.Count != 0:
                        Held pinned = held[own.Next(held.Count)];
                        using (MemoryHandle pin = pinned.Owner.Memory.Pin())
                        {
                            if (own.Next(2) == 0)
                            {
                                // The pin outlives the owner.
                                int length = pinned.Owner.Length;
                                held.Remove(pinned);
                                pinned.Owner.Dispose();
                                Assert.Equal(-1, new Span<byte>(pin.Pointer, length).IndexOfAnyExcept(pinned.Mark));
                            }
                        }

                        break;
                    case 6 when held.Count != 0:
                        // Handed over: another thread checks and disposes it.
                        Held given = held[own.Next(held.Count)];
                        held.Remove(given);
                        exchange.Give(given);
                        break;
                    case 7 when exchange.TryTake(out Held? got):
                        held.Add(got!);
                        break;
                    case 8 when own.Next(200) == 0:
                        pool.Allocator.Trim();
                        break;
                    default:
                        Drop(held, own, held.Count > 40 ? 30 : 1);
                        break;
                }
            }

            Drop(held, own, held.Count);
        });
        while (exchange.TryTake(out Held? left))
        {
            left!.Check();
            left.Owner.Dispose();
        }

        Assert.True(rents.Sum() > 500, $"Only {rents.Sum()} rents: that tries nothing.");
        pool.Verify();
        Assert.Equal(0, pool.Allocator.GetStatistics().InUseFrames);
        pool.End();
    });

    private static int Size(Random random) => random.Next(12) switch
    {
        0 => 0,
        < 5 => random.Next(1, 300),
        < 7 => random.Next(300, 2049),
        < 10 => 4096,
        10 => random.Next(4097, 30_000),
        _ => random.Next(30_000, 300_000),
    };

    private static void Drop(List<Held> held, Random random, int count)
    {
        for (int i = 0; i < count && held.Count != 0; i++)
        {
            int at = random.Next(held.Count);
            held[at].Check();
            held[at].Owner.Dispose();
            held.RemoveAt(at);
        }
    }

    private sealed record Held(PageMemory Owner, byte Mark)
    {
        public void Check() => Assert.Equal(-1, Owner.Memory.Span.IndexOfAnyExcept(Mark));
    }

    private sealed class Exchange
    {
        private readonly Queue<Held> _queue = new();

        public void Give(Held held)
        {
            lock (_queue)
            {
                _queue.Enqueue(held);
            }
        }

        public bool TryTake(out Held? held)
        {
            lock (_queue)
            {
                return _queue.TryDequeue(out held);
            }
        }
    }
}
