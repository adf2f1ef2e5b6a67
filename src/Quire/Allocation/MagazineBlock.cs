using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// One thread's stack of free order-0 pages of one allocator, in front of the per-core lists. Taking and freeing a page here costs
/// no atomic beside the count's own.
/// </summary>
/// <remarks>
/// <para>
/// Invariant: the first <c>_count</c> slots are pages of the allocator <see cref="Owner"/> in state <see cref="PageState.Magazine"/> with count 0, order 0,
/// taken as unmovable: such pages never lie in a contiguous area, so isolation never has to look here.
/// </para>
/// <para>
/// The owner says that it is inside by a plain store to <c>_busy</c>, then looks whether it was revoked. Who wants the pages of
/// another thread (trim, a limit reached, a dead thread) sets <c>_revoked</c>, makes every thread pass a full fence, and
/// then waits for <c>_busy</c> to be 0. Happens before: either the owner's look comes after the fence and sees the revocation,
/// or its store of 1 came before the fence and the other side sees it and waits. So the owner pays no fence at all.
/// </para>
/// <para>
/// A block of plain memory, found by a pointer in a thread static: that is three dependent loads fewer than an object in one, and after the locked instruction
/// of the last free each of them counts.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MagazineBlock
{
    /// <summary>Most pages held: 256 KiB a thread and allocator.</summary>
    internal const int Capacity = 2 * PerCoreList.Batch;

    /// <summary>The magazine that the thread used last; most threads use one allocator.</summary>
    [ThreadStatic]
    internal static MagazineBlock* t_current;

    private int _busy;
    private int _revoked;

    /// <summary>Whether a revocation lasts: the allocator is being disposed. Written and read under the rack's lock.</summary>
    private int _suspended;
    private int _count;

    /// <summary>The allocator's number, written once; 0 when the allocator was disposed, so that a later one with its number does not take the block for its own.</summary>
    internal int Owner;
    private fixed ulong _slots[Capacity];

    /// <summary>Pages held; exact while the owner is elsewhere.</summary>
    internal int Count => Atomic.LoadAcquire(ref _count);

    /// <summary>Takes the page freed last; null where there is none, or the magazine is being emptied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageDescriptor* Pop()
    {
        Atomic.StoreRelease(ref _busy, 1);

        // The look at the revocation comes first: a count read before it may be from before a revocation that has ended since.
        int count;
        PageDescriptor* page = null;
        if (Atomic.LoadAcquire(ref _revoked) == 0 && (count = _count) != 0)
        {
            page = (PageDescriptor*)_slots[--count];
            Atomic.Point();
            _count = count;
        }

        Atomic.StoreRelease(ref _busy, 0);
        return page;
    }

    /// <summary>Keeps a page whose count has reached 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPush(PageDescriptor* page)
    {
        Atomic.StoreRelease(ref _busy, 1);
        int count = Capacity;
        bool fits = Atomic.LoadAcquire(ref _revoked) == 0 && (count = _count) != Capacity;
        if (fits)
        {
            page->Summary = PageDescriptor.PlainInMagazine;
            _slots[count] = (ulong)page;
            Atomic.Point();
            _count = count + 1;
        }

        Atomic.StoreRelease(ref _busy, 0);
        return fits;
    }

    /// <summary>Owner only. Takes out the pages freed longest ago, so that the hot ones stay.</summary>
    internal int TakeOldest(Span<nint> pages)
    {
        Atomic.StoreRelease(ref _busy, 1);
        int taken = 0;
        if (Atomic.LoadAcquire(ref _revoked) == 0)
        {
            taken = Math.Min(pages.Length, _count);
            Span<nint> slots = Slots(_count);
            slots[..taken].CopyTo(pages);
            Atomic.Point();
            slots[taken..].CopyTo(slots);
            _count -= taken;
        }

        Atomic.StoreRelease(ref _busy, 0);
        return taken;
    }

    /// <summary>Any thread. Takes everything out; returns how many, or 0 where the owner stays inside too long (it was descheduled there).</summary>
    /// <remarks>Callers take turns: the rack's lock covers all revocations.</remarks>
    internal int Revoke(Span<nint> pages)
    {
        if (Atomic.LoadAcquire(ref _count) == 0)
        {
            return 0;
        }

        Atomic.StoreRelease(ref _revoked, 1);
        Atomic.FenceEveryThread();
        SpinWait spin = default;
        for (int i = 0; i < 100 && Atomic.LoadAcquire(ref _busy) != 0; i++)
        {
            Atomic.SpinOnce(ref spin);
        }

        int taken = 0;
        if (Atomic.LoadAcquire(ref _busy) == 0)
        {
            taken = _count;
            Slots(taken).CopyTo(pages);
            Atomic.Point();
            _count = 0;
        }

        // Happens before: release. The owner that sees the revocation over sees the magazine empty.
        Atomic.StoreRelease(ref _revoked, _suspended);
        return taken;
    }

    /// <summary>Any thread. Takes everything out and keeps the owner out until <see cref="Resume"/>; waits for as long as the owner is inside.</summary>
    internal int Suspend(Span<nint> pages)
    {
        _suspended = 1;
        Atomic.StoreRelease(ref _revoked, 1);
        Atomic.FenceEveryThread();
        SpinWait spin = default;
        while (Atomic.LoadAcquire(ref _busy) != 0)
        {
            spin.SpinOnce();
        }

        int taken = _count;
        Slots(taken).CopyTo(pages);
        _count = 0;
        return taken;
    }

    /// <summary>Ends a suspension.</summary>
    internal void Resume()
    {
        _suspended = 0;
        Atomic.StoreRelease(ref _revoked, 0);
    }

    /// <summary>Ends the magazine for good; it is suspended.</summary>
    internal void Close() => Atomic.StoreRelease(ref Owner, 0);

    /// <summary>Owner away: every page held keeps the invariant.</summary>
    internal void Verify()
    {
        foreach (nint slot in Slots(_count))
        {
            PageDescriptor* page = (PageDescriptor*)slot;
            Invariant.Holds(page->Summary == PageDescriptor.PlainInMagazine, "frame 0x{0:x} in a magazine is not plain and free", page->Frame);
            Invariant.Holds(PageRef.Count(page) == 0, "frame 0x{0:x} in a magazine has a count", page->Frame);
        }
    }

    private Span<nint> Slots(int count) => MemoryMarshal.CreateSpan(ref Unsafe.As<ulong, nint>(ref _slots[0]), count);
}
