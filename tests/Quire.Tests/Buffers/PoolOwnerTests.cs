using System.Buffers;
using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Owners: slices, read-only views, pins, arrays, and the way back from memory to its page.</summary>
public sealed unsafe class PoolOwnerTests : IDisposable
{
    private readonly QuireMemoryPool _pool = PoolTrial.Pool(name: nameof(PoolOwnerTests));

    public void Dispose() => _pool.End();

    [Theory]
    [InlineData(500)]
    [InlineData(4096)]
    [InlineData(200_000)]
    public void A_slice_is_exact_has_a_reference_of_its_own_and_outlives_its_owner(int size)
    {
        PageMemory owner = _pool.Rent(size);
        Page page = owner.Page;
        for (int i = 0; i < size; i++)
        {
            owner.Span[i] = (byte)i;
        }

        int before = PageRef.Count(page);
        PageMemory slice = owner.Slice(100, 57);
        PageMemory end = slice.Slice(50, 7);
        PageMemory nothing = owner.Slice(size, 0);
        Assert.Equal(before + 3, PageRef.Count(page));
        Assert.Equal((57, 7, 0), (slice.Length, end.Length, nothing.Length));
        Assert.Equal(4, _pool.GetStatistics().RentedOwners);
        Assert.Equal(size + 57 + 7, _pool.GetStatistics().RentedBytes);
        owner.Dispose();
        nothing.Dispose();
        slice.Dispose();
        Assert.True(page.IsAlive);
        Assert.Equal((byte)150, end.Span[0]);
        end.Span[6] = 1;
        Assert.Equal(1, end.Memory.Span[6]);
        end.Dispose();
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(0, 101)]
    [InlineData(101, 0)]
    [InlineData(50, 51)]
    [InlineData(1, int.MaxValue)]
    [InlineData(int.MaxValue, int.MaxValue)]
    [InlineData(0, -1)]
    [InlineData(int.MinValue, int.MinValue)]
    public void A_slice_outside_is_refused_and_takes_nothing(int start, int length)
    {
        using PageMemory owner = _pool.Rent(100);
        int before = PageRef.Count(owner.Page);
        Assert.Throws<ArgumentOutOfRangeException>(() => owner.Slice(start, length));
        Assert.Throws<ArgumentOutOfRangeException>(() => owner.SliceReadOnly(start, length));
        Assert.Equal(before, PageRef.Count(owner.Page));
        Assert.Equal(1, _pool.GetStatistics().RentedOwners);
    }

    [Fact]
    public void A_read_only_view_owns_a_reference_and_can_be_sliced()
    {
        PageMemory owner = _pool.Rent(10);
        "0123456789"u8.CopyTo(owner.Span);
        ReadOnlyPageMemory all = owner.AsReadOnly();
        ReadOnlyPageMemory part = all.Slice(3, 4);
        ReadOnlyPageMemory other = owner.SliceReadOnly(8, 2);
        Page page = owner.Page;
        owner.Dispose();
        Assert.Equal("0123456789"u8, all.Span);
        Assert.Equal("3456"u8, part.Memory.Span);
        Assert.Equal((4, 2, page), (part.Length, other.Length, other.Page));
        Assert.True(part.Equals((object)part) && part != all && part.GetHashCode() != all.GetHashCode());
        all.Dispose();
        using (other)
        {
            part.Dispose();
        }

        Assert.Throws<PageBugException>(() => part.Dispose());
    }

    [Fact]
    public void A_default_read_only_view_is_empty_and_may_be_disposed()
    {
        ReadOnlyPageMemory nothing = default;
        Assert.Equal((0, 0, true), (nothing.Length, nothing.Memory.Length, nothing.Span.IsEmpty));
        Assert.Equal(default, nothing.Page);
        using ReadOnlyPageMemory part = nothing.Slice(0, 0);
        Assert.Equal(nothing, part);
        Assert.Throws<ArgumentOutOfRangeException>(() => nothing.Slice(0, 1));
        nothing.Dispose();
        nothing.Touch();
        nothing.Transfer();
    }

    [Theory]
    [InlineData(500)]
    [InlineData(4096)]
    [InlineData(40_000)]
    public void A_pin_keeps_the_bytes_when_the_owner_is_disposed(int size)
    {
        PageMemory owner = _pool.Rent(size);
        Page page = owner.Page;
        int before = PageRef.Count(page);
        owner.Span.Fill(7);
        MemoryHandle pin = owner.Memory[3..].Pin();
        MemoryHandle second = owner.Pin(size);
        Assert.Equal(before + 2, PageRef.Count(page));
        Assert.Equal((1L, 2L), (_pool.GetStatistics().RentedOwners, _pool.GetStatistics().Pins));
        fixed (byte* first = owner.Span)
        {
            Assert.Equal((nint)first + 3, (nint)pin.Pointer);
            Assert.Equal((nint)first + size, (nint)second.Pointer);
        }

        owner.Dispose();
        second.Dispose();
        Assert.True(page.IsAlive);

        // Whoever rents now gets other bytes.
        using (PageMemory other = _pool.Rent(size))
        {
            other.Span.Fill(9);
            Assert.Equal(7, *(byte*)pin.Pointer);
        }

        Assert.Equal((0L, 1L), (_pool.GetStatistics().RentedOwners, _pool.GetStatistics().Pins));
        pin.Dispose();
        pin.Dispose();
        Assert.Equal(0, _pool.GetStatistics().Pins);
    }

    [Fact]
    public void A_pin_outside_and_an_unpin_of_no_pin_are_refused()
    {
        using PageMemory owner = _pool.Rent(100);
        Assert.Throws<ArgumentOutOfRangeException>(() => owner.Pin(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => owner.Pin(101));
        PageBugException thrown = Assert.Throws<PageBugException>(() => owner.Unpin());
        Assert.Contains("it is no pin", thrown.Message, StringComparison.Ordinal);
        Assert.Equal(100, owner.Length);
        Assert.Equal(0, _pool.GetStatistics().Pins);
    }

    [Fact]
    public void Pinned_arrays_give_their_array_in_whatever_section_and_order_and_mapped_memory_gives_none()
    {
        QuireMemoryPool pinned = PoolTrial.Pool(provider: RegionProvider.PinnedArrays, limit: 40 * Trial.MiB);
        List<PageMemory> owners = [];
        Random random = new(4);
        foreach (int size in (int[])[100, 4096, 10_000, 4 << 20, 3 << 20, 4096, 1 << 20, 2048, 4 << 20])
        {
            PageMemory owner = pinned.Rent(size);
            random.NextBytes(owner.Span);
            owners.Add(owner);
            PageMemory slice = owner.Slice(size / 3, size / 2);
            Assert.True(MemoryMarshal.TryGetArray((ReadOnlyMemory<byte>)slice.Memory[1..], out ArraySegment<byte> part));
            Assert.Equal((size / 2) - 1, part.Count);
            Assert.True(part.AsSpan().Overlaps(owner.Span, out int offset) && offset == -((size / 3) + 1));
            slice.Dispose();
        }

        foreach (PageMemory owner in owners)
        {
            Assert.True(MemoryMarshal.TryGetArray((ReadOnlyMemory<byte>)owner.Memory, out ArraySegment<byte> segment));
            Assert.Equal(owner.Length, segment.Count);
            Assert.True(segment.AsSpan() == owner.Span, "The segment is elsewhere than the bytes.");
            owner.Dispose();
        }

        // The arrays go with the pool; a mapped pool may get the same frame numbers.
        pinned.End();
        using PageMemory mapped = _pool.Rent(4096);
        Assert.False(MemoryMarshal.TryGetArray((ReadOnlyMemory<byte>)mapped.Memory, out _));
    }

    [Fact]
    public void Frame_numbers_that_had_an_array_and_are_mapped_memory_now_give_none()
    {
        for (int i = 0; i < 20; i++)
        {
            bool arrays = i % 2 == 0;
            QuireMemoryPool pool = PoolTrial.Pool(provider: arrays ? RegionProvider.PinnedArrays : RegionProvider.Mapped);
            PageMemory owner = pool.Rent(4 << 20);
            Assert.Equal(arrays, MemoryMarshal.TryGetArray((ReadOnlyMemory<byte>)owner.Memory, out _));
            owner.Dispose();
            pool.End();
        }
    }

    [Fact]
    public void The_owner_and_the_page_are_found_from_any_piece_of_memory()
    {
        using PageMemory owner = _pool.Rent(5000);
        ReadOnlyMemory<byte> piece = owner.Memory.Slice(100, 20);
        Assert.True(PageMemory.TryGetOwner(piece, out PageMemory? found, out int start, out int length));
        Assert.Same(owner, found);
        Assert.Equal((100, 20), (start, length));
        Assert.Equal(owner.Page, found.Page);
        Assert.Same(_pool, found.Pool);
        using MemoryHandle pin = owner.Pin(4500);
        Assert.True(Page.TryFromAddress(pin.Pointer, out Page page));
        Assert.Equal(page.Head, found.Page);
        Assert.False(PageMemory.TryGetOwner(new byte[3], out _, out _, out _));
        Assert.False(PageMemory.TryGetOwner(default, out _, out _, out _));
    }

    [Fact]
    public void An_owner_made_of_a_fragment_has_its_reference_and_no_pool()
    {
        using PageAllocator allocator = Trial.Allocator();
        PageFragmentCache cache = new(allocator);
        foreach (int size in (int[])[1, 1500, 32_768, 50_000, 4 << 20])
        {
            PageFragment fragment = cache.Allocate(size);
            fragment.Span.Fill(3);
            PageMemory owner = PageMemory.Of(fragment);
            Assert.Null(owner.Pool);
            Assert.Equal(fragment.Page, owner.Page);
            Assert.Equal(size, owner.Memory.Length);
            Assert.Equal(-1, owner.Span.IndexOfAnyExcept((byte)3));
            PageMemory slice = owner.Slice(size / 2, size - (size / 2));
            owner.Dispose();
            Assert.True(fragment.IsAlive);
            Assert.Equal(3, slice.Span[^1]);
            slice.Dispose();
        }

        Assert.Throws<PageBugException>(() => PageMemory.Of(default));
        PageFragment freed = cache.Allocate(40_000);
        freed.Free();
        Assert.Throws<PageBugException>(() => PageMemory.Of(freed));
        cache.Dispose();
        allocator.Verify();
    }

    [Fact]
    public void After_the_dispose_every_member_refuses_until_the_object_is_rented_again()
    {
        PageMemory owner = _pool.Rent(4096);
        Memory<byte> memory = owner.Memory;
        owner.Dispose();
        foreach (Action use in (Action[])[() => _ = owner.Length, () => _ = owner.Memory, () => owner.Span.Fill(1), () => owner.GetSpan().Fill(1), () => _ = owner.Page, () => _ = owner.Pool,
            () => owner.Slice(0, 0), () => owner.AsReadOnly(), () => owner.Pin(), () => memory.Span.Fill(1), () => memory.Pin(), () => MemoryMarshal.TryGetArray((ReadOnlyMemory<byte>)memory, out _),
            () => owner.Dispose(), () => ((IDisposable)owner).Dispose(), () => ((IMemoryOwner<byte>)owner).Dispose(), () => owner.Slice(0, 1)])
        {
            PageBugException thrown = Assert.Throws<PageBugException>(use);
            Assert.Contains("keep the ledger on", thrown.Message, StringComparison.Ordinal);
        }

        owner.Touch();
        owner.Transfer();
        Assert.Equal(0, _pool.GetStatistics().RentedOwners);
    }

    [Fact]
    public void The_page_of_small_rents_stays_while_they_change_pages_and_goes_back_when_none_did_for_an_interval()
    {
        _pool.Rent(256).Dispose();
        _pool.Allocator.DrainIdle();
        Assert.True(_pool.Allocator.GetStatistics().InUseFrames > 0, "a page that was new in this interval went back at its end");
        _pool.Allocator.DrainIdle();
        Assert.Equal(0, _pool.Allocator.GetStatistics().InUseFrames);
    }

    [Theory]
    [InlineData(8192, 1)]
    [InlineData(8193, 2)]
    [InlineData(65_536, 4)]
    public void A_page_of_many_frames_is_kept_for_the_next_rent_at_a_new_generation_and_goes_back_when_the_allocator_asks(int size, int order)
    {
        PageMemory first = _pool.Rent(size);
        Page page = first.Page;
        Page tail = page.Frame(1);
        PageMemory slice = first.Slice(5000, 10);
        first.Dispose();
        Assert.True(page.IsAlive);

        // The last reference was a slice's: that frees the page as ever. The next one is kept.
        slice.Dispose();
        Assert.False(page.IsAlive);
        PageMemory second = _pool.Rent(size);
        page = second.Page;
        tail = page.Frame(1);
        second.Dispose();
        Assert.False(page.IsAlive || tail.IsAlive);
        Assert.Equal(1 << order, _pool.Allocator.GetStatistics().InUseFrames);
        using (PageMemory third = _pool.Rent(size))
        {
            Assert.Equal(page.FrameNumber, third.Page.FrameNumber);
            Assert.True(third.Page.Generation > page.Generation);
            Assert.Equal((order, 1), (third.Page.Order, PageRef.Count(third.Page)));
            Assert.Throws<PageBugException>(() => page.Put());
        }

        _pool.Allocator.TrimIdle();
        Assert.Equal(1 << order, _pool.Allocator.GetStatistics().InUseFrames);
        _pool.Allocator.TrimIdle();
        Assert.Equal(0, _pool.Allocator.GetStatistics().InUseFrames);
        _pool.Allocator.Verify();
    }

    [Fact]
    public void An_object_that_two_threads_put_back_at_once_is_never_given_to_two()
    {
        // What a race of two disposes leaves behind: one object in two lists.
        PoolThread thread = new();
        PageMemory twice = new();
        thread.Keep(twice);
        thread.Keep(twice);
        PageMemory first = thread.Take();
        Assert.Same(twice, first);
        using PageMemory page = _pool.Rent(4096);
        fixed (byte* address = page.Span)
        {
            first.Start(page.Slice(0, 1).Page._identity, 0, address, 1, PageMemory.OwnerKind.Fragment, _pool);
        }

        Assert.NotSame(twice, thread.Take());
        first.Dispose();
    }
}
