namespace Quire.Traces.Analysis;

/// <summary>What an event means to the analysis, whatever number and fields the trace gives it.</summary>
internal enum EventKind
{
    /// <summary>Nothing: it is counted, and no tracker looks at it.</summary>
    Other,

    /// <summary><c>page_ref_set</c>.</summary>
    RefSet,

    /// <summary><c>page_ref_mod</c>, <c>page_ref_mod_and_test</c>, <c>page_ref_mod_and_return</c>: <c>val</c> was added, whatever the outcome.</summary>
    RefMod,

    /// <summary><c>page_ref_mod_unless</c>: <c>val</c> was added where <c>ret</c> is 1.</summary>
    RefUnless,

    /// <summary><c>page_ref_freeze</c>: <c>val</c> became 0 where <c>ret</c> is 1.</summary>
    RefFreeze,

    /// <summary><c>page_ref_unfreeze</c>: 0 became <c>val</c>.</summary>
    RefUnfreeze,

    PageAlloc,
    PageFree,

    /// <summary><c>mm_page_free_batched</c>: a page of order 0 goes into a batch to be freed, which another event tells of.</summary>
    PageFreeBatched,
    PagesIsolated,
    MigrateStart,
    MigratePages,
    ContiguousStart,
    ContiguousRetry,
    ContiguousFinish,
    ContiguousRelease,
    FragmentRefill,
    FragmentDrain,
    FragmentReuse,
    PageBusy,
    HolderTake,
    HolderRelease,
    HolderTouch,
    HolderMove,
    HolderCount,
    HolderState,
    PageState,
}
