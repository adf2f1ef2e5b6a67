namespace Quire;

/// <summary>What stands behind the memory of a region.</summary>
public enum RegionKind
{
    /// <summary>Memory mapped from the operating system, outside the heap of the garbage collector.</summary>
    Mapped,

    /// <summary>A pinned array of the garbage collector, for those who must be handed an array and an offset.</summary>
    PinnedArray,
}
