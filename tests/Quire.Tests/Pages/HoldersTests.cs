using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Pages;

/// <summary>Who holds this page: the ledger through the eyes of pages and fragments.</summary>
[Collection(LedgerCollection.Name)]
public sealed unsafe class HoldersTests : IDisposable
{
    private readonly PageAllocator _allocator = Trial.Allocator(limit: 16 * Trial.MiB);
    private readonly PageFragmentCache _cache;

    public HoldersTests() => _cache = new PageFragmentCache(_allocator);

    [Fact]
    public void Every_reference_taken_is_shown_with_its_line_and_forgotten_when_it_is_dropped()
    {
        using IDisposable session = Holders.Track();
        Page page = _allocator.Allocate(2);
        int line = Line();
        Page second = page.Get();
        Page many = page.Frame(3).Get(5);
        PageRef.Add(page, 2);
        PageHolders holders = Holders.Of(page.Frame(1));
        Assert.Equal((page.FrameNumber, 9, 0), (holders.FrameNumber, holders.Count, holders.Untracked));
        Assert.Equal([1, 1, 2, 5], holders.Entries.Select(entry => entry.References).Order());
        Assert.Equal([line - 1, line + 1, line + 2, line + 3], holders.Entries.Select(entry => entry.Taken.Site.Line).Order());
        Assert.All(holders.Entries, entry =>
        {
            Assert.EndsWith("HoldersTests.cs", entry.Taken.Site.File, StringComparison.Ordinal);
            Assert.Equal(nameof(Every_reference_taken_is_shown_with_its_line_and_forgotten_when_it_is_dropped), entry.Taken.Site.Member);
            Assert.Equal(Environment.CurrentManagedThreadId, entry.Taken.ThreadId);
            Assert.Equal(4 * Trial.Frame, entry.PageBytes);
        });
        Assert.Equal(HolderKind.Raw, Assert.Single(holders.Entries, entry => entry.References == 2).Kind);
        Assert.Contains($"HoldersTests.cs:{line + 1} ", page.Dump(), StringComparison.Ordinal);

        many.Put(2);
        Assert.Equal(3, Assert.Single(Holders.Of(page).Entries, entry => entry.Taken.Site.Line == line + 2).References);
        many.Put(3);
        PageRef.Sub(page, 2);
        second.Put();
        Assert.Single(Holders.Of(page).Entries);
        page.Put();
        Assert.DoesNotContain(Holders.All(), entry => entry.FrameNumber == page.FrameNumber);
    }

    [Fact]
    public void References_from_before_tracking_are_untracked_and_the_others_exact()
    {
        Page page = _allocator.Allocate();
        Page old = page.Get();
        using (Holders.Track())
        {
            Page tracked = page.Get();
            PageHolders holders = Holders.Of(page);
            Assert.Equal((3, 2), (holders.Count, holders.Untracked));
            Assert.Single(holders.Entries);
            old.Put();
            Assert.Equal(1, Holders.Of(page).Untracked);
            tracked.Put();
            Assert.Equal(1, Holders.Of(page).Untracked);
            Assert.Contains("1 untracked", page.Dump(), StringComparison.Ordinal);
            page.Put();
        }
    }

    [Fact]
    public void Switching_off_and_on_in_mid_life_loses_no_release()
    {
        IDisposable first = Holders.Track();
        IDisposable second = Holders.Track();
        Page page = _allocator.Allocate(1);
        PageFragment fragment = _cache.Allocate(100);
        first.Dispose();
        first.Dispose();
        Assert.True(Holders.IsTracking);
        Page tracked = page.Get();
        second.Dispose();
        Assert.False(Holders.IsTracking);
        Page untracked = page.Get();
        PageFragment other = _cache.Allocate(100);

        // Tickets end though tracking is off, and what is shown stays true.
        tracked.Put();
        Assert.Throws<PageBugException>(() => tracked.Put());
        PageHolders holders = Holders.Of(page);
        Assert.Equal((2, 1), (holders.Count, holders.Untracked));
        using (Holders.Track())
        {
            Assert.Throws<PageBugException>(() => tracked.Put());
            untracked.Put();
            Assert.Equal((1, 0), (Holders.Of(page).Count, Holders.Of(page).Untracked));
            _cache.Free(fragment);
            _cache.Free(other);
            page.Put();
        }

        _cache.Verify();
        Assert.DoesNotContain(Holders.All(), entry => entry.FrameNumber == page.FrameNumber || entry.FrameNumber == fragment.Page.FrameNumber);
    }

    [Fact]
    public void A_second_put_names_both_puts()
    {
        using IDisposable session = Holders.Track();
        Page page = _allocator.Allocate();
        Page reference = page.Get();
        reference.Put();
        int first = Line() - 1;
        int second = Line() + 1;
        PageBugException bug = Assert.Throws<PageBugException>(() => reference.Put());
        Assert.Contains($"HoldersTests.cs:{first} ", bug.Message, StringComparison.Ordinal);
        Assert.Contains($"HoldersTests.cs:{second} ", bug.Message, StringComparison.Ordinal);
        Assert.Equal(first, bug.EarlierRelease!.Value.Line);
        Assert.Equal(1, PageRef.Count(page));

        // The last one frees the page; whoever comes after is told who that was.
        page.Put();
        first = Line() - 1;
        bug = Assert.Throws<PageBugException>(() => page.Put());
        second = Line() - 1;
        Assert.Contains($"HoldersTests.cs:{first} ", bug.Message, StringComparison.Ordinal);
        Assert.Contains($"HoldersTests.cs:{second} ", bug.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_free_of_a_fragment_names_both_frees_in_the_same_round_and_after()
    {
        using IDisposable session = Holders.Track();
        foreach (Action<PageFragment> free in Frees())
        {
            PageFragment fragment = _cache.Allocate(64);
            PageFragment neighbour = _cache.Allocate(64);
            fragment.Free();
            int first = Line() - 1;
            int bias = _cache.Bias;
            PageBugException bug = Assert.Throws<PageBugException>(() => free(fragment));
            Assert.Contains($"HoldersTests.cs:{first} ", bug.Message, StringComparison.Ordinal);
            Assert.Contains($"HoldersTests.cs:{FreeLine} ", bug.Message, StringComparison.Ordinal);
            Assert.Equal(bias, _cache.Bias);
            neighbour.Span.Fill(1);
            _cache.Free(neighbour);
            _cache.Verify();
        }
    }

    [Fact]
    public void A_use_after_the_free_is_found_in_the_same_round()
    {
        using IDisposable session = Holders.Track();
        PageFragment fragment = _cache.Allocate(64);
        PageFragment alive = _cache.Allocate(64);
        fragment.Span.Clear();
        _cache.Free(fragment);
        Assert.Contains("First put", Assert.Throws<PageBugException>(() => fragment.Span.Length).Message, StringComparison.Ordinal);
        Assert.Throws<PageBugException>(() => (nint)fragment.Address);
        Assert.Throws<PageBugException>(() => fragment.Get());
        Assert.Throws<PageBugException>(() => fragment.Lease().Span.Length);
        alive.Span.Clear();
        _cache.Free(alive);

        Page page = _allocator.Allocate();
        Page reference = page.Get();
        reference.Put();
        Assert.Throws<PageBugException>(() => reference.Span.Length);
        Assert.Throws<PageBugException>(() => (nint)reference.Address);
        Assert.Throws<PageBugException>(() => reference.Get());
        Assert.Throws<PageBugException>(() => reference.TryGetBounded(out _));
        page.Span.Clear();
        page.Put();
    }

    [Fact]
    public void Dropping_more_than_a_handle_stands_for_is_refused_though_the_page_has_them()
    {
        using IDisposable session = Holders.Track();
        Page page = _allocator.Allocate();
        Page three = page.Get(3);
        Page ten = page.Get(10);
        PageBugException bug = Assert.Throws<PageBugException>(() => three.Put(4));
        Assert.Contains("stands for 3", bug.Message, StringComparison.Ordinal);
        Assert.Throws<PageBugException>(() => PageFragmentCache.Drain(three, 4));
        Assert.Equal(14, PageRef.Count(page));
        three.Put(3);
        Assert.Throws<PageBugException>(() => three.Put(1));
        ten.Put(10);
        page.Put();
    }

    [Fact]
    public void A_count_brought_below_zero_is_refused_and_nothing_changes()
    {
        using IDisposable session = Holders.Track();
        Page page = _allocator.Allocate();
        Assert.Throws<PageBugException>(() => PageRef.Sub(page, 1));
        Assert.Throws<PageBugException>(() => PageRef.SubReturn(page, 2));
        Assert.Equal((1, 0), (PageRef.Count(page), Holders.Of(page).Untracked));
        page.Put();
    }

    [Fact]
    public void A_page_freed_by_its_count_alone_leaves_no_holder_behind()
    {
        using IDisposable session = Holders.Track();
        Page page = _allocator.Allocate();
        PageRef.Add(page, 4);
        Assert.True(PageRef.SubAndTest(page, 5));
        _allocator.FreeUnreferenced(page);
        Assert.DoesNotContain(Holders.All(), entry => entry.FrameNumber == page.FrameNumber);
        PageBugException bug = Assert.Throws<PageBugException>(() => page.Put());
        Assert.NotNull(bug.Message);
    }

    [Fact]
    public void The_entries_of_a_fragment_page_account_for_each_reference() => Trial.Seeded(random =>
    {
        List<PageFragment> held = [_cache.Allocate(40), _cache.Allocate(40)];
        Page page = held[0].Page;
        using IDisposable session = Holders.Track();
        int untracked = 2;
        for (int step = 0; step < 150; step++)
        {
            switch (random.Next(4))
            {
                case 0: held.Add(_cache.Allocate(random.Next(1, 100))); break;
                case 1: held.Add(held[random.Next(held.Count)].Get()); break;
                default:
                    int index = random.Next(held.Count);
                    if (held.Count > 1)
                    {
                        untracked -= held[index].IsTracked ? 0 : 1;
                        PageFragment fragment = held[index];
                        held.RemoveAt(index);
                        Frees()[random.Next(4)](fragment);
                    }

                    break;
            }

            PageHolders holders = Holders.Of(page);
            Assert.Equal(_cache.Bias + held.Count, holders.Count);
            Assert.Equal(untracked, holders.Untracked);
            Assert.Equal(holders.Count - untracked, holders.Entries.Sum(entry => entry.References));
            Assert.Equal(_cache.Bias, Assert.Single(holders.Entries, entry => entry.Kind == HolderKind.Bias).References);
            Assert.All(holders.Entries, entry => Assert.Equal(PageFragmentCache.MaxSharedSize, entry.PageBytes));
        }

        held.ForEach(fragment => fragment.Free());
    });

    [Fact]
    public void A_small_fragment_shows_the_large_page_that_it_keeps()
    {
        using IDisposable session = Holders.Track();
        PageFragment header = _cache.Allocate(23);
        _cache.Drain();
        Holder holder = Assert.Single(Holders.Of(header.Page).Entries);
        Assert.Equal((23L, 32768L, HolderKind.Fragment), (holder.Bytes, holder.PageBytes, holder.Kind));
        string table = Holders.Table().ToString(0, 1000);
        Assert.Contains("23 B /", table, StringComparison.Ordinal);
        Assert.Contains("32 KiB", table, StringComparison.Ordinal);
        header.Free();
    }

    [Fact]
    public void Touch_moves_the_blame_and_keeps_who_took_it()
    {
        using IDisposable session = Holders.Track();
        PageFragment fragment = _cache.Allocate(23);
        int taken = Line() - 1;
        fragment.Touch();
        int touched = Line() - 1;
        Holder holder = Assert.Single(Holders.Of(fragment.Page).Entries, entry => entry.Kind == HolderKind.Fragment);
        Assert.Equal((taken, touched), (holder.Taken.Site.Line, holder.Current.Site.Line));
        Assert.Contains($"HoldersTests.cs:{touched} ", Holders.Table().ToString(0, 1000), StringComparison.Ordinal);
        fragment.Free();
    }

    [Fact]
    public void An_allocator_that_is_disposed_too_early_names_who_holds_its_pages()
    {
        using IDisposable session = Holders.Track();
        PageAllocator other = Trial.Allocator();
        Page page = other.Allocate(1);
        int line = Line() - 1;
        Page elsewhere = _allocator.Allocate();
        PagesStillHeldException held = Assert.Throws<PagesStillHeldException>(other.Dispose);
        Assert.Contains($"HoldersTests.cs:{line} ", held.Message, StringComparison.Ordinal);
        Assert.Equal(line, Assert.Single(held.Holders).Taken.Site.Line);
        Assert.Equal(8192, held.HeldBytes);
        elsewhere.Put();
        page.Put();
        other.Dispose();
    }

    [Fact]
    public void A_stress_with_the_ledger_on_ends_with_no_holder_and_no_untracked_reference() => Trial.Seeded(random =>
    {
        using IDisposable session = Holders.Track();
        PageAllocator allocator = Trial.Allocator();
        int[] seeds = [.. Enumerable.Range(0, 3).Select(_ => random.Next())];
        Func<bool> goOn = Trial.For(800);
        Page shared = allocator.Allocate(1);
        Trial.OnThreads(3, number =>
        {
            Random own = new(seeds[number]);
            List<Page> mine = [];
            while (goOn())
            {
                switch (own.Next(4))
                {
                    case 0 when mine.Count < 300: mine.Add(allocator.Allocate(own.Next(3))); break;
                    case 1 when mine.Count < 300: mine.Add(shared.Get()); break;
                    case 2 when mine.Count is > 0 and < 300: mine.Add(mine[own.Next(mine.Count)].Get(2)); mine[^1].Put(1); break;
                    default:
                        for (int i = own.Next(1, 4); i > 0 && mine.Count > 0; i--)
                        {
                            mine[^1].Put();
                            mine.RemoveAt(mine.Count - 1);
                        }

                        break;
                }
            }

            mine.ForEach(page => page.Put());
        });
        Assert.Equal((1, 0), (PageRef.Count(shared), Holders.Of(shared).Untracked));
        shared.Put();
        Assert.Empty(allocator.HoldersOfMine());
        Assert.True(Ledger.Verify());
        allocator.Verify();
        allocator.Dispose();
    });

    public void Dispose()
    {
        Assert.False(Holders.IsTracking);
        _cache.Dispose();
        _allocator.Verify();
        _allocator.Dispose();
    }

    private static int Line([CallerLineNumber] int line = 0) => line;

    // The four ways to free a fragment, on one line, so that a message can be asked for it.
    private static readonly int FreeLine = Line() + 1;
    private Action<PageFragment>[] Frees() => [f => f.Free(), f => _cache.Free(f), f => PageFragment.Free([f]), f => _cache.Free([f])];
}
