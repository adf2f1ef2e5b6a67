using System.Runtime.InteropServices;

namespace Quire;

/// <summary>A page was taken from its allocator (<c>mm_page_alloc</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PageAllocEvent
{
    internal EventHeader Header;
    internal ulong Pfn;
    internal uint Order;

    /// <summary>Always 0: Quire has no such flags. Here because the kernel's readers look for it.</summary>
    internal ulong GfpFlags;
    internal int Migratetype;
    internal ulong Generation;
    internal uint Stack;
    [Text]
    internal uint Site;
    [Text]
    internal uint Owner;
}

/// <summary>A page went back to its allocator (<c>mm_page_free</c>, and <c>mm_page_free_batched</c> where many went at once).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PageFreeEvent
{
    internal EventHeader Header;
    internal ulong Pfn;
    internal uint Order;

    /// <summary>1 for a page whose bytes are not expected in the processor's cache.</summary>
    internal uint Cold;

    /// <summary>The generation that ended.</summary>
    internal ulong Generation;
    internal uint Stack;
    [Text]
    internal uint Site;
    [Text]
    internal uint Owner;
}
