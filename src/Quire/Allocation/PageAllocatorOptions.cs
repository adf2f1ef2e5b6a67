namespace Quire;

/// <summary>How a <see cref="PageAllocator"/> gets, limits and gives back memory. Read once, when the allocator is made.</summary>
public sealed class PageAllocatorOptions
{
    /// <summary>The name shown in errors, dumps and tables.</summary>
    public string Name { get; init; } = "pages";

    /// <summary>Where memory comes from: <see cref="RegionProvider.Mapped"/>, or <see cref="RegionProvider.PinnedArrays"/> for users that demand arrays.</summary>
    public RegionProvider Provider { get; init; } = RegionProvider.Mapped;

    /// <summary>
    /// Most bytes managed at once, rounded down to sections of 4 MiB; at least one section. 0 means half of the memory available to the
    /// process, which in a container is the container's.
    /// </summary>
    public long LimitBytes { get; init; }

    /// <summary>
    /// Asks the system for huge pages (<c>MADV_HUGEPAGE</c>). Memory then goes back in whole free blocks of 2 MiB only, since the
    /// system would undo any finer return. Off, the advice is taken back and single free pages go back too.
    /// </summary>
    public bool HugePages { get; init; }

    /// <summary>Clears memory when it is freed, so that nobody sees another's bytes. Costs the clearing, and the per-thread lists.</summary>
    public bool ZeroOnFree { get; init; }

    /// <summary>How often idle memory is looked for and given back; <see cref="Timeout.InfiniteTimeSpan"/> for never. What was free through one whole interval is idle.</summary>
    public TimeSpan TrimInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Free bytes kept committed however idle they are.</summary>
    public long KeepBytes { get; init; } = 1 << 20;

    /// <summary>
    /// What <see cref="PageAllocator.Dispose"/> does where pages are held: null, and it throws; otherwise this is called with what would have been thrown, and the allocator
    /// goes when its pages have come back (<see cref="PageAllocator.DisposeWhenFree"/>). For containers that dispose, where an exception would hit everybody but the holder. Called with no lock held.
    /// </summary>
    public Action<PagesStillHeldException>? HeldAtDispose { get; init; }

    /// <summary>Asked at every interval; tests have one that answers as they like.</summary>
    internal MemoryPressure Pressure { get; init; } = MemoryPressure.OfSystem;

    /// <summary>The limit in whole sections.</summary>
    /// <exception cref="ArgumentException">An option is none; nothing was made yet.</exception>
    internal long EffectiveLimit()
    {
        ArgumentNullException.ThrowIfNull(Provider, nameof(Provider));
        ArgumentNullException.ThrowIfNull(Name, nameof(Name));
        ArgumentOutOfRangeException.ThrowIfNegative(LimitBytes, nameof(LimitBytes));
        ArgumentOutOfRangeException.ThrowIfNegative(KeepBytes, nameof(KeepBytes));
        if (TrimInterval != Timeout.InfiniteTimeSpan && (TrimInterval <= TimeSpan.Zero || TrimInterval.TotalMilliseconds > uint.MaxValue - 1))
        {
            throw new ArgumentOutOfRangeException(nameof(TrimInterval), TrimInterval, $"The trim interval of allocator '{Name}' must be positive, 49 days at most, or Timeout.InfiniteTimeSpan.");
        }

        long limit = LimitBytes == 0 ? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2 : LimitBytes;
        if (limit < PageMap.SectionSize)
        {
            throw new ArgumentOutOfRangeException(nameof(LimitBytes), limit, $"The limit of allocator '{Name}' is below one section of {PageMap.SectionSize} bytes.");
        }

        return limit / PageMap.SectionSize * PageMap.SectionSize;
    }
}
