using System.Diagnostics.CodeAnalysis;

namespace Quire;

/// <summary>
/// The one table of all events. What each holds is the struct named here; the recording's format texts, the docs and the readers' field
/// offsets are made from it.
/// </summary>
internal static class TracepointTable
{
    private const string RefFields = "pfn=0x{pfn} flags={flags:pageflags} count={count} mapcount={mapcount} mapping={mapping} mt={mt} val={val}";
    private const string RefExtra = " gen={generation} page=0x{page} order={order} owner={owner} ticket=0x{ticket} stack={stack} site={site}";
    private const string Ret = " ret={ret}";
    private const string Holder = "pfn=0x{pfn} gen={generation} ticket=0x{ticket} references={references}";

    // The first class of page_ref events has no ret, as in the kernel; what the fields would hold is count.
    private static readonly string[] s_withoutResult = ["ret", "unless"];

    /// <summary>Every event, in the order of the numbers.</summary>
    internal static IReadOnlyList<TracepointDefinition> All { get; } =
    [
        Of<PageRefEvent>(Tracepoint.PageRefSet, "page_ref", "page_ref_set", RefFields + RefExtra, "The count of a page nobody could reach was set.", s_withoutResult),
        Of<PageRefEvent>(Tracepoint.PageRefMod, "page_ref", "page_ref_mod", RefFields + RefExtra, "References were added or taken off.", s_withoutResult),
        Of<PageRefEvent>(Tracepoint.PageRefModAndTest, "page_ref", "page_ref_mod_and_test", RefFields + Ret + RefExtra, "References were taken off; ret is 1 for the call that reached 0.", "unless"),
        Of<PageRefEvent>(Tracepoint.PageRefModAndReturn, "page_ref", "page_ref_mod_and_return", RefFields + Ret + RefExtra, "References were added or taken off; ret is the new count.", "unless"),
        Of<PageRefEvent>(Tracepoint.PageRefModUnless, "page_ref", "page_ref_mod_unless", RefFields + Ret + " unless={unless}" + RefExtra, "References were added (ret 1), or not (ret 0), because the count was 0 or what unless says, or the page was frozen."),
        Of<PageRefEvent>(Tracepoint.PageRefFreeze, "page_ref", "page_ref_freeze", RefFields + Ret + RefExtra, "The page was frozen (ret 1), or not, since its count was not val (ret 0).", "unless"),
        Of<PageRefEvent>(Tracepoint.PageRefUnfreeze, "page_ref", "page_ref_unfreeze", RefFields + RefExtra, "A frozen page got its count again.", s_withoutResult),

        Of<PageAllocEvent>(Tracepoint.PageAlloc, "kmem", "mm_page_alloc", "pfn=0x{pfn} order={order} migratetype={migratetype} gfp_flags=0x{gfp_flags} gen={generation} owner={owner} stack={stack} site={site}", "A page was taken from its allocator."),
        Of<PageFreeEvent>(Tracepoint.PageFree, "kmem", "mm_page_free", "pfn=0x{pfn} order={order} cold={cold} gen={generation} owner={owner} stack={stack} site={site}", "A page went back to its allocator."),
        Of<PageFreeEvent>(Tracepoint.PageFreeBatched, "kmem", "mm_page_free_batched", "pfn=0x{pfn} order={order} cold={cold} gen={generation} owner={owner} stack={stack} site={site}", "A page went back to its allocator, one of many freed by one call."),

        Of<PagesIsolatedEvent>(Tracepoint.PagesIsolated, "page_isolation", "test_pages_isolated", "start_pfn=0x{start_pfn} end_pfn=0x{end_pfn} fin_pfn=0x{fin_pfn} ret={:isolated}", "The frames of an isolated range were tested."),
        Of<MigratePagesEvent>(Tracepoint.MigratePages, "migrate", "mm_migrate_pages", "nr_succeeded={succeeded} nr_failed={failed} nr_thp_succeeded={thp_succeeded} nr_thp_failed={thp_failed} nr_thp_split={thp_split} mode={mode:mode} reason={reason:reason}", "Pages were moved, or not."),

        Of<CmaAllocStartEvent>(Tracepoint.CmaAllocStart, "cma", "cma_alloc_start", "name={name} count={count} align={align} stack={stack} site={site}", "A contiguous allocation begins."),
        Of<CmaAllocBusyRetryEvent>(Tracepoint.CmaAllocBusyRetry, "cma", "cma_alloc_busy_retry", "name={name} pfn=0x{pfn} page={page} count={count} align={align}", "A range was given up, since pages in it would not move."),
        Of<CmaAllocFinishEvent>(Tracepoint.CmaAllocFinish, "cma", "cma_alloc_finish", "name={name} pfn=0x{pfn} page={page} count={count} align={align} errorno={errorno} stack={stack} site={site}", "A contiguous allocation ended; page is 0 where it failed."),
        Of<CmaReleaseEvent>(Tracepoint.CmaRelease, "cma", "cma_release", "name={name} pfn=0x{pfn} page={page} count={count} stack={stack} site={site}", "A contiguous range was given back."),

        Of<FragmentPageEvent>(Tracepoint.FragmentRefill, "quire", "fragment_refill", "pfn=0x{pfn} gen={generation} order={order} references={references} count={count} cache={cache} owner={owner} stack={stack}", "A fragment cache took a page, and references at once."),
        Of<FragmentPageEvent>(Tracepoint.FragmentDrain, "quire", "fragment_drain", "pfn=0x{pfn} gen={generation} order={order} references={references} count={count} cache={cache} owner={owner} stack={stack}", "A fragment cache dropped at once what it had left on a page."),
        Of<FragmentPageEvent>(Tracepoint.FragmentReuse, "quire", "fragment_reuse", "pfn=0x{pfn} gen={generation} order={order} references={references} count={count} cache={cache} owner={owner} stack={stack}", "A fragment cache began a page anew in place: gen is the new generation."),
        Of<PageBusyEvent>(Tracepoint.PageBusy, "quire", "page_busy", "name={name} pfn=0x{pfn} gen={generation} count={count} expected={expected} pins={pins} reason={reason:busy}", "A page that made a contiguous allocation fail."),
        Of<HolderTakeEvent>(Tracepoint.HolderTake, "quire", "holder_take", Holder + " bytes={bytes} kind={kind:kind} scope={scope} stack={stack} site={site}", "The ledger recorded a holder.", "taken_pid", "taken", "touched_site"),
        Of<HolderReleaseEvent>(Tracepoint.HolderRelease, "quire", "holder_release", Holder + " remaining={remaining} stack={stack} site={site}", "References left the ledger."),
        Of<HolderTouchEvent>(Tracepoint.HolderTouch, "quire", "holder_touch", "ticket=0x{ticket} scope={scope} stack={stack} site={site}", "Responsibility for a reference passed on."),
        Of<HolderMoveEvent>(Tracepoint.HolderMove, "quire", "holder_move", "pfn=0x{pfn} gen={generation} ticket=0x{ticket}", "A holder's data moved to another page."),
        Of<HolderCountEvent>(Tracepoint.HolderCount, "quire", "holder_count", "ticket=0x{ticket} references={references}", "A holder's references were counted anew."),
        Of<HolderTakeEvent>(Tracepoint.HolderState, "quire", "holder_state", Holder + " bytes={bytes} kind={kind:kind} scope={scope} stack={stack} site={site} taken_pid={taken_pid} taken={taken} touched_site={touched_site}", "In a snapshot: a holder on record."),
        Of<PageStateEvent>(Tracepoint.PageSnapshot, "quire", "page_state", "pfn=0x{pfn} gen={generation} order={order} count={count} bias={bias} pins={pins} mt={mt} owner={owner}", "In a snapshot: a page that somebody holds."),
    ];

    private static TracepointDefinition Of<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields)] T>(
        Tracepoint id, string system, string name, string print, string summary, params string[] hidden)
        where T : unmanaged => new(id, system, name, print, summary, TracepointField.Of<T>(hidden));
}
