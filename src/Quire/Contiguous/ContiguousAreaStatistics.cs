namespace Quire;

/// <summary>What a contiguous area is doing, in pages of 4 KiB. <c>Free + Lent + Allocated + Unusable == Pages</c>; exact while nothing changes.</summary>
public readonly record struct ContiguousAreaStatistics
{
    /// <summary>The area's size.</summary>
    public int Pages { get; init; }

    /// <summary>Pages that nobody uses.</summary>
    public int FreePages { get; init; }

    /// <summary>Pages lent to movable data.</summary>
    public int LentPages { get; init; }

    /// <summary>Pages in ranges that are allocated, or being allocated.</summary>
    public int AllocatedPages { get; init; }

    /// <summary>Pages kept out of use for good: out of generations, or found bad.</summary>
    public int UnusablePages { get; init; }

    /// <summary>The longest run of pages that are not allocated; lent ones count, since they can be moved (the kernel's <c>maxchunk</c>).</summary>
    public int LargestRun { get; init; }

    /// <summary>Allocations that succeeded, since the area was reserved.</summary>
    public long Allocations { get; init; }

    /// <summary>Allocations that failed for want of space.</summary>
    public long NoSpaceFailures { get; init; }

    /// <summary>Allocations that failed because pages would not move.</summary>
    public long BusyFailures { get; init; }

    /// <summary>Allocations that failed because there was nowhere to move pages to.</summary>
    public long NoMemoryFailures { get; init; }

    /// <summary>Pages whose data was moved away for an allocation.</summary>
    public long PagesMigrated { get; init; }

    /// <summary>Ranges that were isolated and given back, because pages in them would not move.</summary>
    public long RangesGivenBack { get; init; }

    /// <summary>How often an allocation slept for pins to end.</summary>
    public long Waits { get; init; }
}
