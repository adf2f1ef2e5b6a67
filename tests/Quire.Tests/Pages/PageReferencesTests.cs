using Xunit;

namespace Quire.Tests.Pages;

/// <summary>The three gets, kept apart, and the puts.</summary>
public sealed unsafe class PageReferencesTests : IDisposable
{
    private readonly PageAllocator _allocator = Trial.Allocator(limit: 8 * Trial.MiB);

    [Fact]
    public void A_get_through_a_tail_counts_on_the_head()
    {
        Page page = _allocator.Allocate(order: 3);
        Page tail = page.Frame(5);
        Assert.True(tail.IsTail);
        Assert.False(page.IsTail);
        Assert.Equal(page, tail.Head);
        Page reference = tail.Get();
        Assert.Equal(2, PageRef.Count(page));
        Assert.Equal(tail, reference);
        page.Put();
        Assert.True(page.IsAlive);
        reference.Put();
        Assert.False(page.IsAlive);
        Assert.False(tail.IsAlive);
    }

    [Fact]
    public void Many_references_are_taken_and_dropped_at_once_through_a_tail()
    {
        Page page = _allocator.Allocate(order: 10);
        Page many = page.Frame(1023).Get(1_000_000);
        Assert.Equal(1_000_001, PageRef.Count(page));
        many.Put(999_999);
        many.Put(1);
        Assert.Equal(1, PageRef.Count(page));
        Assert.Throws<PageBugException>(() => many.Put(2));
        Assert.Equal(1, PageRef.Count(page));
        Assert.Throws<ArgumentOutOfRangeException>(() => many.Put(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => many.Put(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => page.Get(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => page.Get(int.MinValue));
        page.Put();
    }

    [Fact]
    public void A_bounded_get_refuses_at_half_the_range_and_a_plain_get_at_its_end()
    {
        Page page = _allocator.Allocate();
        Page some = page.Get(PageRef.Bound - 2);
        Assert.True(page.TryGetBounded(out Page last));
        Assert.Equal(PageRef.Bound, PageRef.Count(page));
        Assert.False(page.TryGetBounded(out Page none));
        Assert.Equal(default, none);
        Assert.False(page.TryGet(out _, out PageGetFailure failure));
        Assert.Equal(PageGetFailure.NearOverflow, failure);
        Assert.Equal(PageRef.Bound, PageRef.Count(page));

        Page more = page.Get(int.MaxValue - PageRef.Bound);
        Assert.Equal(int.MaxValue, PageRef.Count(page));
        Assert.Throws<PageBugException>(() => page.Get());
        Assert.Throws<PageBugException>(() => page.Get(int.MaxValue));
        Assert.False(page.TryGet(out _, out _));
        Assert.Equal(int.MaxValue, PageRef.Count(page));
        more.Put(int.MaxValue - PageRef.Bound);
        some.Put(PageRef.Bound - 2);
        last.Put();
        page.Put();
    }

    [Fact]
    public void A_frozen_page_refuses_every_get_and_put_and_is_told_from_a_freed_one()
    {
        Page page = _allocator.Allocate(order: 1);
        PageDescriptor* head = Trial.Head(page);
        Assert.False(PageRef.Freeze(head, 2, origin: 0));
        Assert.True(PageRef.Freeze(head, 1, origin: 0));
        Assert.False(PageRef.Freeze(head, 1, origin: 0));
        foreach (int frame in (int[])[0, 1])
        {
            Page handle = page.Frame(frame);
            Assert.False(handle.TryGet(out Page none, out PageGetFailure failure));
            Assert.Equal(PageGetFailure.Frozen, failure);
            Assert.Equal(default, none);
            Assert.Throws<PageBugException>(() => handle.Get());
            Assert.Throws<PageBugException>(() => handle.Get(3));
            Assert.Throws<PageBugException>(() => handle.TryGetBounded(out _));
            Assert.Throws<PageBugException>(() => handle.Put());
            Assert.Throws<PageBugException>(() => _allocator.Free(handle));
            Assert.Equal(0, PageRef.Count(handle));
            Assert.Contains("frozen", handle.Dump(), StringComparison.Ordinal);
        }

        Assert.Throws<PageBugException>(() => _allocator.FreeUnreferenced(page));
        _allocator.Verify();
        PageRef.Unfreeze(head, 1, origin: 0);
        Assert.Throws<PageBugException>(() => PageRef.Unfreeze(head, 1, origin: 0));
        page.Put();
        Assert.False(page.TryGet(out _, out PageGetFailure freed));
        Assert.Equal(PageGetFailure.Freed, freed);
    }

    [Fact]
    public void A_handle_to_a_freed_page_is_found_by_every_call()
    {
        foreach (int order in (int[])[0, 2])
        {
            Page page = _allocator.Allocate(order);
            Page tail = page.Frame((1 << order) - 1);
            page.Put();
            foreach (Page stale in (Page[])[page, tail])
            {
                AssertStale(stale);
            }

            // The frame's next life: still stale.
            Page next = _allocator.Allocate(order);
            AssertStale(page);
            AssertStale(tail);
            Assert.Equal(1, PageRef.Count(next));
            next.Put();
        }

        _allocator.Verify();
    }

    [Fact]
    public void A_handle_may_be_replaced_by_the_reference_that_it_leads_to()
    {
        Page page = _allocator.Allocate(order: 1);
        Page handle = page.Frame(1);
        Assert.True(handle.TryGet(out handle, out _));
        Assert.True(handle.TryGetBounded(out handle));
        handle = handle.Get();
        Assert.Equal(page.Frame(1), handle);
        Assert.Equal(4, PageRef.Count(page));
        handle.Put(4);
        Assert.False(handle.TryGet(out handle, out _));
        Assert.Equal(default, handle);
    }

    [Fact]
    public void A_page_brought_to_zero_by_its_count_is_freed_by_whoever_did_it()
    {
        Page page = _allocator.Allocate(order: 1);
        Assert.Throws<PageBugException>(() => _allocator.FreeUnreferenced(page));
        Assert.True(PageRef.DecAndTest(page.Frame(1)));
        Assert.False(page.TryGet(out _, out _));
        _allocator.FreeUnreferenced(page.Frame(1));
        Assert.False(page.IsAlive);
        Assert.Throws<PageBugException>(() => _allocator.FreeUnreferenced(page));
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
    }

    [Fact]
    public void Foreign_addresses_and_numbers_are_no_pages()
    {
        int local = 0;
        Assert.False(Page.TryFromAddress(&local, out Page page));
        Assert.Equal(default, page);
        fixed (byte* heap = new byte[64])
        {
            Assert.False(Page.TryFromAddress(heap, out _));
        }

        ulong[] made = [0, 1, 4095, 0x7FFF_FFFF_F000, 0x0000_8000_0000_0000, ulong.MaxValue, 0xFFFF_8000_0000_0000, 1 << 22];
        foreach (ulong address in made)
        {
            Assert.False(Page.TryFromAddress((void*)address, out _));
        }

        foreach (uint frame in (uint[])[0, 1, PageMap.SectionFrames - 1, PageIdentity.FrameMask, PageIdentity.FrameMask + 1, uint.MaxValue])
        {
            Assert.False(Page.TryFromFrame(frame, out _));
        }
    }

    [Fact]
    public void An_address_leads_to_its_page_while_that_is_in_use()
    {
        foreach (int order in (int[])[0, 3, 10])
        {
            Page page = _allocator.Allocate(order);
            byte* first = page.Address;
            Assert.Equal((nuint)0, (nuint)first % (nuint)(Trial.Frame << Math.Min(order, 10)));
            for (int offset = 0; offset < page.Length; offset += Math.Max(1, page.Length / 13))
            {
                Assert.True(Page.TryFromAddress(first + offset, out Page found));
                Assert.Equal(page.Frame(offset / Trial.Frame), found);
                Assert.Equal(page, found.Head);
                Assert.True(found.TryGet(out Page reference, out _));
                Assert.Equal(2, PageRef.Count(page));
                reference.Put();
                Assert.True(found.Address == first + (offset / Trial.Frame * Trial.Frame));
                Assert.Equal(page.Length - (offset / Trial.Frame * Trial.Frame), found.Span.Length);
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => page.Frame(1 << order));
            Assert.Throws<ArgumentOutOfRangeException>(() => page.Frame(-1));
            page.Put();
            Assert.False(Page.TryFromAddress(first, out _));
            Assert.False(Page.TryFromFrame(page.FrameNumber, out _));
        }
    }

    public void Dispose()
    {
        _allocator.Verify();
        _allocator.Dispose();
    }

    internal static void AssertStale(Page stale)
    {
        Assert.False(stale.IsAlive);
        Assert.False(stale.TryGet(out _, out PageGetFailure failure));
        Assert.Equal(PageGetFailure.Freed, failure);
        Assert.Throws<PageBugException>(() => stale.Get());
        Assert.Throws<PageBugException>(() => stale.Get(2));
        Assert.Throws<PageBugException>(() => stale.TryGetBounded(out _));
        Assert.Throws<PageBugException>(() => stale.Put());
        Assert.Throws<PageBugException>(() => stale.Put(2));
        Assert.Throws<PageBugException>(() => stale.Span.Length);
        Assert.Throws<PageBugException>(() => (nint)stale.Address);
        Assert.Throws<PageBugException>(() => stale.Length);
        Assert.Throws<PageBugException>(() => stale.Order);
        Assert.Throws<PageBugException>(() => stale.IsTail);
        Assert.Throws<PageBugException>(() => stale.Head);
        Assert.Throws<PageBugException>(() => stale.Frame(0));
        Assert.Throws<PageBugException>(() => PageRef.Count(stale));
        Assert.Throws<PageBugException>(() => PageRef.Inc(stale));
        Assert.Throws<PageBugException>(() => PageRef.DecAndTest(stale));
        Assert.False(PageRef.AddUnless(stale, 1, 0));
        Assert.Throws<PageBugException>(() => Holders.Of(stale));
        Assert.NotEmpty(stale.Dump());
    }
}
