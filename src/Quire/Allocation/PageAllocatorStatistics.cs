namespace Quire;

/// <summary>
/// What an allocator's memory is doing, in frames of 4 KiB: <c>Free + PerCore + Magazines + InUse + Retired == Managed</c>. Exact while nothing
/// changes; while threads work, what is between two lists may be counted on either side. What is in use is the rest of what the lists have given out;
/// <see cref="PageAllocator.Verify"/> counts it a second time, from the descriptors.
/// </summary>
public readonly record struct PageAllocatorStatistics
{
    /// <summary>Frames brought online.</summary>
    public long ManagedFrames { get; init; }

    /// <summary>Frames free on the buddy lists, decommitted ones too.</summary>
    public long BuddyFrames { get; init; }

    /// <summary>Frames free on the per-core lists.</summary>
    public long PerCoreFrames { get; init; }

    /// <summary>Frames free in the threads' magazines.</summary>
    public long MagazineFrames { get; init; }

    /// <summary>Frames that somebody holds.</summary>
    public long InUseFrames { get; init; }

    /// <summary>Frames kept out of use: their generations are used up, or they were found bad.</summary>
    public long RetiredFrames { get; init; }

    /// <summary>Free frames whose memory was given back to the system; part of the buddy frames.</summary>
    public long DecommittedFrames { get; init; }

    /// <summary>The largest order with a free block; -1 where there is none.</summary>
    public int LargestFreeOrder { get; init; }

    /// <summary>Page blocks that changed their type for an allocation (<c>mm_page_alloc_extfrag</c> with change_ownership).</summary>
    public long Claims { get; init; }

    /// <summary>Blocks taken out of another type's page block (<c>mm_page_alloc_extfrag</c> without).</summary>
    public long Steals { get; init; }

    /// <summary>All free frames, wherever they wait.</summary>
    public long FreeFrames => BuddyFrames + PerCoreFrames + MagazineFrames;

    /// <summary>Bytes brought online.</summary>
    public long ManagedBytes => ManagedFrames * PageMap.FrameSize;

    /// <summary>Bytes that somebody holds.</summary>
    public long InUseBytes => InUseFrames * PageMap.FrameSize;

    /// <summary>Bytes free.</summary>
    public long FreeBytes => FreeFrames * PageMap.FrameSize;
}
