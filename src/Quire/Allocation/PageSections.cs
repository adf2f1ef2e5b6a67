namespace Quire;

/// <summary>
/// The memory of one allocator: regions reserved from its provider, of which sections of 4 MiB come online one after another, up to the limit.
/// </summary>
/// <remarks>
/// Equation: <see cref="OnlineBytes"/> is the sum of all sections brought online, never above the limit; each region's sections are online
/// from its front. A lock, not a gate: growing maps memory and may block.
/// </remarks>
internal sealed unsafe class PageSections(PageAllocatorOptions options, long limit, ushort owner, BuddyZone zone)
{
    /// <summary>Address space asked for at once. Reserving costs nothing; a pinned array counts whole at the collector's, so it is smaller.</summary>
    private const int MappedRegion = 64 << 20;
    private const int ArrayRegion = 16 << 20;

    private readonly Lock _gate = new();
    private readonly List<Extent> _extents = [];

    private sealed record Extent(MemoryRegion Region, bool IsArea)
    {
        internal nuint Online { get; set; }
        internal List<(uint First, uint Frames)> Sections { get; } = [];
    }

    internal long OnlineBytes { get; private set; }

    /// <summary>Bytes brought online since the beginning; what went offline is not taken off.</summary>
    internal long OnlinedBytes { get; private set; }

    /// <summary>The region of an address.</summary>
    private MemoryRegion? RegionAt(byte* address)
    {
        lock (_gate)
        {
            return _extents.Find(e => address >= e.Region.Base && address < e.Region.Base + e.Region.Length)?.Region;
        }
    }

    /// <summary>Brings one more section online for a type. True where a new try may succeed, be it by another thread's doing since <paramref name="seenOnline"/> was read.</summary>
    internal bool TryGrow(MigrateType type, long seenOnline, out AllocationFailure failure)
    {
        failure = AllocationFailure.None;
        lock (_gate)
        {
            if (OnlineBytes != seenOnline)
            {
                return true;
            }

            if (OnlineBytes + PageMap.SectionSize > limit)
            {
                failure = AllocationFailure.LimitReached;
                return false;
            }

            Extent? extent = _extents.Find(e => !e.IsArea && e.Online < e.Region.Length);
            if (extent is null)
            {
                nuint bytes = (nuint)(options.Provider.Kind == RegionKind.Mapped ? MappedRegion : ArrayRegion);
                extent = Reserve(bytes, isArea: false, out failure) ?? Reserve(PageMap.SectionSize, isArea: false, out failure);
                if (extent is null)
                {
                    return false;
                }
            }

            return TryOnline(extent, PageMap.SectionSize, type, out _, out failure);
        }
    }

    /// <summary>Reserves memory in one piece and brings all of it online; returns its first frame, or 0.</summary>
    internal uint TryAddArea(long bytes, out AllocationFailure failure)
    {
        lock (_gate)
        {
            if (bytes > limit - OnlineBytes)
            {
                failure = AllocationFailure.LimitReached;
                return 0;
            }

            Extent? extent = Reserve((nuint)bytes, isArea: true, out failure);
            if (extent is null)
            {
                return 0;
            }

            if (!TryOnline(extent, (nuint)bytes, MigrateType.Contiguous, out uint first, out failure))
            {
                _extents.Remove(extent);
                extent.Region.Dispose();
            }

            return first;
        }
    }

    /// <summary>Takes an area's memory out again; all of it is the caller's, on no list, and no longer counted by the zone.</summary>
    internal void RemoveArea(uint first)
    {
        lock (_gate)
        {
            Extent extent = _extents.Single(e => e.IsArea && e.Sections[0].First == first);
            _extents.Remove(extent);
            Close(extent);
        }
    }

    /// <summary>Gives a frame's memory back to the system; it must be committed before use.</summary>
    internal bool TryDecommit(PageDescriptor* head, int order)
    {
        MemoryRegion? region = RegionAt(head->Address);
        return region is not null
            && region.TryDecommit((nuint)(head->Address - region.Base), (nuint)PageMap.FrameSize << order, out nuint released, out _)
            && released == (nuint)PageMap.FrameSize << order;
    }

    internal bool TryCommit(PageDescriptor* head, int order)
    {
        MemoryRegion? region = RegionAt(head->Address);
        return region is not null && region.TryCommit((nuint)(head->Address - region.Base), (nuint)PageMap.FrameSize << order, out _);
    }

    /// <summary>Every section's first frame and number of frames.</summary>
    internal List<(uint First, uint Frames)> All()
    {
        lock (_gate)
        {
            return [.. _extents.SelectMany(e => e.Sections)];
        }
    }

    /// <summary>
    /// Bytes in memory now; -1 where the system does not tell. Takes no lock while it counts: a section that goes offline meanwhile is left out, or, where something else is mapped
    /// there by then, counted once more.
    /// </summary>
    internal long ResidentBytes()
    {
        long resident = 0;
        foreach ((uint first, uint frames) in All())
        {
            long bytes = NativeMemoryCalls.Current?.CountResident(PageMap.Descriptor(first)->Address, (nuint)frames * PageMap.FrameSize) ?? -1;
            if (bytes < 0 && PageMap.IsKnown(first))
            {
                return -1;
            }

            resident += Math.Max(0, bytes);
        }

        return resident;
    }

    /// <summary>Releases all memory; no page of it is in use.</summary>
    internal void Dispose()
    {
        lock (_gate)
        {
            _extents.ForEach(Close);
            _extents.Clear();
        }
    }

    private void Close(Extent extent)
    {
        foreach ((uint first, uint frames) in extent.Sections)
        {
            // First, since the numbers are anybody's after the second.
            PageArrays.Remove(first, frames);
            PageMap.Offline(first, frames);
            OnlineBytes -= (long)frames * PageMap.FrameSize;
        }

        extent.Region.Dispose();
    }

    private Extent? Reserve(nuint bytes, bool isArea, out AllocationFailure failure)
    {
        MemoryRegion? region = options.Provider.TryReserve(bytes, PageMap.SectionSize, out RegionFailure reason);
        failure = region is not null ? AllocationFailure.None
            : reason == RegionFailure.BrokenPromise ? AllocationFailure.BrokenProvider
            : AllocationFailure.OutOfMemory;
        if (region is null)
        {
            return null;
        }

        // On, or explicitly off: where huge pages are the system's default, khugepaged would undo every return of single pages.
        region.AdviseHugePages(0, bytes, options.HugePages);
        Extent extent = new(region, isArea);
        _extents.Add(extent);
        return extent;
    }

    private bool TryOnline(Extent extent, nuint bytes, MigrateType type, out uint first, out AllocationFailure failure)
    {
        MemoryRegion region = extent.Region;
        first = 0;
        failure = AllocationFailure.OutOfMemory;
        if (!region.TryCommit(extent.Online, bytes, out _))
        {
            return false;
        }

        uint frames = (uint)(bytes >> PageMap.FrameShift);
        first = PageMap.Online(region.Base + extent.Online, frames, owner);
        if (first == 0)
        {
            return false;
        }

        PageFlags flags = options.ZeroOnFree ? PageFlags.ZeroOnFree : PageFlags.None;
        for (uint i = 0; i < frames; i++)
        {
            PageMap.Descriptor(first + i)->Flags = flags;
        }

        if (region.Array is { } array)
        {
            PageArrays.Add(first, frames, array);
        }

        extent.Sections.Add((first, frames));
        extent.Online += bytes;
        OnlineBytes += (long)bytes;
        OnlinedBytes += (long)bytes;
        zone.Gate.Enter();
        zone.AddSection(first, frames, type);
        zone.Gate.Exit();
        failure = AllocationFailure.None;
        return true;
    }
}
