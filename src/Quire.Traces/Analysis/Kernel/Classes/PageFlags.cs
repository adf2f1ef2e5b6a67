namespace Quire.Traces.Analysis;

/// <summary>The flags of a kernel's page that the analysis asks for; their bits are ours, not the kernel's.</summary>
[Flags]
internal enum PageFlags
{
    /// <summary>None of these.</summary>
    None = 0,

    /// <summary>Locked: somebody works on it.</summary>
    Locked = 1,

    /// <summary>Used since it was last looked at.</summary>
    Referenced = 1 << 1,

    /// <summary>Its content is valid.</summary>
    Uptodate = 1 << 2,

    /// <summary>It differs from what is on disk.</summary>
    Dirty = 1 << 3,

    /// <summary>On a list of the LRU.</summary>
    Lru = 1 << 4,

    /// <summary>Has a file system's data, buffers most of all: one more reference.</summary>
    Private = 1 << 5,

    /// <summary>Being written.</summary>
    Writeback = 1 << 6,

    /// <summary>The first of a compound page.</summary>
    Head = 1 << 7,

    /// <summary>Backed by swap: anonymous, or of shmem.</summary>
    SwapBacked = 1 << 8,

    /// <summary>In the swap cache: one more reference a page.</summary>
    SwapCache = 1 << 9,

    /// <summary>Not to be reclaimed.</summary>
    Unevictable = 1 << 10,

    /// <summary>Not the allocator's.</summary>
    Reserved = 1 << 11,

    /// <summary>A slab's.</summary>
    Slab = 1 << 12,

    /// <summary>To be reclaimed soon, or (same bit) read ahead.</summary>
    Reclaim = 1 << 13,

    /// <summary>Mapped by a locked mapping.</summary>
    Mlocked = 1 << 14,

    /// <summary>On the active list of the LRU.</summary>
    Active = 1 << 15,
}
