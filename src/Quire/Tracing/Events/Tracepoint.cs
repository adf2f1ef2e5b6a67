namespace Quire;

/// <summary>The tracepoints of Quire, by the number that an event of each carries (<c>common_type</c>).</summary>
/// <remarks>
/// Stable: recordings carry their own format texts, but a number never changes its meaning. The definitions behind the numbers are
/// the structs named in <see cref="TracepointTable"/>.
/// </remarks>
internal enum Tracepoint : ushort
{
    None = 0,

    // page_ref: the kernel's seven.
    PageRefSet = 1000,
    PageRefMod = 1001,
    PageRefModAndTest = 1002,
    PageRefModAndReturn = 1003,
    PageRefModUnless = 1004,
    PageRefFreeze = 1005,
    PageRefUnfreeze = 1006,

    // kmem, page_isolation, migrate, cma: the kernel's.
    PageAlloc = 1020,
    PageFree = 1021,
    PageFreeBatched = 1022,
    PagesIsolated = 1030,
    MigratePages = 1031,
    CmaAllocStart = 1040,
    CmaAllocBusyRetry = 1041,
    CmaAllocFinish = 1042,
    CmaRelease = 1043,

    // quire: what the kernel has no event for.
    FragmentRefill = 1060,
    FragmentDrain = 1061,
    FragmentReuse = 1062,
    PageBusy = 1063,
    HolderTake = 1070,
    HolderRelease = 1071,
    HolderTouch = 1072,
    HolderMove = 1073,
    HolderCount = 1074,

    // quire, in snapshots: what was so at one moment.
    HolderState = 1080,
    PageSnapshot = 1081,
}
