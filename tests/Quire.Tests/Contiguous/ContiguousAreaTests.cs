using Xunit;

namespace Quire.Tests.Contiguous;

public unsafe class ContiguousAreaTests
{
    [Fact]
    public unsafe void A_torn_handle_shows_no_byte_outside_its_range_and_releases_nothing()
    {
        using AreaFixture world = new();
        ContiguousRange small = world.Area.Allocate(3);
        ContiguousRange large = world.Area.Allocate(500);
        foreach ((ContiguousRange one, ContiguousRange other) in new[] { (small, large), (large, small) })
        {
            ContiguousRange torn = new(world.Area, one.Identity, other.Pages, 0);
            Assert.Contains("torn", Assert.Throws<PageBugException>(() => torn.Span.Length).Message);
            Assert.Contains($"has {one.Pages} pages", Assert.Throws<PageBugException>(() => world.Area.Release(torn)).Message);
            Assert.Equal(one.Length, one.Span.Length);
        }

        world.Area.Release(small);
        world.Area.Release(large);
        world.Verify();
    }

    [Fact]
    public void A_range_is_memory_in_one_piece_that_can_be_used()
    {
        using AreaFixture world = new();
        ContiguousRange range = world.Area.Allocate(300);
        Assert.Equal(300, range.Pages);
        Assert.Equal(300 * 4096, range.Span.Length);
        range.Span.Fill(0xA5);
        Assert.Equal(0xA5, range.Address[(300 * 4096) - 1]);
        Assert.Equal(300, world.Area.GetStatistics().AllocatedPages);
        world.Verify();
        world.Area.Release(range);
        Assert.Equal(0, world.Area.GetStatistics().AllocatedPages);
    }

    [Fact]
    public void Ranges_never_overlap_and_the_whole_area_can_be_given_out()
    {
        using AreaFixture world = new(areaMiB: 8);
        Random random = new(4711);
        List<ContiguousRange> ranges = [];
        HashSet<uint> frames = [];
        int left = world.Area.Pages;
        while (left > 0)
        {
            int pages = Math.Min(left, random.Next(1, 200));
            ContiguousRange range = world.Area.Allocate(pages);
            ranges.Add(range);
            left -= pages;
            for (uint i = 0; i < pages; i++)
            {
                Assert.True(frames.Add(range.FirstFrame + i), "a frame was handed out twice (seed 4711)");
            }
        }

        Assert.True(!world.Area.TryAllocate(1, out _, out ContiguousFailure? failure));
        Assert.Equal(ContiguousFailureKind.NoSpace, failure.Kind);
        world.Verify();
        ranges.ForEach(range => world.Area.Release(range));
    }

    [Fact]
    public void Lent_pages_move_away_with_their_content()
    {
        using AreaFixture world = new();
        MovablePage[] pages = world.FillArea(at => at % 2 == 0);
        Assert.Equal(world.Area.Pages / 2, world.Area.GetStatistics().LentPages);
        ContiguousRange range = world.Area.Allocate(world.Area.Pages);
        range.Span.Fill(0xFF);
        AreaFixture.AssertContent(pages);
        Assert.All(pages, page => Assert.Equal(-1, world.IndexOf(page)));
        Assert.Equal(pages.Length, world.Area.GetStatistics().PagesMigrated);
        world.Verify();
        world.Area.Release(range);
    }

    [Fact]
    public void Released_memory_is_lent_again()
    {
        using AreaFixture world = new();
        ContiguousRange range = world.Area.Allocate(world.Area.Pages);
        MovablePage outside = world.Add();
        Assert.Equal(-1, world.IndexOf(outside));
        world.Area.Release(range);
        MovablePage[] pages = world.AddMany(200);
        Assert.Contains(pages, page => world.IndexOf(page) >= 0);
    }

    [Fact]
    public void A_range_starts_at_a_multiple_of_its_alignment()
    {
        using AreaFixture world = new(areaMiB: 8);
        ContiguousRange odd = world.Area.Allocate(1);
        foreach (int alignment in new[] { 1, 2, 8, 64, 512, 1024 })
        {
            ContiguousRange range = world.Area.Allocate(3, alignment);
            Assert.Equal(0ul, (ulong)range.Address % ((ulong)alignment * 4096));
            world.Area.Release(range);
        }

        world.Area.Release(odd);
    }

    [Fact]
    public void A_full_area_answers_no_space_with_its_free_runs_and_tries_nothing()
    {
        using AreaFixture world = new();
        ContiguousRange[] ranges = [.. Enumerable.Range(0, 8).Select(_ => world.Area.Allocate(128))];
        world.Area.Release(ranges[1]);
        world.Area.Release(ranges[4]);
        long given = world.Area.GetStatistics().RangesGivenBack;
        ContiguousNoSpaceException thrown = Assert.Throws<ContiguousNoSpaceException>(() => world.Area.Allocate(129));
        Assert.Equal(ContiguousFailureKind.NoSpace, thrown.Failure!.Kind);
        Assert.Equal(0, thrown.Failure.RangesTried);
        Assert.Contains("128@128+128@512 => 256 free of 1024 total pages", thrown.Message);
        Assert.Equal(given, world.Area.GetStatistics().RangesGivenBack);
        Assert.Equal(1, world.Area.GetStatistics().NoSpaceFailures);
        foreach (int i in new[] { 0, 2, 3, 5, 6, 7 })
        {
            world.Area.Release(ranges[i]);
        }
    }

    [Fact]
    public void More_than_the_area_has_is_no_space()
    {
        using AreaFixture world = new();
        Assert.Throws<ContiguousNoSpaceException>(() => world.Area.Allocate(1025));
        Assert.Throws<ContiguousNoSpaceException>(() => world.Area.Allocate(int.MaxValue));
        Assert.Throws<ContiguousNoSpaceException>(() => world.Area.Allocate(1024, alignment: 1 << 30));
    }

    [Fact]
    public void Nowhere_to_move_pages_to_is_an_answer_of_its_own_and_changes_nothing()
    {
        using AreaFixture world = new(areaMiB: 4, limitMiB: 4);
        MovablePage[] pages = world.AddMany(600);
        string lists = world.FreeLists();
        ContiguousNoMemoryException thrown = Assert.Throws<ContiguousNoMemoryException>(() => world.Area.Allocate(1024));
        Assert.Equal(ContiguousFailureKind.NoMemory, thrown.Failure!.Kind);
        Assert.Equal(lists, world.FreeLists());
        AreaFixture.AssertContent(pages);
        world.Verify();

        // Where a range needs no place to move pages to, it is found.
        world.Area.Release(world.Area.Allocate(400));
    }

    [Fact]
    public void A_second_release_names_both_places()
    {
        using AreaFixture world = new();
        ContiguousRange range = world.Area.Allocate(4);
        world.Area.Release(range);
        PageBugException thrown = Assert.Throws<PageBugException>(() => world.Area.Release(range));
        Assert.Contains("Released: ContiguousAreaTests.cs:", thrown.Message);
        Assert.Contains(nameof(A_second_release_names_both_places), thrown.Message);
        Assert.NotNull(thrown.EarlierRelease);
        Assert.Throws<PageBugException>(() => range.Span.Length);
        Assert.False(range.IsAlive);

        // The same frames again are another range.
        ContiguousRange next = world.Area.Allocate(4);
        Assert.Equal(range.FirstFrame, next.FirstFrame);
        Assert.Throws<PageBugException>(() => world.Area.Release(range));
        Assert.True(next.IsAlive);
        world.Area.Release(next);
    }

    [Fact]
    public void Release_of_a_range_never_allocated_says_so()
    {
        using AreaFixture world = new();
        using ContiguousArea other = ContiguousArea.Reserve(world.Allocator, 4 << 20, "other area");
        Assert.Contains("never allocated", Assert.Throws<ArgumentException>(() => world.Area.Release(default)).Message);
        ContiguousRange foreign = other.Allocate(2);
        string message = Assert.Throws<ArgumentException>(() => world.Area.Release(foreign)).Message;
        Assert.Contains("other area", message);
        Assert.Contains("test area", message);
        Assert.True(foreign.IsAlive);
        other.Release(foreign);
        Assert.Throws<PageBugException>(() => default(ContiguousRange).Span.Length);
    }

    [Fact]
    public void Bad_arguments_are_told_one_by_one()
    {
        using AreaFixture world = new();
        Assert.Equal("pages", Assert.Throws<ArgumentOutOfRangeException>(() => world.Area.Allocate(0)).ParamName);
        Assert.Equal("pages", Assert.Throws<ArgumentOutOfRangeException>(() => world.Area.Allocate(-1)).ParamName);
        Assert.Equal("alignment", Assert.Throws<ArgumentOutOfRangeException>(() => world.Area.Allocate(1, 0)).ParamName);
        Assert.Equal("alignment", Assert.Throws<ArgumentOutOfRangeException>(() => world.Area.Allocate(1, 3)).ParamName);
        Assert.Equal("alignment", Assert.Throws<ArgumentOutOfRangeException>(() => world.Area.Allocate(1, int.MinValue)).ParamName);
        Assert.Equal("deadline", Assert.Throws<ArgumentOutOfRangeException>(() => world.Area.Allocate(1, 1, TimeSpan.FromSeconds(-2))).ParamName);
        Assert.Throws<ArgumentNullException>(() => ContiguousArea.Reserve(null!, 1, "a"));
        Assert.Throws<ArgumentNullException>(() => ContiguousArea.Reserve(world.Allocator, 1, null!));
        Assert.Throws<ArgumentException>(() => ContiguousArea.Reserve(world.Allocator, 1, " "));
        Assert.Equal("bytes", Assert.Throws<ArgumentOutOfRangeException>(() => ContiguousArea.Reserve(world.Allocator, 0, "a")).ParamName);
        Assert.Equal("bytes", Assert.Throws<ArgumentOutOfRangeException>(() => ContiguousArea.Reserve(world.Allocator, long.MaxValue, "a")).ParamName);
        Assert.Throws<PageLimitException>(() => ContiguousArea.Reserve(world.Allocator, 61 << 20, "a"));
        Assert.Throws<ArgumentNullException>(() => MovablePage.Allocate(null!));
        Assert.Equal("duration", Assert.Throws<ArgumentOutOfRangeException>(() => world.Add().Pin((PinDuration)7)).ParamName);
        Assert.Equal("deadline", Assert.Throws<ArgumentOutOfRangeException>(() => world.Add().Pin(PinDuration.LongTerm, TimeSpan.FromSeconds(-2))).ParamName);
    }

    [Fact]
    public void A_size_is_rounded_up_to_sections_and_counts_against_the_limit()
    {
        using AreaFixture world = new(areaMiB: 4, limitMiB: 16);
        using ContiguousArea area = ContiguousArea.Reserve(world.Allocator, (4 << 20) + 1, "rounded");
        Assert.Equal(8L << 20, area.Bytes);
        Assert.Equal(2048, area.Pages);
        Assert.Equal(12L << 20, world.Allocator.GetStatistics().ManagedBytes);
        PageLimitException thrown = Assert.Throws<PageLimitException>(() => ContiguousArea.Reserve(world.Allocator, 8 << 20, "too much"));
        Assert.Contains("too much", thrown.Message);
    }

    [Fact]
    public void Disposing_moves_lent_pages_out_and_takes_the_memory_off_the_allocator()
    {
        using AreaFixture world = new();
        ContiguousArea area = ContiguousArea.Reserve(world.Allocator, 4 << 20, "short-lived");
        MovablePage[] pages = world.AddMany(1500);
        long before = world.Allocator.GetStatistics().ManagedBytes;
        area.Dispose();
        area.Dispose();
        AreaFixture.AssertContent(pages);
        world.Verify();
        Assert.True(world.Allocator.GetStatistics().ManagedBytes <= before);
        Assert.Throws<ObjectDisposedException>(() => area.Allocate(1));
        Assert.Throws<ObjectDisposedException>(area.Verify);
    }

    [Fact]
    public void An_area_with_a_range_out_is_not_disposed_and_says_who_has_it()
    {
        using AreaFixture world = new();
        ContiguousRange range = world.Area.Allocate(16);
        PagesStillHeldException thrown = Assert.Throws<PagesStillHeldException>(world.Area.Dispose);
        Assert.Contains(nameof(An_area_with_a_range_out_is_not_disposed_and_says_who_has_it), thrown.Message);
        Assert.Equal(16 * 4096, thrown.HeldBytes);
        Assert.Single(thrown.Holders);
        world.Verify();
        world.Area.Release(range);
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Fact]
    public void An_area_with_a_pinned_page_is_not_disposed_and_stands_as_before()
    {
        using AreaFixture world = new();
        MovablePage page = world.Add();
        PagePin pin = page.Pin();
        ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(world.Area.Dispose);
        Assert.Contains(nameof(An_area_with_a_pinned_page_is_not_disposed_and_stands_as_before), thrown.Message);
        Assert.Contains("can't be disposed", thrown.Message);
        pin.Unpin();
        world.Verify();
        world.Area.Release(world.Area.Allocate(1024));
    }

    [Fact]
    public void An_allocator_that_is_disposed_takes_its_areas_with_it()
    {
        PageAllocator allocator = new(new PageAllocatorOptions { LimitBytes = 16 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        ContiguousArea area = ContiguousArea.Reserve(allocator, 4 << 20, "left behind");
        ContiguousRange range = area.Allocate(1);
        Assert.Throws<PagesStillHeldException>(allocator.Dispose);
        area.Release(range);
        allocator.Dispose();
        Assert.Throws<ObjectDisposedException>(() => area.Allocate(1));
        area.Dispose();
    }

    [Fact]
    public void Memory_that_was_trimmed_comes_back_for_a_range()
    {
        using AreaFixture world = new(areaMiB: 8);
        MovablePage[] pages = world.FillArea(at => at % 700 == 3);
        world.Allocator.Trim();
        Assert.True(world.Allocator.GetStatistics().DecommittedFrames > 1000);
        ContiguousRange range = world.Area.Allocate(world.Area.Pages);
        range.Span.Fill(1);
        AreaFixture.AssertContent(pages);
        world.Verify();
        world.Area.Release(range);
        world.Allocator.Trim();
        world.Verify();
    }

    [Fact]
    public void With_zero_on_free_nobody_sees_anothers_bytes()
    {
        using AreaFixture world = new(zeroOnFree: true);
        world.FillArea(at => at % 3 == 0);
        ContiguousRange range = world.Area.Allocate(world.Area.Pages);
        Assert.Equal(-1, range.Span.IndexOfAnyExcept((byte)0));
        range.Span.Fill(0xEE);
        world.Area.Release(range);
        for (int i = 0; i < 100; i++)
        {
            MovablePage page = world.Area.AllocateMovable();
            PagePin pin = page.Pin();
            Assert.Equal(-1, pin.Span.IndexOfAnyExcept((byte)0));
            pin.Unpin();
            page.Free();
        }
    }

    [Fact]
    public void A_range_is_no_page_and_is_not_found_as_one()
    {
        using AreaFixture world = new();
        ContiguousRange range = world.Area.Allocate(2);
        Assert.False(Page.TryFromFrame(range.FirstFrame, out _));
        Assert.False(Page.TryFromAddress(range.Address, out _));
        world.Area.Release(range);
    }

    [Fact]
    public void Unmovable_pages_never_come_from_an_area()
    {
        using AreaFixture world = new(areaMiB: 4, limitMiB: 8);
        List<Page> pages = [];
        while (world.Allocator.TryAllocate(out Page page, out _))
        {
            Assert.False(page.FrameNumber >= world.Area.FirstFrame && page.FrameNumber < world.Area.FirstFrame + 1024);
            pages.Add(page);
        }

        Assert.Equal(1024, pages.Count);
        world.Allocator.Free(pages.ToArray());
        Assert.Equal(1024, world.Area.GetStatistics().FreePages);
    }

    [Fact]
    public void The_statistics_add_up()
    {
        using AreaFixture world = new();
        MovablePage[] pages = world.FillArea(at => at >= 900);
        ContiguousRange range = world.Area.Allocate(100);
        ContiguousAreaStatistics now = world.Area.GetStatistics();
        Assert.Equal(now.Pages, now.FreePages + now.LentPages + now.AllocatedPages + now.UnusablePages);
        Assert.Equal((124, 100, 924), (now.LentPages, now.AllocatedPages, now.LargestRun));
        Assert.Equal(1, now.Allocations);
        Assert.Equal(124, pages.Length);
        world.Area.Release(range);
    }
}
