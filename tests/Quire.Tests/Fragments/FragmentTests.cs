using Xunit;

namespace Quire.Tests.Fragments;

/// <summary>What a fragment cache promises for each call.</summary>
public sealed unsafe class FragmentTests : IDisposable
{
    private readonly PageAllocator _allocator = Trial.Allocator(limit: 32 * Trial.MiB);
    private readonly PageFragmentCache _cache;

    public FragmentTests() => _cache = new PageFragmentCache(_allocator);

    [Fact]
    public void Sizes_that_are_none_are_refused_and_take_nothing()
    {
        PageFragment first = _cache.Allocate(8);
        int bias = _cache.Bias;
        foreach (int size in (int[])[0, -1, int.MinValue, int.MaxValue, int.MaxValue - 7, (4 << 20) + 1, -4096, 0x7FFF_8000])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => _cache.Allocate(size));
            Assert.Throws<ArgumentOutOfRangeException>(() => _cache.Allocate(size, out Span<byte> _));
            Assert.Throws<ArgumentOutOfRangeException>(() => _cache.Allocate(size, 64));
            Assert.Throws<ArgumentOutOfRangeException>(() => _cache.TryAllocate(size, out _, out _));
        }

        foreach (int alignment in (int[])[0, -1, 3, 24, 65536, int.MinValue, int.MaxValue])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => _cache.Allocate(8, alignment));
            Assert.Throws<ArgumentOutOfRangeException>(() => _cache.TryAllocate(8, out _, out _, alignment));
        }

        Assert.Equal(bias, _cache.Bias);
        PageFragment second = _cache.Allocate(8);
        Assert.True(second.Address == first.Address + 8);
        _cache.Free([first, second]);
    }

    [Fact]
    public void A_torn_handle_shows_no_byte_outside_its_page() => Trial.Seeded(random =>
    {
        // One fragment's page with another's place in it, as a thread reads it that races with a write. No length means a page of the fragment's own, which these are not.
        for (int order = 0; order <= 4; order++)
        {
            Page page = _allocator.Allocate(order);
            for (int i = 0; i < 20_000; i++)
            {
                (int offset, int length) = i switch
                {
                    0 => (0, page.Length),
                    1 => (page.Length - 1, 1),
                    2 => (page.Length, 1),
                    3 => (1, page.Length),
                    4 => (1, 0),
                    5 => (0, 0),
                    _ => (random.Next(1 << 16), random.Next(1 << random.Next(17))),
                };
                if ((ushort)offset != offset || (ushort)length != length)
                {
                    continue;
                }

                PageFragment torn = new(page._identity, (uint)offset | ((uint)length << PageFragment.LengthShift));
                if (length != 0 && offset + length <= page.Length)
                {
                    Assert.True(torn.Address == page.Address + offset);
                    Assert.Equal(length, torn.Span.Length);
                }
                else
                {
                    Assert.Contains("torn", Assert.Throws<PageBugException>(() => torn.Span.Length).Message);
                }
            }

            page.Put();
        }
    });

    [Fact]
    public void Every_size_has_its_exact_length_and_its_own_bytes()
    {
        int[] sizes = [1, 7, 8, 9, 255, 4095, 4096, 4097, 32767, 32768, 32769, 65535, 65536, 65537, 1 << 20, (4 << 20) - 1, 4 << 20];
        PageFragment[] fragments = new PageFragment[sizes.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            fragments[i] = _cache.Allocate(sizes[i], out Span<byte> bytes);
            Assert.Equal((sizes[i], sizes[i], sizes[i]), (fragments[i].Length, fragments[i].Span.Length, bytes.Length));
            fixed (byte* start = bytes)
            {
                Assert.True(start == fragments[i].Address);
            }

            Assert.Equal((nuint)0, (nuint)fragments[i].Address % PageFragmentCache.MinAlignment);
            bytes.Fill((byte)(i + 1));
        }

        for (int i = 0; i < sizes.Length; i++)
        {
            Assert.Equal(-1, fragments[i].Span.IndexOfAnyExcept((byte)(i + 1)));
            bool own = sizes[i] > PageFragmentCache.MaxSharedSize;
            Page page = fragments[i].Page;
            Assert.Equal(own, PageRef.Count(page) == 1);
            if (own)
            {
                Assert.True(page.Length >= sizes[i] && page.Length / 2 < sizes[i]);
                PageFragment another = fragments[i].Get();
                Assert.Equal((sizes[i], 2), (another.Length, PageRef.Count(page)));
                another.Free();
            }
        }

        foreach (PageFragment fragment in fragments)
        {
            fragment.Free();
        }

        Assert.Throws<PageBugException>(() => fragments[^1].Length);
    }

    [Fact]
    public void Every_alignment_is_honoured_for_every_size() => Trial.Seeded(random =>
    {
        List<(PageFragment Fragment, byte Fill)> held = [];
        for (int step = 0; step < 4000; step++)
        {
            int alignment = 1 << random.Next(16);
            int size = random.Next(5) == 0 ? random.Next(1, 40_000) : random.Next(1, 600);
            PageFragment fragment = _cache.Allocate(size, alignment);
            Assert.True((nuint)fragment.Address % (nuint)alignment == 0, $"{fragment} at 0x{(nuint)fragment.Address:x} is not aligned to {alignment}.");
            Assert.Equal(size, fragment.Length);
            byte fill = (byte)random.Next(256);
            fragment.Span.Fill(fill);
            held.Add((fragment, fill));
            if (held.Count > 60)
            {
                int index = random.Next(held.Count);
                Assert.Equal(-1, held[index].Fragment.Span.IndexOfAnyExcept(held[index].Fill));
                _cache.Free(held[index].Fragment);
                held.RemoveAt(index);
            }
        }

        held.ForEach(entry => _cache.Free(entry.Fragment));
    });

    [Fact]
    public void A_page_whose_fragments_all_came_back_is_reused_in_place_and_older_handles_are_found()
    {
        PageFragment old = _cache.Allocate(PageFragmentCache.MaxSharedSize);
        Page page = old.Page;
        PageFragment copy = old.Get();
        _cache.Free(old);
        _cache.Free(copy);
        PageFragment next = _cache.Allocate(PageFragmentCache.MaxSharedSize);
        Assert.Equal(page.FrameNumber, next.Page.FrameNumber);
        Assert.Equal(page.Generation + 1, next.Page.Generation);
        int bias = _cache.Bias;
        foreach (PageFragment stale in (PageFragment[])[old, copy])
        {
            Assert.False(stale.IsAlive);
            Assert.Throws<PageBugException>(() => stale.Free());
            Assert.Throws<PageBugException>(() => _cache.Free(stale));
            Assert.Throws<PageBugException>(() => PageFragment.Free([stale]));
            Assert.Throws<PageBugException>(() => _cache.Free([stale]));
            Assert.Throws<PageBugException>(() => stale.Span.Length);
            Assert.Throws<PageBugException>(() => (nint)stale.Address);
            Assert.Throws<PageBugException>(() => stale.Get());
            Assert.False(stale.Page.TryGet(out _, out _));
        }

        Assert.Equal(bias, _cache.Bias);
        Assert.Equal(bias + 1, PageRef.Count(next.Page));
        _cache.Free(next);
    }

    [Fact]
    public void A_count_that_looks_right_while_another_holds_a_reference_is_no_reason_to_reuse()
    {
        // A get by another and a free too many by nobody: count equals bias plus the stranger's one, so the page is not whole.
        PageFragment fragment = _cache.Allocate(PageFragmentCache.MaxSharedSize);
        Page page = fragment.Page;
        Assert.True(page.TryGet(out Page stranger, out _));
        fragment.Span.Fill(9);
        _cache.Free(fragment);
        PageFragment next = _cache.Allocate(100);
        Assert.NotEqual(page.FrameNumber, next.Page.FrameNumber);
        Assert.True(stranger.IsAlive);
        Assert.Equal(-1, stranger.Span.IndexOfAnyExcept((byte)9));
        stranger.Put();
        _cache.Free(next);
    }

    [Fact]
    public void Pages_kept_back_are_reused_when_their_fragments_have_come_home()
    {
        // Ten pages used up with one fragment out on each; freed by another thread they all come back without the allocator.
        PageFragment[] fragments = [.. Enumerable.Range(0, 10).Select(_ => _cache.Allocate(PageFragmentCache.MaxSharedSize))];
        uint[] frames = [.. fragments.Select(fragment => fragment.Page.FrameNumber)];
        Assert.Equal(10, frames.Distinct().Count());
        Trial.OnThread(() => PageFragment.Free(fragments));
        long inUse = _allocator.GetStatistics().InUseFrames;
        PageFragment[] again = [.. Enumerable.Range(0, 10).Select(_ => _cache.Allocate(PageFragmentCache.MaxSharedSize))];
        Assert.Equal(frames.Order(), again.Select(fragment => fragment.Page.FrameNumber).Order());
        Assert.Equal(inUse, _allocator.GetStatistics().InUseFrames);
        Assert.All(fragments, fragment => Assert.False(fragment.IsAlive));
        _cache.Free(again);
    }

    [Fact]
    public void A_cache_keeps_back_no_more_pages_than_it_says()
    {
        PageFragment[] fragments = [.. Enumerable.Range(0, PageFragmentCache.RetainedPages + 20).Select(_ => _cache.Allocate(PageFragmentCache.MaxSharedSize))];
        _cache.Verify();

        // The oldest were let go: their one fragment is all that holds them.
        int[] counts = [.. fragments.Select(fragment => PageRef.Count(fragment.Page))];
        Assert.All(counts[..19], count => Assert.Equal(1, count));
        Assert.All(counts[19..], count => Assert.Equal(PageFragmentCache.FullBias, count));
        Assert.Equal(PageFragmentCache.RetainedPages, _cache.DrainRetained());
        _cache.Verify();
        Assert.All(fragments[..^1], fragment => Assert.Equal(1, PageRef.Count(fragment.Page)));
        _cache.Free(fragments);
    }

    [Fact]
    public void A_drain_lets_the_fragments_live_and_the_last_of_them_frees_the_page()
    {
        PageFragment a = _cache.Allocate(100);
        PageFragment b = _cache.Allocate(100);
        a.Span.Fill(1);
        b.Span.Fill(2);
        Page page = a.Page;
        _cache.Drain();
        Assert.Equal((0, 2), (_cache.Bias, PageRef.Count(page)));
        _cache.Verify();
        _cache.Drain();
        Assert.Equal(-1, a.Span.IndexOfAnyExcept((byte)1));
        a.Free();
        Assert.Equal(-1, b.Span.IndexOfAnyExcept((byte)2));
        _cache.Free(b);
        Assert.False(page.IsAlive);
        PageFragment next = _cache.Allocate(100);
        next.Span.Fill(3);
        _cache.Refill();
        PageFragment other = _cache.Allocate(1);
        Assert.NotEqual(next.Page.FrameNumber, other.Page.FrameNumber);
        next.Free();
        other.Free();
        _cache.Drain();
    }

    [Fact]
    public void Draining_a_page_drops_what_is_left_of_many_references_and_refuses_more()
    {
        // A driver with a bias of its own: a hundred at once, forty given out, the rest drained.
        Page page = _allocator.Allocate(3);
        Page bias = page.Get(100);
        Page[] given = [.. Enumerable.Range(0, 40).Select(_ => page)];
        Assert.Throws<PageBugException>(() => PageFragmentCache.Drain(bias, 102));
        Assert.Throws<ArgumentOutOfRangeException>(() => PageFragmentCache.Drain(bias, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => PageFragmentCache.Drain(bias, -5));
        Assert.Equal(101, PageRef.Count(page));
        PageFragmentCache.Drain(bias, 60);
        Assert.Equal(41, PageRef.Count(page));
        _allocator.Free(given);
        Assert.Equal(1, PageRef.Count(page));
        PageFragmentCache.Drain(page.Frame(7), 1);
        Assert.False(page.IsAlive);
        Assert.Throws<PageBugException>(() => PageFragmentCache.Drain(page, 1));
    }

    [Fact]
    public void A_lease_frees_once_and_a_detached_one_never()
    {
        PageFragment fragment = _cache.Allocate(100);
        PageFragment whole = _cache.Allocate(100_000);
        int bias = _cache.Bias;
        int count = PageRef.Count(fragment.Page);
        FragmentLease lease = fragment.Lease();
        using (lease)
        {
            lease.Span.Fill(1);
            Assert.Equal(fragment, lease.Fragment);
        }

        Assert.Equal((bias, count - 1), (_cache.Bias, PageRef.Count(fragment.Page)));
        using (FragmentLease kept = whole.Lease())
        {
            Assert.Equal(whole, kept.Detach());
        }

        Assert.True(whole.IsAlive);
        using (FragmentLease freed = whole.Lease())
        {
            freed.Span.Fill(2);
        }

        Assert.False(whole.IsAlive);
#pragma warning disable QUIRE003 // Misuse on purpose: a lease finds it when it ends.
        FragmentLease late = whole.Lease();
#pragma warning restore QUIRE003
        try
        {
            late.Dispose();
            Assert.Fail("A lease on a freed fragment was freed again.");
        }
        catch (PageBugException)
        {
            late.Dispose();
        }

        Assert.Equal(bias, _cache.Bias);
    }

    [Fact]
    public void Gets_by_others_that_the_owner_frees_do_not_raise_count_and_bias_for_ever()
    {
        PageFragment fragment = _cache.Allocate(100);
        Page page = fragment.Page;
        int most = 0;
        for (int i = 0; i < 2_500_000; i++)
        {
            _cache.Free(fragment.Get());
            if ((i & 0xFFFF) == 0)
            {
                most = Math.Max(most, PageRef.Count(page));
                Assert.Equal(PageRef.Count(page), _cache.Bias + 1);
            }
        }

        Assert.True(most > PageFragmentCache.FullBias && most <= (1 << 20) + (2 * PageFragmentCache.FullBias), $"The count reached {most}.");
        PageFragment[] many = [.. Enumerable.Range(0, 50_000).Select(_ => fragment.Get())];
        for (int i = 0; i < 40; i++)
        {
            _cache.Free(many);
            many = [.. many.Select(_ => fragment.Get())];
        }

        Assert.Equal(PageRef.Count(page), _cache.Bias + 1 + many.Length);
        _cache.Free(many);
        _cache.Free(fragment);
        _cache.Verify();
    }

    [Fact]
    public void Where_freed_memory_is_cleared_no_round_of_a_page_sees_the_one_before()
    {
        PageAllocator clearing = Trial.Allocator(8 * Trial.MiB, zeroOnFree: true);
        PageFragmentCache cache = new(clearing);
        for (int round = 0; round < 50; round++)
        {
            PageFragment fragment = cache.Allocate(10_000);
            Assert.True(fragment.Span.IndexOfAnyExcept((byte)0) == -1, $"In round {round} the bytes of an earlier one show.");
            fragment.Span.Fill(0xAB);
            cache.Free(fragment);
        }

        cache.Dispose();
        clearing.Verify();
        clearing.Dispose();
    }

    public void Dispose()
    {
        _cache.Verify();
        _cache.Dispose();
        _allocator.Verify();
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
        _allocator.Dispose();
    }
}
