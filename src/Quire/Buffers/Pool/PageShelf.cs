namespace Quire;

/// <summary>Pages of 8 to 64 KiB that came back to a pool, kept whole for the next rent: the buddy lists, which every such page passes otherwise, would touch all of its descriptors, twice.</summary>
/// <remarks>
/// <para>
/// Invariant: a page on the shelf is in use with one reference, which is the shelf's, and at a generation that no handle has: it came here through a freeze with the exact count, as a fragment page that is
/// reused in place, so nobody else had a reference, and all handles to it are stale.
/// </para>
/// <para>
/// Bounded: <see cref="MostPages"/> pages an order, 3.75 MiB. The allocator counts them as in use, and has them back when it asks: all of them before an allocation fails or a trim, and at each
/// interval of its timer if nothing was put or taken since the last. Not used while the ledger is on, nor where memory is cleared when it is freed.
/// </para>
/// </remarks>
internal sealed unsafe class PageShelf
{
    /// <summary>The largest order kept: 4, that is 64 KiB.</summary>
    internal const int MostOrder = 4;

    /// <summary>Pages kept of each order.</summary>
    internal const int MostPages = 32;

    private readonly PageAllocator _allocator;
    private readonly Action<bool> _reclaim;
    private readonly nint[] _pages = new nint[MostOrder * MostPages];
    private readonly int[] _counts = new int[MostOrder];
    private SpinGate _gate;
    private bool _touched;

    internal PageShelf(PageAllocator allocator)
    {
        _allocator = allocator;
        _reclaim = Reclaim;
        allocator.AddReclaimer(_reclaim);
    }

    /// <summary>A page with one reference, which is the caller's from here on; null where there is none.</summary>
    /// <param name="order">1 to <see cref="MostOrder"/>.</param>
    internal PageDescriptor* TryTake(int order)
    {
        if (Volatile.Read(ref _counts[order - 1]) == 0)
        {
            return null;
        }

        PageDescriptor* page = null;
        _gate.Enter();
        int count = _counts[order - 1];
        if (count != 0)
        {
            page = (PageDescriptor*)_pages[((order - 1) * MostPages) + --count];
            _counts[order - 1] = count;
            _touched = true;
        }

        _gate.Exit();
        return page;
    }

    /// <summary>Keeps a page whose last reference the caller drops by this. False, with nothing changed, where it is not the last, or there is no room.</summary>
    internal bool TryKeep(PageDescriptor* head)
    {
        int order = head->Order;
        if (order is 0 or > MostOrder || Volatile.Read(ref _counts[order - 1]) == MostPages || head->RawRecords != 0
            || PageRef.Count(head) != 1 || !PageRef.Freeze(head, 1, origin: 0))
        {
            return false;
        }

        if (!PagePreparation.TryEndGeneration(head))
        {
            // Its generations are used up: the allocator retires it.
            PageRef.Unfreeze(head, 0, origin: 0);
            _allocator.Release(head, PageTemperature.Cold, origin: 0);
            return true;
        }

        PageRef.Unfreeze(head, 1, origin: 0);
        _gate.Enter();
        int count = _counts[order - 1];
        bool kept = count != MostPages;
        if (kept)
        {
            _pages[((order - 1) * MostPages) + count] = (nint)head;
            _counts[order - 1] = count + 1;
            _touched = true;
        }

        _gate.Exit();
        if (!kept)
        {
            new Page(head->Identity).Put();
        }

        return true;
    }

    /// <summary>Gives all pages back.</summary>
    internal void Drain()
    {
        Span<nint> batch = stackalloc nint[MostPages];
        for (int order = 1; order <= MostOrder; order++)
        {
            _gate.Enter();
            int count = _counts[order - 1];
            _pages.AsSpan((order - 1) * MostPages, count).CopyTo(batch);
            _counts[order - 1] = 0;
            _gate.Exit();

            // Outside the gate: a free may go far.
            foreach (nint page in batch[..count])
            {
                new Page(((PageDescriptor*)page)->Identity).Put();
            }
        }
    }

    /// <summary>The same for good.</summary>
    internal void Close()
    {
        _allocator.RemoveReclaimer(_reclaim);
        Drain();
    }

    /// <summary>No thread may be renting or disposing.</summary>
    internal void Verify()
    {
        for (int order = 1; order <= MostOrder; order++)
        {
            foreach (nint entry in _pages.AsSpan((order - 1) * MostPages, _counts[order - 1]))
            {
                PageDescriptor* page = (PageDescriptor*)entry;
                Invariant.Holds(page->State == PageState.InUse && page->Order == order, "page 0x{0:x} on a pool's shelf is not in use, or of another order", page->Frame);
                Invariant.Holds(PageRef.Count(page) >= 1, "page 0x{0:x} on a pool's shelf has lost the shelf's reference", page->Frame);
            }
        }
    }

    private void Reclaim(bool all)
    {
        if (all || !_touched)
        {
            Drain();
        }

        _touched = false;
    }
}
