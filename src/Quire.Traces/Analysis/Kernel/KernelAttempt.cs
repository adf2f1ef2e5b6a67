namespace Quire.Traces.Analysis;

/// <summary>A contiguous allocation of a kernel: what it touched, and what stood in its way.</summary>
internal sealed class KernelAttempt : ContiguousAttempt
{
    /// <summary>No event of its own tells of it: it is known by what only happens in one.</summary>
    internal bool IsImplied { get; set; }

    /// <summary>Of an implied one: memory goes offline, which empties ranges in the same way and allocates nothing.</summary>
    internal bool IsOffline { get; set; }

    /// <summary>Pages that the range under way isolated, by frame.</summary>
    internal Dictionary<ulong, TouchedPage> Touched { get; } = [];

    /// <summary>Pages that stood in the way of any range, by frame.</summary>
    internal Dictionary<ulong, BlockingPage> Blocking { get; } = [];

    /// <summary>Ranges tried: first frame, one past the last, whether all were free in the end.</summary>
    internal List<(ulong Start, ulong End, bool IsFree)> Ranges { get; } = [];

    /// <summary>Whether the last migration of the range under way left pages behind.</summary>
    internal bool HasFailedMigration { get; set; }

    /// <summary>When its last range was tested.</summary>
    internal long Tested { get; set; }

    /// <summary>When it was heard of again after that; null: not yet.</summary>
    internal long? Resumed { get; set; }

    /// <summary>Pages migrated, and not, when its last range was tested.</summary>
    internal long MigratedBefore { get; set; }

    internal long NotMigratedBefore { get; set; }

    /// <summary>When an implied one was heard of last.</summary>
    internal long Quiet { get; set; }

    /// <summary>Its thread's number of the event seen last, to tell a look from a stay.</summary>
    internal long Steps { get; set; }
}

/// <summary>A page that an allocation took a reference on, to move it.</summary>
internal struct TouchedPage
{
    /// <summary>References of the allocation's own on it.</summary>
    internal int Own;

    /// <summary>Whether it was freed since: it moved.</summary>
    internal bool IsGone;

    /// <summary>It was looked at and let go at once.</summary>
    internal bool IsSkipped;

    /// <summary>The step at which it was isolated.</summary>
    internal long Step;
    internal PageSight Sight;

    /// <summary>What it was just before another task put a reference meanwhile; count 0: none did.</summary>
    internal PageSight Meanwhile;
}

/// <summary>What an allocation saw of a page when it wanted to move it.</summary>
internal struct PageSight
{
    internal long Time;

    /// <summary>The count then; -1: not known.</summary>
    internal int Count;

    /// <summary>References of the allocation's own among them.</summary>
    internal int Own;

    /// <summary>The count for which the kernel's own freeze asked; 0: it did not ask.</summary>
    internal int FreezeExpected;
    internal int Look;
    internal int Mapcount;
    internal int MigrateType;

    /// <summary>Where it was not an event of the allocation's own: when the event was that showed the page last; else 0.</summary>
    internal long Shown;
}

/// <summary>A page that stood in the way of a range.</summary>
internal struct BlockingPage
{
    internal ulong Pfn;

    /// <summary>The life of the page in <see cref="PageLifetimes"/>; 0: nothing is known of it.</summary>
    internal int Life;
    internal PageSight Sight;

    /// <summary>As <see cref="TouchedPage.Meanwhile"/>.</summary>
    internal PageSight Meanwhile;

    /// <summary>Ranges that it stood in the way of.</summary>
    internal int Ranges;

    /// <summary>It was isolated, or looked at, by the allocation.</summary>
    internal bool IsTouched;

    /// <summary>It was isolated and let go at once, without a try to move it.</summary>
    internal bool IsSkipped;
}
