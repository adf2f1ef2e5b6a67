using Xunit;

namespace Quire.Tests.Pages;

/// <summary>Counts under many threads: what each took and dropped adds up, and the one who reaches 0 is one.</summary>
public sealed unsafe class PageRefStressTests
{
    [Fact]
    public void Of_all_who_drop_exactly_one_is_told_that_it_was_the_last() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator();
        const int Threads = 4;
        for (int round = 0; round < 60; round++)
        {
            Page page = allocator.Allocate(order: round % 3);
            int[] shares = [.. Enumerable.Range(0, Threads).Select(_ => random.Next(1, 400))];
            PageRef.Add(page, shares.Sum());
            Assert.Equal(shares.Sum() + 1, PageRef.Count(page));
            PageRef.Dec(page);
            int last = 0;
            int[] seeds = [.. shares.Select(_ => random.Next())];
            Trial.OnThreads(Threads, number =>
            {
                Random own = new(seeds[number]);
                for (int left = shares[number]; left > 0;)
                {
                    int part = Math.Min(left, own.Next(1, 5));
                    left -= part;
                    bool reached = own.Next(4) switch
                    {
                        0 => PageRef.SubReturn(page, part) == 0,
                        1 when part == 1 => PageRef.DecAndTest(page),
                        2 when part == 1 => PageRef.DecReturn(page) == 0,
                        _ => PageRef.SubAndTest(page, part),
                    };
                    Interlocked.Add(ref last, reached ? 1 : 0);
                }
            });
            Assert.Equal(1, last);
            Assert.Throws<PageBugException>(() => page.Put());
            allocator.FreeUnreferenced(page);
            Assert.False(page.IsAlive);
        }

        allocator.Verify();
        allocator.Dispose();
    });

    [Fact]
    public void The_count_is_what_each_thread_took_less_what_it_dropped() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator();
        const int Threads = 4;
        Page page = allocator.Allocate(order: 3);
        long[] held = new long[Threads];
        int[] seeds = [.. held.Select(_ => random.Next())];
        Func<bool> goOn = Trial.For(800);
        PageRef.Add(page, Threads);
        Trial.OnThreads(Threads, number => held[number] = Walk(page, new Random(seeds[number]), goOn));
        Assert.Equal(1 + held.Sum(), PageRef.Count(page));
        PageRef.Sub(page, (int)held.Sum());
        page.Put();
        Assert.False(page.IsAlive);
        allocator.Verify();
        allocator.Dispose();
    });

    [Fact]
    public void Freezing_with_the_exact_count_succeeds_for_one_and_keeps_all_others_out() => Trial.Seeded(random =>
    {
        // Each thread freezes with the count that it predicts (its own reference and the owner's), changes bytes that belong together, and unfreezes.
        PageAllocator allocator = Trial.Allocator();
        Page page = allocator.Allocate();
        PageDescriptor* head = Trial.Head(page);
        long* pair = (long*)page.Address;
        pair[0] = pair[1] = 0;
        long frozen = 0;
        Func<bool> goOn = Trial.For(600, () => Volatile.Read(ref frozen) > 100);
        int[] seeds = [.. Enumerable.Range(0, 4).Select(_ => random.Next())];
        Trial.OnThreads(4, number =>
        {
            Random own = new(seeds[number]);
            while (goOn())
            {
                if (number < 2)
                {
                    if (!PageRef.Freeze(head, 1, origin: 0))
                    {
                        continue;
                    }

                    Assert.Equal(0, PageRef.Count(head));
                    pair[0]++;
                    Thread.SpinWait(own.Next(20));
                    pair[1]++;
                    Interlocked.Increment(ref frozen);
                    PageRef.Unfreeze(head, 1, origin: 0);
                }
                else if (page.TryGet(out Page reference, out PageGetFailure failure))
                {
                    // Holding a reference keeps the freezers out: the two words are equal, and stay.
                    long first = Volatile.Read(ref pair[0]);
                    Assert.Equal(first, Volatile.Read(ref pair[1]));
                    Thread.SpinWait(own.Next(20));
                    Assert.Equal(first, Volatile.Read(ref pair[0]));
                    reference.Put();
                    Thread.SpinWait(own.Next(40));
                }
                else
                {
                    Assert.Equal(PageGetFailure.Frozen, failure);
                }
            }
        });
        Assert.True(frozen > 100, $"Only {frozen} freezes.");
        Assert.Equal(frozen, pair[0]);
        page.Put();
        allocator.Verify();
        allocator.Dispose();
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_speculative_get_never_yields_a_reference_on_another_life_of_the_page(bool byAddUnless) => Trial.Seeded(random =>
    {
        // Each life writes its own identity into every frame. Who got a reference by a handle must read that handle's identity, as long as it holds it.
        PageAllocator allocator = Trial.Allocator();
        const int Slots = 4;
        ulong[] published = new ulong[Slots];
        long got = 0;
        long refused = 0;
        Func<bool> goOn = Trial.For(1500, () => Volatile.Read(ref got) > 100 && Volatile.Read(ref refused) > 100);
        int[] seeds = [.. Enumerable.Range(0, 4).Select(_ => random.Next())];
        Trial.OnThreads(4, number =>
        {
            Random own = new(seeds[number]);
            if (number < 2)
            {
                while (goOn())
                {
                    Page page = allocator.Allocate(order: own.Next(4) == 0 ? own.Next(3) : 0);
                    for (int i = 0; i < 1 << page.Order; i++)
                    {
                        *(ulong*)page.Frame(i).Address = page.Frame(i)._identity;
                    }

                    int slot = (number * 2) + own.Next(2);
                    Volatile.Write(ref published[slot], page.Frame(own.Next(1 << page.Order))._identity);
                    Thread.SpinWait(own.Next(4) == 0 ? own.Next(3000) : own.Next(30));
                    page.Put();
                }

                return;
            }

            while (goOn())
            {
                ulong identity = Volatile.Read(ref published[own.Next(Slots)]);
                Page handle = new(identity);
                bool taken = byAddUnless ? PageRef.AddUnless(handle, 1, 0) : handle.TryGet(out handle, out _);
                if (!taken)
                {
                    Interlocked.Increment(ref refused);
                    continue;
                }

                Interlocked.Increment(ref got);
                for (int i = own.Next(3); i >= 0; i--)
                {
                    Assert.Equal(identity, *(ulong*)handle.Address);
                    Thread.SpinWait(own.Next(20));
                }

                handle.Put();
            }
        });
        Assert.True(got > 100 && refused > 100, $"{got} gets, {refused} refusals: the race was not run.");
        allocator.Verify();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Dispose();
    });

    /// <summary>Takes and drops in every way there is, always keeping the one reference that it began with; returns what it holds at the end.</summary>
    private static long Walk(Page page, Random random, Func<bool> goOn)
    {
        long mine = 1;
        List<(Page Handle, int References)> handles = [];
        while (goOn())
        {
            Page via = page.Frame(random.Next(8));
            int n = random.Next(1, 50);
            switch (random.Next(13))
            {
                case 0: PageRef.Add(via, n); mine += n; break;
                case 1: PageRef.Inc(via); mine++; break;
                case 2: Assert.True(PageRef.IncReturn(via) > mine); mine++; break;
                case 3: Assert.True(PageRef.AddUnless(via, n, 0)); mine += n; break;
                case 4: handles.Add((via.Get(), 1)); break;
                case 5: handles.Add((via.Get(n), n)); break;
                case 6: Assert.True(via.TryGetBounded(out Page bounded)); handles.Add((bounded, 1)); break;
                case 7: Assert.True(via.TryGet(out Page speculative, out _)); handles.Add((speculative, 1)); break;
                case 8 when mine > n: PageRef.Sub(via, n); mine -= n; break;
                case 9 when mine > 1: PageRef.Dec(via); mine--; break;
                case 10 when mine > n: Assert.True(PageRef.SubReturn(via, n) >= mine - n); mine -= n; break;
                case 11 when mine > 1: Assert.False(PageRef.DecAndTest(via)); mine--; break;
                default:
                    while (handles.Count > random.Next(8))
                    {
                        (Page handle, int references) = handles[^1];
                        handles.RemoveAt(handles.Count - 1);
                        int part = random.Next(references + 1);
                        if (part > 0)
                        {
                            handle.Put(part);
                        }

                        if (references > part)
                        {
                            handle.Put(references - part);
                        }
                    }

                    break;
            }
        }

        handles.ForEach(entry => entry.Handle.Put(entry.References));
        return mine;
    }
}
