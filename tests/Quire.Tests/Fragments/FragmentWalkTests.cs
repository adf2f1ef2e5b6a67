using System.Collections.Concurrent;
using Xunit;

namespace Quire.Tests.Fragments;

/// <summary><c>count == bias + fragments out</c> at every step, and every fragment's bytes are its own whoever holds it.</summary>
public sealed unsafe class FragmentWalkTests
{
    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    [InlineData("hostile")]
    public void The_equation_holds_at_every_step(string provider) => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(32 * Trial.MiB, Trial.Provider(provider));
        PageFragmentCache cache = new(allocator);
        List<PageFragment> held = [];
        Dictionary<Page, int> outstanding = [];
        using BlockingCollection<PageFragment[]> elsewhere = [];
        using SemaphoreSlim done = new(0);
        Thread other = new(() =>
        {
            foreach (PageFragment[] fragments in elsewhere.GetConsumingEnumerable())
            {
                Free(fragments);
                done.Release();
            }
        });
        other.Start();
        for (int step = 0; step < 12_000; step++)
        {
            switch (random.Next(12))
            {
                case < 5 when held.Count < 400:
                    Keep(cache.Allocate(Size(random)));
                    break;
                case 5 when held.Count < 400:
                    Keep(cache.Allocate(Size(random), 1 << random.Next(14)));
                    break;
                case 6 when held.Count is > 0 and < 400:
                    PageFragment again = held[random.Next(held.Count)].Get();
                    held.Add(again);
                    outstanding[again.Page]++;
                    break;
                case 7:
                    elsewhere.Add(Take(random.Next(4)));
                    done.Wait();
                    break;
                case 8:
                    cache.Free(Take(random.Next(10)));
                    break;
                case 9:
                    PageFragment.Free(Take(random.Next(10)));
                    break;
                case 10 when random.Next(40) == 0:
                    cache.Drain();
                    break;
                case 11 when random.Next(40) == 0:
                    cache.Refill();
                    break;
                default:
                    foreach (PageFragment fragment in Take(random.Next(3)))
                    {
                        cache.Free(fragment);
                    }

                    break;
            }

            cache.Verify();
            foreach ((Page page, int fragments) in outstanding)
            {
                int bias = ((IBiasOwner)cache).BiasOn(Trial.Head(page));
                Assert.True(PageRef.Count(page) == bias + fragments, $"At step {step} {page} counts {PageRef.Count(page)}, with a bias of {bias} and {fragments} fragments out.");
            }

            if (step % 500 == 0)
            {
                allocator.Verify();
            }
        }

        elsewhere.CompleteAdding();
        other.Join();
        cache.Free(Take(held.Count));
        cache.Dispose();
        allocator.Verify();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Dispose();

        void Keep(PageFragment fragment)
        {
            // Bytes say whose they are: where two fragments overlap, one of them is found changed when it is freed.
            fragment.Span.Fill(Mark(fragment));
            held.Add(fragment);
            outstanding[fragment.Page] = outstanding.GetValueOrDefault(fragment.Page) + 1;
        }

        PageFragment[] Take(int count)
        {
            PageFragment[] taken = new PageFragment[Math.Min(count, held.Count)];
            for (int i = 0; i < taken.Length; i++)
            {
                int index = random.Next(held.Count);
                taken[i] = held[index];
                held[index] = held[^1];
                held.RemoveAt(held.Count - 1);
                Assert.Equal(-1, taken[i].Span.IndexOfAnyExcept(Mark(taken[i])));
                if (--outstanding[taken[i].Page] == 0)
                {
                    outstanding.Remove(taken[i].Page);
                }
            }

            return taken;
        }

        void Free(PageFragment[] fragments)
        {
            if (fragments.Length > 2)
            {
                PageFragment.Free(fragments);
            }
            else
            {
                Array.ForEach(fragments, fragment => fragment.Free());
            }
        }
    });

    [Fact]
    public void Fragments_that_go_from_hand_to_hand_keep_their_bytes() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(256 * Trial.MiB);
        const int Threads = 4;
        ConcurrentQueue<(PageFragment Fragment, byte Mark)>[] boxes = [.. Enumerable.Range(0, Threads).Select(_ => new ConcurrentQueue<(PageFragment, byte)>())];
        PageFragmentCache[] caches = new PageFragmentCache[Threads];
        int[] seeds = [.. boxes.Select(_ => random.Next())];
        long moved = 0;
        Func<bool> goOn = Trial.For(2000, () => Volatile.Read(ref moved) > 1000);
        Trial.OnThreads(Threads, number =>
        {
            Random own = new(seeds[number]);
            PageFragmentCache cache = caches[number] = new PageFragmentCache(allocator);
            List<PageFragment> batch = [];
            while (goOn())
            {
                for (int i = own.Next(40); i > 0 && boxes.Sum(static box => box.Count) < 1000; i--)
                {
                    // All boxes together are bounded: a thread that gets no processor for a while empties none.
                    // From the thread's own cache of the process, or from one on an allocator of the test's.
                    int size = Size(own);
                    PageFragment fragment = own.Next(2) == 0 ? PageFragmentCache.Current.Allocate(size) : cache.Allocate(size);
                    byte mark = (byte)own.Next(256);
                    fragment.Span.Fill(mark);
                    if (own.Next(6) == 0)
                    {
                        boxes[own.Next(Threads)].Enqueue((fragment.Get(), mark));
                    }

                    // Last: it is another's from here on.
                    boxes[own.Next(Threads)].Enqueue((fragment, mark));
                }

                for (int i = own.Next(45); i > 0 && boxes[number].TryDequeue(out (PageFragment Fragment, byte Mark) entry); i--)
                {
                    Assert.Equal(-1, entry.Fragment.Span.IndexOfAnyExcept(entry.Mark));
                    Interlocked.Increment(ref moved);
                    switch (own.Next(5))
                    {
                        case 0: entry.Fragment.Free(); break;
                        case 1: cache.Free(entry.Fragment); break;
                        case 2: boxes[own.Next(Threads)].Enqueue(entry); break;
                        default: batch.Add(entry.Fragment); break;
                    }
                }

                if (batch.Count > 60)
                {
                    if (own.Next(2) == 0)
                    {
                        PageFragment.Free([.. batch]);
                    }
                    else
                    {
                        cache.Free([.. batch]);
                    }

                    batch.Clear();
                }
            }

            PageFragment.Free([.. batch]);
            cache.Verify();
            PageFragmentCache.Current.Drain();
        });
        Assert.True(moved > 1000, $"Only {moved} fragments moved.");
        foreach ((PageFragment fragment, byte mark) in boxes.SelectMany(box => box))
        {
            Assert.Equal(-1, fragment.Span.IndexOfAnyExcept(mark));
            fragment.Free();
        }

        Array.ForEach(caches, cache => cache.Dispose());
        allocator.Verify();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Dispose();
    });

    [Fact]
    public void A_speculative_get_never_yields_a_reference_on_another_round_of_the_page() => Trial.Seeded(random =>
    {
        // A round writes its own identity at both ends of the page. Who got a reference keeps the page from its next round.
        PageAllocator allocator = Trial.Allocator();
        PageFragmentCache cache = new(allocator);
        ulong published = 0;
        long got = 0;
        Func<bool> goOn = Trial.For(1500, () => Volatile.Read(ref got) > 100);
        int[] seeds = [.. Enumerable.Range(0, 3).Select(_ => random.Next())];
        Trial.OnThreads(3, number =>
        {
            Random own = new(seeds[number]);
            while (goOn())
            {
                if (number == 0)
                {
                    PageFragment whole = cache.Allocate(PageFragmentCache.MaxSharedSize);
                    *(ulong*)whole.Address = whole._identity;
                    *(ulong*)(whole.Address + 32760) = whole._identity;
                    Volatile.Write(ref published, whole._identity);
                    Thread.SpinWait(own.Next(4) == 0 ? own.Next(2000) : own.Next(20));
                    cache.Free(whole);
                    continue;
                }

                ulong identity = Volatile.Read(ref published);
                if (identity != 0 && new Page(identity).TryGet(out Page reference, out _))
                {
                    Interlocked.Increment(ref got);
                    Assert.Equal(identity, *(ulong*)reference.Address);
                    Thread.SpinWait(own.Next(100));
                    Assert.Equal(identity, *(ulong*)(reference.Address + 32760));
                    Assert.True(reference.IsAlive);
                    reference.Put();
                }
            }
        });
        Assert.True(got > 100, $"Only {got} gets.");
        cache.Dispose();
        allocator.Verify();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Dispose();
    });

    private static byte Mark(PageFragment fragment) => (byte)(fragment.GetHashCode() | 1);

    private static int Size(Random random) => random.Next(20) switch
    {
        0 => random.Next(1, 70_000),
        < 5 => random.Next(1, 8000),
        _ => random.Next(1, 500),
    };
}
