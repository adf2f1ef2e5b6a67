namespace Quire;

/// <summary>What the memory of a page block may be used for.</summary>
/// <remarks>The kernel's <c>enum migratetype</c>, without the types that Quire has no use for.</remarks>
public enum MigrateType : byte
{
    /// <summary>Pages that stay where they are until they are freed (<c>MIGRATE_UNMOVABLE</c>).</summary>
    Unmovable,

    /// <summary>Pages grouped apart because their data can be moved or is short-lived (<c>MIGRATE_MOVABLE</c>).</summary>
    Movable,

    /// <summary>Memory of a contiguous area, lent only to pages that the library itself can migrate (<c>MIGRATE_CMA</c>).</summary>
    Contiguous,

    /// <summary>Memory that is being taken back: nothing is allocated from it (<c>MIGRATE_ISOLATE</c>).</summary>
    Isolated,
}

/// <summary>Where a frame is in its life. Written by whoever owns the frame at that moment.</summary>
internal enum PageState : byte
{
    /// <summary>The descriptor stands for no memory.</summary>
    Offline,

    /// <summary>Head of a free block on a buddy list.</summary>
    Buddy,

    /// <summary>Inside a free block; its head speaks for it.</summary>
    Inner,

    /// <summary>Free, order 0, on a per-core list.</summary>
    PerCore,

    /// <summary>Free, order 0, in a thread's magazine.</summary>
    Magazine,

    /// <summary>Head of a page that somebody holds.</summary>
    InUse,

    /// <summary>Tail of a page that somebody holds; its head speaks for it.</summary>
    Tail,

    /// <summary>On its way from one list to another, owned by the thread that moves it.</summary>
    Moving,

    /// <summary>Part of a contiguous range that somebody holds.</summary>
    Contiguous,

    /// <summary>Out of generations: kept out of use for good.</summary>
    Retired,

    /// <summary>Found bad: kept out of use for good, as the kernel leaks a bad page on purpose.</summary>
    Bad,
}

/// <summary>Properties of a frame that keep it off the hot paths.</summary>
[Flags]
internal enum PageFlags : byte
{
    None = 0,

    /// <summary>Its memory was given back to the system and must be committed before use.</summary>
    Decommitted = 1,

    /// <summary>Its allocator clears memory when it is freed.</summary>
    ZeroOnFree = 2,

    /// <summary>The page is in the movable table: its data may be migrated.</summary>
    Movable = 4,
}
