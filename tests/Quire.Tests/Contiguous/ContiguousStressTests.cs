using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>The promise, under load: holders that keep the rules never make an allocation that fits fail, and no byte is lost.</summary>
public class ContiguousStressTests
{
    private const int RunMilliseconds = 2000;

    [Theory]
    [InlineData(101)]
    [InlineData(102)]
    public void Allocations_always_succeed_while_many_threads_take_short_pins_and_all_content_survives(int seed)
    {
        using AreaFixture world = new(areaMiB: 4, limitMiB: 32);
        MovablePage[] pages = world.AddMany(700);
        int[] versions = new int[pages.Length];
        Array.Fill(versions, 1);
        bool stop = false;
        TestThread[] pinners = [.. Enumerable.Range(0, 6).Select(t => AreaFixture.Start($"pinner {t}", () =>
        {
            Random random = new(seed + t);
            while (!Volatile.Read(ref stop))
            {
                int i = random.Next(pages.Length);
                // Threads share pages: each writes its own word, and reads all others'.
                PagePin pin = pages[i].Pin();
                Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(pin.Span);
                ulong before = words[t];
                for (int w = 8; w < words.Length; w += 37)
                {
                    Assert.True(words[w] == ((ulong)i + 1) * 0x9E3779B97F4A7C15ul + (ulong)w, $"page {i} word {w} is another's (seed {seed})");
                }

                words[t] = before + 1;
                if (random.Next(8) == 0)
                {
                    Thread.Yield();
                }

                Assert.True(words[t] == before + 1, $"a write under a pin was lost on page {i} (seed {seed})");
                pin.Unpin();
                Interlocked.Increment(ref versions[i]);
            }
        }))];
        int allocations = 0;
        Random sizes = new(seed);
        Func<bool> goOn = Trial.For(RunMilliseconds, () => allocations > 20 && world.Area.GetStatistics().PagesMigrated > 1000);
        Beside(pinners, goOn, ref stop, () =>
        {
            int count = sizes.Next(1, world.Area.Pages + 1);
            Assert.True(
                world.Area.TryAllocate(count, out ContiguousRange range, out ContiguousFailure? failure, deadline: AreaFixture.Long),
                $"allocation {allocations} of {count} pages failed (seed {seed}): {failure}");
            range.Span.Fill((byte)allocations);
            allocations++;
            world.Area.Release(range);

            // Bring data back into the area, so that there is always something to move.
            for (int i = 0; i < 20; i++)
            {
                Relend(world, pages, sizes.Next(pages.Length), pinnersRun: true);
            }
        });

        long writes = 0;
        for (int i = 0; i < pages.Length; i++)
        {
            PagePin pin = pages[i].Pin();
            Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(pin.Span);
            for (int t = 0; t < 6; t++)
            {
                writes += (long)(words[t] - ((((ulong)i + 1) * 0x9E3779B97F4A7C15ul) + (ulong)t));
            }

            pin.Unpin();
        }

        Assert.Equal(versions.Sum(static version => (long)version - 1), writes);
        Assert.True(allocations > 20, $"only {allocations} allocations in the run");
        Assert.True(world.Area.GetStatistics().PagesMigrated > 1000, $"only {world.Area.GetStatistics().PagesMigrated} pages moved");
        world.Verify();
    }

    [Fact]
    public void Overlapping_pins_on_one_page_cannot_starve_an_allocation()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        bool stop = false;
        TestThread[] pinners = [.. Enumerable.Range(0, 4).Select(t => AreaFixture.Start($"overlap {t}", () =>
        {
            while (!Volatile.Read(ref stop))
            {
                // Together they hold the page at every moment, each for a few milliseconds only.
                PagePin pin = page.Pin();
                Thread.Sleep(4);
                pin.Unpin();
            }
        }))];
        try
        {
            for (int i = 0; i < 20; i++)
            {
                Thread.Sleep(5);
                world.Area.Release(world.Area.Allocate(1024, deadline: AreaFixture.Long));
                PagePin pin = page.Pin();
                pin.Unpin();
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            Array.ForEach(pinners, thread => thread.Join());
        }
    }

    [Fact]
    public void Threads_that_hold_one_pin_and_take_another_do_not_lock_each_other_out()
    {
        using AreaFixture world = new();
        MovablePage[] pages = world.AddMany(4);
        bool stop = false;
        TestThread[] copiers = [.. Enumerable.Range(0, 4).Select(t => AreaFixture.Start($"copier {t}", () =>
        {
            Random random = new(t);
            while (!Volatile.Read(ref stop))
            {
                PagePin a = pages[random.Next(4)].Pin();
                Thread.Yield();
                PagePin b = pages[random.Next(4)].Pin();
                b.Unpin();
                a.Unpin();
            }
        }))];
        int allocations = 0;
        int quick = 0;
        Func<bool> goOn = Trial.For(RunMilliseconds, () => quick > 10);
        Beside(copiers, goOn, ref stop, () =>
        {
            long began = Stopwatch.GetTimestamp();
            world.Area.Release(world.Area.Allocate(1024, deadline: AreaFixture.Long));
            allocations++;

            // By the clock's grace each would take longer.
            quick += Stopwatch.GetElapsedTime(began) < MovablePage.ShortPinBound ? 1 : 0;
            for (int i = 0; i < 4; i++)
            {
                Relend(world, pages, i, pinnersRun: true);
            }
        });

        Assert.True(quick > 10, $"of {allocations} allocations only {quick} did not need the clock");
    }

    [Theory]
    [InlineData(7)]
    public void Several_threads_allocate_in_one_area_at_once_and_no_frame_is_given_out_twice(int seed)
    {
        using AreaFixture world = new(areaMiB: 8, limitMiB: 64);
        MovablePage[] pages = world.AddMany(1200);
        bool stop = false;
        long allocations = 0;
        TestThread[] threads = [.. Enumerable.Range(0, 4).Select(t => AreaFixture.Start($"allocator {t}", () =>
        {
            Random random = new(seed + t);
            while (!Volatile.Read(ref stop))
            {
                // Four of these always fit, whatever lies where: three ranges of 199 pages, and four gaps, one of which has 362 at least.
                int count = random.Next(1, 200);
                Assert.True(
                    world.Area.TryAllocate(count, out ContiguousRange range, out ContiguousFailure? failure, deadline: AreaFixture.Long),
                    $"{count} pages (seed {seed}): {failure}");
                range.Span.Fill((byte)(t + 1));
                if (random.Next(3) == 0)
                {
                    Thread.Yield();
                }

                Assert.True(range.Span.IndexOfAnyExcept((byte)(t + 1)) < 0, $"somebody else wrote into the range (seed {seed})");
                world.Area.Release(range);
                Interlocked.Increment(ref allocations);
            }
        }))];
        Random choice = new(seed);
        Func<bool> goOn = Trial.For(RunMilliseconds, () => Volatile.Read(ref allocations) > 100);
        Beside(threads, goOn, ref stop, () =>
        {
            int i = choice.Next(pages.Length);
            Assert.True(AreaFixture.Has(pages[i], (ulong)i + 1), $"page {i} lost its content (seed {seed})");
            Relend(world, pages, i, pinnersRun: false);
        });

        AreaFixture.AssertContent(pages);
        Assert.True(allocations > 100, $"only {allocations} allocations");
        world.Verify();
    }

    [Fact]
    public void Movable_pages_come_and_go_while_ranges_are_taken_and_memory_is_trimmed()
    {
        using AreaFixture world = new(areaMiB: 4, limitMiB: 32);
        bool stop = false;
        TestThread[] users = [.. Enumerable.Range(0, 3).Select(t => AreaFixture.Start($"user {t}", () =>
        {
            Random random = new(t);
            List<(MovablePage Page, ulong Seed)> mine = [];
            while (!Volatile.Read(ref stop))
            {
                if (mine.Count < 150 && random.Next(2) == 0)
                {
                    ulong seed = (ulong)random.Next(1, int.MaxValue);
                    MovablePage page = MovablePage.Allocate(world.Allocator);
                    AreaFixture.Fill(page, seed);
                    mine.Add((page, seed));
                }
                else if (mine.Count != 0)
                {
                    int i = random.Next(mine.Count);
                    Assert.True(AreaFixture.Has(mine[i].Page, mine[i].Seed), "content was lost");
                    if (random.Next(5) == 0)
                    {
                        mine[i].Page.Pin(PinDuration.LongTerm, AreaFixture.Long).Unpin();
                    }

                    mine[i].Page.Free();
                    mine.RemoveAt(i);
                }
            }

            mine.ForEach(entry => entry.Page.Free());
        }))];
        TestThread trimmer = AreaFixture.Start("trim", () =>
        {
            while (!Volatile.Read(ref stop))
            {
                world.Allocator.Trim();
                Thread.Sleep(3);
            }
        });
        TestThread walker = AreaFixture.Start("walker", () =>
        {
            // Speculative gets, as a scanner of all memory does them.
            Random random = new(99);
            while (!Volatile.Read(ref stop))
            {
                if (Page.TryFromFrame(world.Area.FirstFrame + (uint)random.Next(1024), out Page page) && page.TryGet(out Page held, out _))
                {
                    held.Put();
                }
            }
        });
        int allocations = 0;
        Func<bool> goOn = Trial.For(RunMilliseconds, () => allocations > 10);
        Beside([.. users, trimmer, walker], goOn, ref stop, () =>
        {
            ContiguousRange range = world.Area.Allocate(allocations % 2 == 0 ? 1024 : 300, deadline: AreaFixture.Long);
            range.Span.Fill(0x5A);
            world.Area.Release(range);
            allocations++;
        });

        Assert.True(allocations > 10, $"only {allocations} allocations");
        world.Verify();
    }

    /// <summary>Does a step again and again beside threads that run until it stops. Of several failures the step's is told, or else the first thread's.</summary>
    private static void Beside(TestThread[] threads, Func<bool> goOn, ref bool stop, Action step)
    {
        Exception? failure = Record.Exception(() =>
        {
            while (goOn())
            {
                step();
            }
        });
        Volatile.Write(ref stop, true);
        Exception?[] theirs = [.. threads.Select(static thread => Record.Exception(thread.Join))];
        if ((failure ?? Array.Find(theirs, static thrown => thrown is not null)) is { } first)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }

    /// <summary>Moves a page's data by hand to a place in the area, so that later allocations have to move it again.</summary>
    private static unsafe void Relend(AreaFixture world, MovablePage[] pages, int i, bool pinnersRun)
    {
        if (world.IndexOf(pages[i]) >= 0)
        {
            return;
        }

        PageDescriptor* place = world.Allocator.TakePage(0, MigrateType.Contiguous, out _);
        if (place == null)
        {
            return;
        }

        // An allocation that has just moved the page may not be quite done with it.
        PageDescriptor* source = null;
        MoveOutcome outcome = MoveOutcome.InTransit;
        for (long began = Environment.TickCount64; outcome == MoveOutcome.InTransit && Environment.TickCount64 - began < AreaFixture.Long.TotalMilliseconds;)
        {
            Assert.True(MovableTable.TryLocate(pages[i].Index, pages[i].Generation, out ulong identity));
            source = PageMap.Descriptor(PageIdentity.Frame(identity));
            outcome = MovableTable.TryMigrate(source, place, 0);
        }

        if (outcome == MoveOutcome.Moved)
        {
            PageRef.Unfreeze(source, 0, origin: 0);
            world.Allocator.Release(source, PageTemperature.Cold, origin: 0);
        }
        else
        {
            Assert.True(pinnersRun, $"nobody had the page pinned, and yet it would not move: {outcome}");
            place->Next = 0;
            world.Allocator.FreeDestinations(place->Frame);
        }
    }
}
