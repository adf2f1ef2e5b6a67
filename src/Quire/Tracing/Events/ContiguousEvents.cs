using System.Runtime.InteropServices;

namespace Quire;

/// <summary>Frames of an isolated range were looked at (<c>test_pages_isolated</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PagesIsolatedEvent
{
    internal EventHeader Header;
    internal ulong StartPfn;
    internal ulong EndPfn;

    /// <summary>The first frame that is in the way; the end where none is.</summary>
    internal ulong FinPfn;
}

/// <summary>Pages of a range were moved (<c>mm_migrate_pages</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MigratePagesEvent
{
    internal EventHeader Header;
    internal ulong Succeeded;
    internal ulong Failed;
    internal ulong ThpSucceeded;
    internal ulong ThpFailed;
    internal ulong ThpSplit;

    /// <summary>2: the caller waits (<c>MIGRATE_SYNC</c>).</summary>
    [CType("enum migrate_mode")]
    internal uint Mode;

    /// <summary>6: <c>MR_CONTIG_RANGE</c>; 7: <c>MR_LONGTERM_PIN</c>.</summary>
    internal int Reason;
}

/// <summary>A contiguous allocation begins (<c>cma_alloc_start</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CmaAllocStartEvent
{
    internal EventHeader Header;
    [Text]
    internal uint Name;

    /// <summary>Pages asked for.</summary>
    internal ulong Count;

    /// <summary>Order of the alignment asked for.</summary>
    internal uint Align;
    internal uint Stack;
    [Text]
    internal uint Site;
}

/// <summary>A range was given up because pages in it would not move (<c>cma_alloc_busy_retry</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CmaAllocBusyRetryEvent
{
    internal EventHeader Header;
    [Text]
    internal uint Name;

    /// <summary>First frame of the range.</summary>
    internal ulong Pfn;
    [CType("const struct page *")]
    internal ulong Page;
    internal ulong Count;
    internal uint Align;
}

/// <summary>A contiguous allocation ended (<c>cma_alloc_finish</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CmaAllocFinishEvent
{
    internal EventHeader Header;
    [Text]
    internal uint Name;

    /// <summary>First frame; 0 where there is none.</summary>
    internal ulong Pfn;

    /// <summary>As <see cref="Pfn"/>, shifted to bytes; 0 where the allocation failed, as in the kernel.</summary>
    [CType("const struct page *")]
    internal ulong Page;
    internal ulong Count;
    internal uint Align;

    /// <summary>0, or as the kernel: -16 busy, -12 no space or no memory, -4 interrupted.</summary>
    internal int Errorno;
    internal uint Stack;
    [Text]
    internal uint Site;
}

/// <summary>A contiguous range was given back (<c>cma_release</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CmaReleaseEvent
{
    internal EventHeader Header;
    [Text]
    internal uint Name;
    internal ulong Pfn;
    [CType("const struct page *")]
    internal ulong Page;
    internal ulong Count;
    internal uint Stack;
    [Text]
    internal uint Site;
}

/// <summary>A page that made a contiguous allocation fail; one event a page, after the last try.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PageBusyEvent
{
    internal EventHeader Header;
    internal ulong Pfn;
    internal ulong Generation;
    internal int Count;

    /// <summary>The count with which it could have been moved.</summary>
    internal int Expected;
    internal int Pins;

    /// <summary>Name of the area.</summary>
    [Text]
    internal uint Name;

    /// <summary>Why it would not move: a <c>BusyReason</c>.</summary>
    internal uint Reason;
}
