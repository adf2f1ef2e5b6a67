using Quire.Tests.Regions;
using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>Idle memory goes back to the system, comes again zeroed, and is nobody else's meanwhile.</summary>
public sealed unsafe class PageTrimTests
{
    [Fact]
    public void Trimmed_memory_is_not_resident_any_more()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads the page tables of Linux.");
        PageAllocator allocator = Trial.Allocator();
        Page[] pages = [.. Enumerable.Range(0, 4).Select(_ => allocator.Allocate(Page.MaxOrder))];
        nint[] places = [.. pages.Select(page => (nint)page.Address)];
        foreach (Page page in pages)
        {
            page.Span.Fill(0xA5);
        }

        nuint Resident() => places.Aggregate((nuint)0, (sum, place) => sum + ProcessMemory.Resident((byte*)place, 4 << 20));
        Assert.Equal((nuint)(16 * Trial.MiB), Resident());
        allocator.Free(pages);
        Assert.Equal((nuint)(16 * Trial.MiB), Resident());
        Assert.Equal(16 * Trial.MiB, allocator.Trim());
        Assert.Equal((nuint)0, Resident());
        Assert.Equal(16 * Trial.MiB / Trial.Frame, allocator.GetStatistics().DecommittedFrames);
        Assert.Equal(0, allocator.Trim());
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void The_last_page_of_a_block_that_is_gone_goes_too_when_it_is_idle()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "last page", LimitBytes = 4 * Trial.MiB, KeepBytes = 0, TrimInterval = Timeout.InfiniteTimeSpan });
        Page[] pages = [.. Enumerable.Range(0, PageMap.SectionFrames).Select(_ => allocator.Allocate())];
        allocator.Free(pages.AsSpan(1));
        IdleFor(allocator, intervals: 3);
        Assert.Equal(PageMap.SectionFrames - 1, allocator.GetStatistics().DecommittedFrames);

        // It merges with what is gone into one block of 4 MiB, of which this page is all that is left to give back.
        allocator.Free(pages[0]);
        IdleFor(allocator, intervals: 3);
        Assert.Equal(PageMap.SectionFrames, allocator.GetStatistics().DecommittedFrames);
        allocator.Verify();

        static void IdleFor(PageAllocator allocator, int intervals)
        {
            while (intervals-- > 0)
            {
                allocator.TrimIdle();
            }
        }
    }

    [Fact]
    public void What_a_trim_has_in_hand_is_in_nobodys_use_and_as_idle_as_before()
    {
        HostileRegionProvider books = new();
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "in hand", Provider = books, LimitBytes = 32 * Trial.MiB, KeepBytes = 0, TrimInterval = Timeout.InfiniteTimeSpan });
        Page kept = allocator.Allocate(order: 1);
        Page[] burst = [.. Enumerable.Range(0, 5).Select(_ => allocator.Allocate(Page.MaxOrder))];
        allocator.Free(burst);
        allocator.TrimIdle();
        long free = allocator.GetStatistics().FreeFrames;
        List<long> inUse = [];
        books.Watch = call =>
        {
            if (call == HostileCall.Decommit)
            {
                inUse.Add(allocator.GetStatistics().InUseFrames);
                allocator.Allocate(order: 1).Put();
            }
        };
        Assert.True(allocator.TrimIdle() >= 20 * Trial.MiB);
        Assert.NotEmpty(inUse);
        Assert.All(inUse, static frames => Assert.Equal(2, frames));
        Assert.Equal(free - 2, allocator.Zone.LeastFree);
        books.Watch = null;
        kept.Put();
    }

    [Fact]
    public void Verify_waits_for_a_trim_that_the_timer_began()
    {
        HostileRegionProvider books = new();
        using ManualResetEventSlim trims = new();
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "verified", Provider = books, LimitBytes = 16 * Trial.MiB, KeepBytes = 0, TrimInterval = TimeSpan.FromMilliseconds(20) });
        Page burst = allocator.Allocate(Page.MaxOrder);
        books.Watch = call =>
        {
            if (call == HostileCall.Decommit && !trims.IsSet)
            {
                // The block is on no list now, as the walk over all descriptors would find.
                trims.Set();
                Thread.Sleep(200);
            }
        };
        burst.Put();
        Assert.True(trims.Wait(TimeSpan.FromSeconds(60)));
        allocator.Verify();
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    [InlineData("hostile")]
    public void Memory_that_went_comes_back_as_zeros_and_can_be_used(string provider) => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(8 * Trial.MiB, Trial.Provider(provider));
        for (int round = 0; round < 6; round++)
        {
            List<Page> pages = [];
            while (allocator.TryAllocate(out Page page, out _, random.Next(3) == 0 ? random.Next(9) : 0))
            {
                if (round > 0)
                {
                    Assert.Equal(-1, page.Span.IndexOfAnyExcept((byte)0));
                }

                page.Span.Fill(0xEE);
                pages.Add(page);
            }

            allocator.Verify();
            allocator.Free([.. pages]);
            allocator.Trim();
            Assert.Equal(allocator.GetStatistics().ManagedFrames, allocator.GetStatistics().DecommittedFrames);
            allocator.Verify();
        }

        PageOwnershipTests.AssertWhole(allocator);
    });

    [Fact]
    public void A_burst_goes_back_by_itself_and_a_part_in_use_stays()
    {
        HostileRegionProvider books = new();
        PageAllocator allocator = new(new PageAllocatorOptions
        {
            Name = "burst",
            Provider = books,
            LimitBytes = 64 * Trial.MiB,
            TrimInterval = TimeSpan.FromMilliseconds(100),
            KeepBytes = 0,
        });
        Page kept = allocator.Allocate();
        kept.Span.Fill(7);
        Page[] pages = [.. Enumerable.Range(0, 3000).Select(_ => allocator.Allocate())];

        // All of them stand in memory. What is free beside them may have gone back already.
        Assert.True(books.CommittedBytes >= (nuint)(3001 * Trial.Frame), $"{books.CommittedBytes} bytes are committed for 3,001 pages.");
        allocator.Free(pages);

        // Two intervals would do; the machine may be busy. This thread's magazine is idle after one.
        Assert.True(
            Trial.Eventually(() => allocator.GetStatistics() is var now && now.DecommittedFrames == now.ManagedFrames - 1, milliseconds: 60_000),
            $"Still committed: {allocator.GetStatistics()}");
        Assert.Equal((nuint)Trial.Frame, books.CommittedBytes);
        Assert.Equal(-1, kept.Span.IndexOfAnyExcept((byte)7));
        kept.Put();

        // Until the timer has nothing left to do: what is compared below must not change meanwhile.
        Assert.True(
            Trial.Eventually(() => allocator.GetStatistics() is var now && now.BuddyFrames == now.ManagedFrames && now.DecommittedFrames == now.ManagedFrames, milliseconds: 60_000),
            $"Still at work: {allocator.GetStatistics()}");
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void What_a_steady_load_uses_again_and_again_stays()
    {
        // No room to grow: frames that a thread left on the list of the core it ran on are fetched from there, and what is idle is known exactly.
        PageAllocator allocator = new(new PageAllocatorOptions
        {
            Name = "steady",
            LimitBytes = 4 * Trial.MiB,
            TrimInterval = Timeout.InfiniteTimeSpan,
            KeepBytes = 0,
        });
        Page[] pages = new Page[1000];
        long given = 0;
        for (int interval = 0; interval < 6; interval++)
        {
            for (int i = 0; i < pages.Length; i++)
            {
                pages[i] = allocator.Allocate();
            }

            allocator.Free(pages);

            // The first interval began with fresh memory; from then on only what the load never reaches is idle.
            long bytes = allocator.TrimIdle();
            given += interval == 0 ? 0 : bytes;
        }

        Assert.True(given <= 5L * (PageMap.SectionFrames - pages.Length) * Trial.Frame, $"{given} bytes of a steady load went back.");
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void What_was_in_use_at_the_peak_is_not_idle_because_memory_came_since()
    {
        PageAllocator allocator = new(new PageAllocatorOptions { Name = "peak", LimitBytes = 8 * Trial.MiB, TrimInterval = Timeout.InfiniteTimeSpan, KeepBytes = 0 });

        // The peak is the whole first section; half of it in pieces makes a request grow the memory.
        Page[] pages = [.. Enumerable.Range(0, PageMap.SectionFrames).Select(_ => allocator.Allocate())];
        Page[] sorted = [.. pages.OrderBy(page => page.FrameNumber)];
        allocator.Free([.. sorted.Where((_, i) => i % 2 == 0)]);
        allocator.Reclaim();
        Page pair = allocator.Allocate(1);
        Assert.Equal(8 * Trial.MiB, allocator.GetStatistics().ManagedBytes);
        Assert.Equal(4 * Trial.MiB, allocator.TrimIdle());
        pair.Put();
        allocator.Free([.. sorted.Where((_, i) => i % 2 != 0)]);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void With_huge_pages_only_whole_blocks_of_2_MiB_go_back()
    {
        PageAllocator allocator = Trial.Allocator(16 * Trial.MiB, hugePages: true);
        Page[] blocks = [.. Enumerable.Range(0, 8).Select(_ => allocator.Allocate(9))];
        uint[] frames = [.. blocks.Select(block => block.FrameNumber)];
        allocator.Free(blocks);

        // One small page in every second block: those blocks are free but for a page, and stay.
        Page[] all = [.. Enumerable.Range(0, 8 * 512).Select(_ => allocator.Allocate())];
        Page[] held = [.. frames.Where((_, i) => i % 2 == 0).Select(frame => all.First(page => page.FrameNumber == frame + 77))];
        allocator.Free([.. all.Except(held)]);
        Assert.Equal(4 * 2 * Trial.MiB, allocator.Trim());
        allocator.Verify();
        foreach (uint frame in frames)
        {
            bool[] gone = [.. Enumerable.Range(0, 512).Select(i => (PageMap.Descriptor(frame + (uint)i)->Flags & PageFlags.Decommitted) != 0)];
            Assert.True(gone.Distinct().Count() == 1, $"Block 0x{frame:x} went back in part.");
            Assert.Equal(!held.Any(page => page.FrameNumber == frame + 77), gone[0]);
        }

        allocator.Free(held);
        PageOwnershipTests.AssertWhole(allocator);
    }

    [Fact]
    public void With_clearing_on_free_nobody_sees_anothers_bytes() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(8 * Trial.MiB, zeroOnFree: true);
        List<Page> held = [];
        for (int step = 0; step < 3000; step++)
        {
            if (random.Next(2) == 0 && allocator.TryAllocate(out Page page, out _, random.Next(5), (MigrateType)random.Next(2)))
            {
                Assert.Equal(-1, page.Span.IndexOfAnyExcept((byte)0));
                page.Span.Fill(0xFF);
                held.Add(page);
            }
            else if (held.Count > 0)
            {
                int index = random.Next(held.Count);
                allocator.Free(held[index], (PageTemperature)random.Next(2));
                held.RemoveAt(index);
            }
        }

        allocator.Free([.. held]);
        PageOwnershipTests.AssertWhole(allocator);
    });

    [Fact]
    public void Trimming_beside_a_busy_load_leaves_every_byte_where_it_was() => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(32 * Trial.MiB, Trial.Provider("hostile"));
        int[] seeds = [.. Enumerable.Range(0, 4).Select(_ => random.Next())];
        long given = 0;
        Func<bool> goOn = Trial.For(1200, () => Volatile.Read(ref given) > 0);
        Trial.OnThreads(4, number =>
        {
            if (number == 3)
            {
                while (goOn())
                {
                    Interlocked.Add(ref given, allocator.Trim());
                    Thread.Sleep(1);
                }

                return;
            }

            Random own = new(seeds[number]);
            List<(Page Page, byte Fill)> held = [];
            while (goOn())
            {
                if (held.Count < 30 && own.Next(2) == 0 && allocator.TryAllocate(out Page page, out _, own.Next(4) == 0 ? own.Next(10) : 0, (MigrateType)own.Next(2)))
                {
                    byte fill = (byte)own.Next(256);
                    page.Span.Fill(fill);
                    held.Add((page, fill));
                }
                else if (held.Count > 0)
                {
                    int index = own.Next(held.Count);
                    Assert.Equal(-1, held[index].Page.Span.IndexOfAnyExcept(held[index].Fill));
                    allocator.Free(held[index].Page, (PageTemperature)own.Next(2));
                    held.RemoveAt(index);
                }
            }

            held.ForEach(entry => entry.Page.Put());
        });
        Assert.True(given > 0);
        PageOwnershipTests.AssertWhole(allocator);
    });
}
