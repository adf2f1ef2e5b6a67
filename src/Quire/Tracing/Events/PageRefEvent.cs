using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// One operation on a page's count: the seven <c>page_ref</c> events. Up to <see cref="Ret"/> the layout is the kernel's on 64 bits, byte for byte.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PageRefEvent
{
    internal EventHeader Header;

    /// <summary>Frame number of the head, which has the count.</summary>
    internal ulong Pfn;
    internal ulong Flags;

    /// <summary>The count after the operation: its own result, never a re-read. Of a failed freeze or add-unless, the count that made it fail.</summary>
    internal int Count;

    /// <summary>Pins of a movable page; 0 for other pages.</summary>
    internal int Mapcount;

    /// <summary>Entry of the movable table; 0 for other pages.</summary>
    [CType("void *")]
    internal ulong Mapping;

    /// <summary>Migrate type: 0 unmovable, 1 movable, 2 contiguous, 3 isolated.</summary>
    internal int Mt;

    /// <summary>What was added; the expected count of a freeze; the new count of a set or an unfreeze.</summary>
    internal int Val;

    /// <summary>1 or 0 (test, unless, freeze), or the new count (return).</summary>
    internal int Ret;

    /// <summary>The count that an add-unless must not find; 0 for other operations.</summary>
    internal int Unless;

    /// <summary>The page's generation: order within a page follows from it where threads stamped out of order.</summary>
    internal ulong Generation;

    /// <summary>Frame number of the page asked for: a tail's, where the caller held one.</summary>
    internal uint Page;
    internal uint Ticket;
    internal uint Stack;
    [Text]
    internal uint Site;
    internal uint Order;
    [Text]
    internal uint Owner;
}
