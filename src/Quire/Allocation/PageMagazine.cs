using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// One thread's stack of free order-0 pages of one allocator, in front of the per-core lists. Taking and freeing a page here costs
/// no atomic beside the count's own.
/// </summary>
/// <remarks>
/// <para>
/// Invariant: <c>_slots[0 .. _count)</c> are pages of <see cref="Allocator"/> in state <see cref="PageState.Magazine"/> with count 0, order 0,
/// taken as unmovable: such pages never lie in a contiguous area, so isolation never has to look here.
/// </para>
/// <para>
/// The owner says that it is inside by a plain store to <c>_busy</c>, then looks whether it was revoked. Who wants the pages of
/// another thread (trim, a limit reached, a dead thread) sets <c>_revoked</c>, makes every thread pass a full fence, and
/// then waits for <c>_busy</c> to be 0. Happens before: either the owner's look comes after the fence and sees the revocation,
/// or its store of 1 came before the fence and the other side sees it and waits. So the owner pays no fence at all.
/// </para>
/// </remarks>
internal sealed unsafe class PageMagazine
{
    /// <summary>Most pages held: 256 KiB a thread and allocator.</summary>
    internal const int Capacity = 2 * PerCoreList.Batch;

    private readonly nint[] _memory = GC.AllocateArray<nint>(Capacity, pinned: true);
    private readonly nint* _slots;
    private int _busy;
    private int _revoked;
    private int _count;

    internal PageMagazine(PageAllocator allocator)
    {
        Allocator = allocator;
        _slots = (nint*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_memory));
    }

    internal PageAllocator Allocator { get; }

    /// <summary>Set by refills and drains, cleared by the trimmer: a magazine that cycles is not idle.</summary>
    internal bool Touched { get; set; }

    /// <summary>Pages held; exact while the owner is elsewhere.</summary>
    internal int Count => Volatile.Read(ref _count);

    /// <summary>Takes the page freed last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPop(out PageDescriptor* page)
    {
        Volatile.Write(ref _busy, 1);
        int count = _count;
        if (Volatile.Read(ref _revoked) == 0 && count != 0)
        {
            page = (PageDescriptor*)_slots[--count];
            _count = count;
            Volatile.Write(ref _busy, 0);
            return true;
        }

        Volatile.Write(ref _busy, 0);
        page = null;
        return false;
    }

    /// <summary>Keeps a page whose count has reached 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPush(PageDescriptor* page)
    {
        Volatile.Write(ref _busy, 1);
        int count = _count;
        if (Volatile.Read(ref _revoked) == 0 && count != Capacity)
        {
            page->Summary = PageDescriptor.PlainInMagazine;
            _slots[count] = (nint)page;
            _count = count + 1;
            Volatile.Write(ref _busy, 0);
            return true;
        }

        Volatile.Write(ref _busy, 0);
        return false;
    }

    /// <summary>Owner only. Adds pages as the coldest ones would be added: under those that are there. Returns how many fitted.</summary>
    internal int Fill(ReadOnlySpan<nint> pages)
    {
        int filled = 0;
        Touched = true;
        while (filled < pages.Length && TryPush((PageDescriptor*)pages[filled]))
        {
            filled++;
        }

        return filled;
    }

    /// <summary>Owner only. Takes out the pages freed longest ago, so that the hot ones stay.</summary>
    internal int TakeOldest(Span<nint> pages)
    {
        Touched = true;
        Volatile.Write(ref _busy, 1);
        int taken = 0;
        if (Volatile.Read(ref _revoked) == 0)
        {
            taken = Math.Min(pages.Length, _count);
            new ReadOnlySpan<nint>(_slots, taken).CopyTo(pages);
            new ReadOnlySpan<nint>(_slots + taken, _count - taken).CopyTo(new Span<nint>(_slots, Capacity));
            _count -= taken;
        }

        Volatile.Write(ref _busy, 0);
        return taken;
    }

    /// <summary>Any thread. Takes everything out; returns how many, or 0 where the owner stays inside too long (it was descheduled there).</summary>
    /// <remarks>Callers take turns: one lock of the allocator's covers all revocations.</remarks>
    internal int Revoke(Span<nint> pages)
    {
        if (Volatile.Read(ref _count) == 0)
        {
            return 0;
        }

        Atomic.StoreRelease(ref _revoked, 1);
        Atomic.FenceEveryThread();
        SpinWait spin = default;
        for (int i = 0; i < 100 && Atomic.LoadAcquire(ref _busy) != 0; i++)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        int taken = 0;
        if (Atomic.LoadAcquire(ref _busy) == 0)
        {
            taken = _count;
            new ReadOnlySpan<nint>(_slots, taken).CopyTo(pages);
            _count = 0;
        }

        // Happens before: release. The owner that sees the revocation over sees the magazine empty.
        Atomic.StoreRelease(ref _revoked, 0);
        return taken;
    }

    /// <summary>Revokes for good, so that the owner's hot path never takes from it again.</summary>
    internal void Close() => Atomic.StoreRelease(ref _revoked, 1);

    /// <summary>Owner away: every page held keeps the invariant.</summary>
    internal void Verify()
    {
        for (int i = 0; i < _count; i++)
        {
            PageDescriptor* page = (PageDescriptor*)_slots[i];
            Invariant.Holds(page->Summary == PageDescriptor.PlainInMagazine, "frame 0x{0:x} in a magazine is not plain and free", page->Frame);
            Invariant.Holds(PageRef.Count(page) == 0, "frame 0x{0:x} in a magazine has a count", page->Frame);
        }
    }
}
