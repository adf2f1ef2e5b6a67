namespace Quire.Traces.Analysis;

/// <summary>A page of the kernel during one of its lives: from its allocation, or the first event of it, to its free.</summary>
internal struct KernelPage
{
    internal ulong Pfn;

    /// <summary>The life's number in the trace, from 1: a frame has many.</summary>
    internal int Life;

    /// <summary>When it began, or was first seen.</summary>
    internal long Since;

    /// <summary>Time of its last event.</summary>
    internal long Changed;

    /// <summary>The count as the operations add up to.</summary>
    internal int Count;

    /// <summary>References it had when it was first seen, less those that were seen to go without a taker: nobody knows who took them.</summary>
    internal int Before;

    /// <summary>How far the last recorded count was from the sum of the operations; 0: it agreed.</summary>
    internal int Off;

    internal int Look;
    internal int Mapcount;
    internal int MigrateType;
    internal int Order;
    internal int AllocationStack;
    internal int AllocationPid;

    /// <summary>Its entries in the <see cref="RefJournal"/>.</summary>
    internal int First;
    internal int Last;
    internal int Entries;

    /// <summary>References that a mismatch showed to be missing from the trace, in this life.</summary>
    internal int Unseen;

    /// <summary>The count it was frozen at; 0 while it is not frozen.</summary>
    internal int FrozenAt;

    /// <summary>Its beginning is not in the trace.</summary>
    internal bool IsMidLife;

    /// <summary>Its order is known from its allocation.</summary>
    internal bool IsOrderKnown;

    /// <summary>It stood in the way of an allocation, or was asked for: its journal outlives it.</summary>
    internal bool IsWatched;

    /// <summary>An allocation has looked at it: whether it stood in the way shows only later, so until then its journal stays whole.</summary>
    internal bool IsTouched;

    internal readonly bool IsFrozen => FrozenAt > 0;
}

/// <summary>A watched page's life that has ended.</summary>
/// <param name="Page">As it was at its end, with its journal.</param>
/// <param name="Time">When it ended.</param>
internal readonly record struct EndedLife(KernelPage Page, long Time);
