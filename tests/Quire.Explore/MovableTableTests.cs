using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Explore;

public sealed unsafe class MovableTableTests
{
    private const ulong Pattern = 0x9E37_79B9_7F4A_7C15;

    /// <summary>An allocator with an area that is lent to movable pages, and some other memory for them to move to.</summary>
    private sealed class Lent
    {
        internal PageAllocator Allocator { get; } = Memory.New(sections: 2);

        internal ContiguousArea Area { get; }

        internal List<MovablePage> Pages { get; } = [];

        internal Lent(int pages)
        {
            Area = ContiguousArea.Reserve(Allocator, PageMap.SectionSize, "explored");
            for (int i = 0; i < pages; i++)
            {
                MovablePage page = Area.AllocateMovable();
                Assert.True(IsLent(page));
                Fill(page);
                Pages.Add(page);
            }
        }

        internal bool IsLent(MovablePage page)
        {
            Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
            return PageIdentity.Frame(identity) - Area.FirstFrame < Area.Pages;
        }

        /// <summary>No pins, nobody waiting or waited for, the data whole, every page back.</summary>
        internal void End(int quarters = 1)
        {
            MovableTable.Verify(Allocator.Id);
            foreach (MovablePage page in Pages)
            {
                Assert.Equal(0u, MovableWord.Pins(Atomic.LoadAcquire(ref MovableTable.At(page.Index)->Word)));
                PagePin pin = page.Pin();
                for (int quarter = 0; quarter < 4; quarter++)
                {
                    AssertWhole(pin, quarter, Pattern + (quarter < quarters ? 1ul : 0));
                }

                pin.Unpin();
                page.Free();
            }

            Area.Verify();
            Allocator.Verify();
        }

        internal void Close()
        {
            Area.Dispose();
            Memory.AssertAllBack(Allocator);
            Allocator.Dispose();
        }
    }

    private static void Fill(MovablePage page)
    {
        PagePin pin = page.Pin();
        MemoryMarshal.Cast<byte, ulong>(pin.Span).Fill(Pattern);
        pin.Unpin();
    }

    private static Span<ulong> Quarter(PagePin pin, int quarter)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(pin.Span);
        return words.Slice(quarter * (words.Length / 4), words.Length / 4);
    }

    private static void AssertWhole(PagePin pin, int quarter, ulong word)
    {
        ReadOnlySpan<ulong> words = Quarter(pin, quarter);
        Assert.Equal(words.Length, words.Count(word));
    }

    /// <summary>Adds 1 to every word of one quarter of a pinned page, with a step of others in the middle. Pins exclude no pins, so each thread has its quarter.</summary>
    private static void Increment(MovablePage page, int quarter = 0)
    {
        PagePin pin = page.Pin();
        try
        {
            Span<ulong> words = Quarter(pin, quarter);
            for (int i = 0; i < words.Length; i++)
            {
                if (i == words.Length / 2)
                {
                    Atomic.Point();
                }

                words[i]++;
            }

            Atomic.Point();
            AssertWhole(pin, quarter, Pattern + 1);
        }
        finally
        {
            pin.Unpin();
        }
    }

    [Fact]
    public void An_unpin_never_loses_who_waits_for_it_and_a_pin_never_sees_a_page_half_moved()
    {
        Explorer.Explore(static scene =>
        {
            Lent lent = new(1);
            MovablePage page = lent.Pages[0];
            scene.Thread("first", () => Increment(page, 0));
            scene.Thread("second", () => Increment(page, 1));
            scene.Thread("mover", () =>
            {
                PagePin pin = page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan);
                Assert.False(lent.IsLent(page));
                pin.Unpin();
            });
            scene.AtEnd(() =>
            {
                // Nobody was woken by a deadline: pins, migrators and sleepers all were by signals.
                Assert.Equal(0, scene.TimePassed);
                lent.End(2);
            });
            scene.Afterwards(lent.Close);
        });
    }

    [Fact]
    public void Two_that_move_the_same_page_get_it_moved_once_and_both_go_on()
    {
        Explorer.Explore(static scene =>
        {
            Lent lent = new(1);
            MovablePage page = lent.Pages[0];
            for (int i = 0; i < 2; i++)
            {
                scene.Thread($"mover {i}", () =>
                {
                    PagePin pin = page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan);
                    Assert.False(lent.IsLent(page));
                    Assert.InRange(MemoryMarshal.Read<ulong>(pin.Span), Pattern, Pattern + 1);
                    pin.Unpin();
                });
            }

            scene.Thread("pinner", () => Increment(page));
            scene.AtEnd(() => lent.End());
            scene.Afterwards(lent.Close);
        });
    }

    [Fact]
    public void A_reference_taken_through_a_pin_keeps_the_page_where_it_is_until_it_is_put()
    {
        Explorer.Explore(static scene =>
        {
            Lent lent = new(1);
            MovablePage page = lent.Pages[0];
            scene.Thread("referrer", () =>
            {
                PagePin pin = page.Pin();
                Page mine = pin.Page.Get();
                pin.Unpin();
                Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
                Assert.Equal(mine._identity, identity);
                mine.Put();
            });
            scene.Thread("pinner", () => Increment(page));
            scene.Thread("mover", () =>
            {
                PagePin pin = page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan);
                Assert.False(lent.IsLent(page));
                pin.Unpin();
            });
            scene.AtEnd(() => lent.End());
            scene.Afterwards(lent.Close);
        });
    }

    [Fact]
    public void A_free_in_the_middle_of_a_migration_wins_or_waits_and_the_page_goes_once()
    {
        Explorer.Explore(static scene =>
        {
            Lent lent = new(2);
            MovablePage page = lent.Pages[0];
            lent.Pages.RemoveAt(0);
            bool refused = false;
            scene.Thread("owner", () =>
            {
                try
                {
                    page.Free();
                }
                catch (PageBugException bug) when (bug.Message.Contains("while it has", StringComparison.Ordinal))
                {
                    refused = true;
                }
            });
            scene.Thread("mover", () =>
            {
                try
                {
                    page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan).Unpin();
                }
                catch (PageBugException)
                {
                    // The owner was faster, or slower than the move and faster than the pin.
                }
            });
            scene.Thread("other", () => Increment(lent.Pages[0]));
            scene.AtEnd(() =>
            {
                Assert.Equal(refused, page.IsAlive);
                if (refused)
                {
                    page.Free();
                }

                lent.End();
            });
            scene.Afterwards(lent.Close);
        });
    }

    [Fact]
    public void Who_empties_a_range_waits_for_signals_only_where_one_will_come()
    {
        Explorer.Explore(static scene =>
        {
            Lent lent = new(1);
            MovablePage page = lent.Pages[0];
            Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
            RangeAttempt attempt = new(lent.Area, PageIdentity.Frame(identity), 1);
            attempt.Isolate();
            Assert.True(attempt.TryReserveDestinations(out _));
            scene.Thread("attempt", () =>
            {
                while (attempt.LeftCount != 0)
                {
                    long version = MovableTable.Migrators.Version;
                    attempt.Settle();
                    if (attempt.LeftCount != 0)
                    {
                        MovableTable.Migrators.Wait(version, attempt.IsOnlyPinned ? Deadline.Never : Deadline.In(TimeSpan.FromMilliseconds(2)));
                    }
                }
            });
            scene.Thread("mover", () =>
            {
                PagePin pin = page.Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan);
                Assert.False(lent.IsLent(page));
                pin.Unpin();
            });
            scene.Thread("pinner", () => Increment(page));
            scene.AtEnd(() =>
            {
                attempt.Undo();
                lent.End();
            });
            scene.Afterwards(lent.Close);
        });
    }

    [Fact]
    public void A_range_is_taken_from_under_pins_frees_and_new_pages_and_none_of_them_loses_its_data()
    {
        Explorer.Explore(
            static scene =>
            {
                Lent lent = new(3);
                MovablePage freed = lent.Pages[2];
                lent.Pages.RemoveAt(2);
                scene.Thread("allocator", () =>
                {
                    ContiguousRange range = lent.Area.Allocate(lent.Area.Pages, deadline: Timeout.InfiniteTimeSpan);
                    Assert.All(lent.Pages, page => Assert.False(lent.IsLent(page)));
                    for (uint frame = lent.Area.FirstFrame; frame < lent.Area.FirstFrame + lent.Area.Pages; frame++)
                    {
                        Assert.Equal(PageState.Contiguous, PageMap.Descriptor(frame)->State);
                    }

                    lent.Area.Release(range);
                });
                scene.Thread("pinner", () => Increment(lent.Pages[0]));
                scene.Thread("mover", () =>
                {
                    PagePin pin = lent.Pages[1].Pin(PinDuration.LongTerm, Timeout.InfiniteTimeSpan);
                    Increment(lent.Pages[1]);
                    pin.Unpin();
                });
                scene.Thread("freer", () =>
                {
                    freed.Free();
                    MovablePage fresh = lent.Area.AllocateMovable();
                    Fill(fresh);
                    Increment(fresh);
                    fresh.Free();
                });
                scene.AtEnd(() =>
                {
                    // A free gives no signal, and is looked for every few milliseconds. Pins do: nobody may have waited for a pin until its patience was over.
                    Assert.True(scene.TimePassed < MovablePage.ShortPinBound.TotalSeconds * System.Diagnostics.Stopwatch.Frequency, $"{scene.TimePassed} ticks went by");
                    lent.End();
                });
                scene.Afterwards(lent.Close);
            },
            schedules: 2000);
    }
}
