using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// Memory in one piece, reserved once, lent to movable pages, and taken back in ranges by moving them away (the kernel's <c>struct cma</c>).
/// </summary>
/// <remarks>
/// <para>
/// The promise: an allocation that fits succeeds in the end, if holders keep the rules (see <see cref="MovablePage"/>). Short pins end, and the
/// allocation waits for them, up to its deadline, woken by the unpin; new pins on the pages it needs wait for it; long-term pins leave the area before they begin. When
/// the deadline passes, the answer names every page that would not move, with all its holders: file, line, member, thread and age.
/// </para>
/// <para>
/// Equation, per frame of the map: free (lent, or nobody's), claimed by one attempt, allocated, or unusable. A page block is isolated exactly while
/// at least one attempt has a part of it in its range.
/// </para>
/// <para>All methods may be called on any thread; none of them is a hot path, unlike the pins.</para>
/// </remarks>
public sealed unsafe partial class ContiguousArea : IDisposable
{
    private readonly uint _first;
    private readonly int[] _isolations;
    private bool _closed;

    private ContiguousArea(PageAllocator allocator, string name, uint first, int pages)
    {
        Allocator = allocator;
        Name = name;
        Pages = pages;
        _first = first;
        _use = new FrameUse[pages];
        _isolations = new int[pages / BuddyZone.BlockFrames];
    }

    /// <summary>1 s: how long an allocation waits for pins where no deadline is given.</summary>
    public static TimeSpan DefaultDeadline { get; } = TimeSpan.FromSeconds(1);

    /// <summary>The name shown in errors.</summary>
    public string Name { get; }

    /// <summary>Size in pages of 4 KiB.</summary>
    public int Pages { get; }

    /// <summary>Size in bytes.</summary>
    public long Bytes => (long)Pages << PageMap.FrameShift;

    /// <summary>Number of the area's first frame.</summary>
    public uint FirstFrame => _first;

    /// <summary>Whose memory it is.</summary>
    public PageAllocator Allocator { get; }

    /// <summary>Reserves an area and lends it out (<c>cma_declare_contiguous</c>).</summary>
    /// <param name="allocator">It counts against this allocator's limit, and pages move to this allocator's other memory.</param>
    /// <param name="bytes">Size, rounded up to a multiple of 4 MiB.</param>
    /// <param name="name">For errors.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bytes"/> is not positive, or more than any area can have.</exception>
    /// <exception cref="PageLimitException">The allocator's limit does not allow it.</exception>
    /// <exception cref="PageOutOfMemoryException">The system has no such piece.</exception>
    /// <exception cref="ObjectDisposedException">The allocator was disposed.</exception>
    public static ContiguousArea Reserve(PageAllocator allocator, long bytes, string name)
    {
        ArgumentNullException.ThrowIfNull(allocator);
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, (long)PageIdentity.FrameMask << PageMap.FrameShift);
        allocator.ThrowIfGone();
        long whole = (bytes + PageMap.SectionSize - 1) / PageMap.SectionSize * PageMap.SectionSize;
        uint first = allocator.Sections.TryAddArea(whole, out AllocationFailure failure);
        return first != 0
            ? ContiguousAreas.Add(new ContiguousArea(allocator, name, first, (int)(whole >> PageMap.FrameShift)))
            : throw PageAllocationException.For(
                failure,
                $"No contiguous area '{name}' of {whole} bytes from allocator '{allocator.Name}': {failure}. It manages {allocator.GetStatistics().ManagedBytes} of at most {allocator.LimitBytes} bytes.");
    }

    /// <summary>Takes a range (<c>cma_alloc</c>).</summary>
    /// <param name="pages">Pages of 4 KiB.</param>
    /// <param name="alignment">The range's address is a multiple of this many pages; a power of two.</param>
    /// <param name="deadline">How long to wait for pins: <see cref="DefaultDeadline"/> if null, <see cref="TimeSpan.Zero"/> not at all, <see cref="Timeout.InfiniteTimeSpan"/> for ever.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The range; its bytes are whatever was there, or zero with <see cref="PageAllocatorOptions.ZeroOnFree"/>.</returns>
    /// <exception cref="ContiguousNoSpaceException">No free run is long enough; nothing was tried.</exception>
    /// <exception cref="ContiguousBusyException">
    /// Pages would not move until the deadline; or the calling thread alone holds one in every range, by references that are all on record (pins always are): told at once, on a thread of the pool
    /// after <see cref="MovablePage.ShortPinBound"/>, since a pin that it took may be ended by another after an <c>await</c>.
    /// </exception>
    /// <exception cref="ContiguousNoMemoryException">There is no other memory to move pages to.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The area or its allocator was disposed.</exception>
    /// <exception cref="ThreadInterruptedException">The thread was interrupted while it waited. The area is as before, whatever exception ends the call.</exception>
    public ContiguousRange Allocate(int pages, int alignment = 1, TimeSpan? deadline = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        TryAllocate(pages, out ContiguousRange range, out ContiguousFailure? failure, alignment, deadline, file, line, member)
            ? range
            : throw ContiguousAllocationException.For(failure!);

    /// <summary>A movable page of this area's allocator: lent from an area, if one has room.</summary>
    /// <inheritdoc cref="MovablePage.Allocate" path="/exception"/>
    public MovablePage AllocateMovable([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        MovablePage.Allocate(Allocator, file, line, member);

    /// <summary>Gives a range back; it is lent again (<c>cma_release</c>).</summary>
    /// <exception cref="PageBugException">It was released before; the message names both places. Or the handle is torn. Nothing was changed.</exception>
    /// <exception cref="ArgumentException">The range was never allocated, or belongs to another area.</exception>
    public void Release(ContiguousRange range, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (!ReferenceEquals(range.Area, this))
        {
            throw new ArgumentException(
                range.Area is null
                    ? $"Release to area '{Name}' of a range that was never allocated: the handle is default."
                    : $"Release to area '{Name}' of {range}, which belongs to area '{range.Area.Name}'.",
                nameof(range));
        }

        int start = (int)(range.FirstFrame - _first);
        Allocated allocated;
        bool isHere;
        lock (_gate)
        {
            isHere = _ranges.TryGetValue(start, out allocated) && allocated.Identity == range.Identity;
            if (isHere && allocated.Pages == range.Pages)
            {
                // Happens before: of two releases one finds the range here, and it is that one's from here on.
                _ranges.Remove(start);
            }
        }

        // With no lock held: who listens for misuses is told, and may want the area.
        if (!isHere || allocated.Pages != range.Pages)
        {
            string operation = $"Release at {new CallSite(file, line, member)}";
            throw isHere ? range.Torn(operation, allocated.Pages) : range.Stale(operation);
        }

        uint origin = Origin.Whole(file, line, member);
        Ledger.Release(allocated.Ticket, range.Identity, 1, origin);
        GiveBack(start, range.Pages);
        if (Tracking.Recording)
        {
            ContiguousEvents.Released(Name, _first + (uint)start, range.Pages, origin);
        }
    }

    /// <summary>Checks the area's equations and those of the allocator's movable pages. No thread may be using either.</summary>
    /// <exception cref="InvalidOperationException">An equation does not hold; the message says which and where.</exception>
    public void Verify()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        lock (_gate)
        {
            VerifyMap();
        }

        MovableTable.Verify(Allocator.Id);
    }

    /// <summary>Moves all lent pages away and gives the memory back to the system.</summary>
    /// <exception cref="PagesStillHeldException">Ranges are allocated; the message names who has them. The area stands as before.</exception>
    /// <exception cref="ContiguousBusyException">
    /// Lent pages would not move within <see cref="DefaultDeadline"/>, or an allocation of another thread waited longer; the message names the pages' holders. The area stands as before.
    /// </exception>
    /// <exception cref="ThreadInterruptedException">The thread was interrupted while it waited. The area stands as before.</exception>
    /// <exception cref="ContiguousNoMemoryException">There is no other memory to move lent pages to. The area stands as before.</exception>
    public void Dispose()
    {
        long began = Stopwatch.GetTimestamp();
        Deadline until = Deadline.In(DefaultDeadline);
        lock (_gate)
        {
            // An allocator that is gone has taken the area's memory with it.
            if (_closed || Allocator.IsDisposed)
            {
                _closed = true;
                return;
            }

            if (_ranges.Count != 0)
            {
                throw StillHeld();
            }

            CloseAndClaim(began, until);
        }

        Remove(began, until);
    }

    /// <summary>With the map's gate held: waits for the allocations that are under way, and lets no other begin. Where that fails, the area is open as before.</summary>
    private void CloseAndClaim(long began, Deadline until)
    {
        bool isClaimed = false;
        _closed = true;
        try
        {
            while (Array.IndexOf(_use, FrameUse.Claimed) >= 0)
            {
                if (until.IsOver)
                {
                    throw new ContiguousBusyException(
                        $"Area '{Name}' can't be disposed: an allocation is under way in it. ",
                        new ContiguousFailure { Kind = ContiguousFailureKind.Busy, Area = Name, Pages = Pages, Duration = Stopwatch.GetElapsedTime(began), BusyPages = BusyNow() });
                }

                Monitor.Wait(_gate, until.LeftMilliseconds);
            }

            if (_ranges.Count != 0)
            {
                throw StillHeld();
            }

            Array.Fill(_use, FrameUse.Claimed);
            isClaimed = true;
        }
        finally
        {
            _closed = isClaimed;
        }
    }

    /// <summary>All pages of the area that could not be moved at this moment.</summary>
    private List<BusyPage> BusyNow() =>
        BusyPages.Of(
            Enumerable.Range((int)_first, Pages).Select(static frame => (uint)frame).Where(static frame => BusyPages.IsBusy(PageMap.Descriptor(frame))),
            Ledger.CurrentThread);

    private PagesStillHeldException StillHeld()
    {
        List<Holder> holders = [.. _ranges.Values.Select(static allocated => Ledger.Find(allocated.Ticket)).OfType<Holder>()];
        long bytes = (long)_ranges.Values.Sum(static allocated => (long)allocated.Pages) << PageMap.FrameShift;
        return PagesStillHeldException.For(
            $"Area '{Name}' can't be disposed: {HolderTable.Count(_ranges.Count, "range")} ({HolderTable.Size(bytes)}) are allocated.{Environment.NewLine}{new HolderTable(holders)}",
            holders,
            bytes);
    }
}
