namespace Quire;

/// <summary>The events of pages that come and go (<c>mm_page_alloc</c>, <c>mm_page_free</c>). Called only while <see cref="Tracking.Counting"/>, with no gate held.</summary>
internal static unsafe class PageEvents
{
    /// <summary>A page has left its allocator; it is the caller's.</summary>
    internal static void Alloc(PageDescriptor* head, uint owner, uint origin)
    {
        if (IsLeftOut(head))
        {
            return;
        }

        PageAllocEvent taken = new()
        {
            Pfn = head->Frame,
            Order = head->Order,
            Migratetype = (int)head->Type,
            Generation = (ulong)PageIdentity.Generation(head->Identity),
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
            Owner = owner,
        };
        TraceRings.Write(Tracepoint.PageAlloc, ref taken);
    }

    /// <summary>A page is about to go back to its allocator; it is still the caller's, with count 0.</summary>
    internal static void Free(Tracepoint id, PageDescriptor* head, PageTemperature temperature, uint origin)
    {
        if (IsLeftOut(head))
        {
            return;
        }

        PageFreeEvent freed = new()
        {
            Pfn = head->Frame,
            Order = head->Order,
            Cold = temperature == PageTemperature.Cold ? 1u : 0,
            Generation = (ulong)PageIdentity.Generation(head->Identity),
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
            Owner = PageOwners.Find(head->Owner)?.NameNumber ?? 0,
        };
        TraceRings.Write(id, ref freed);
    }

    /// <summary>True where a filter of pages does not want this one.</summary>
    internal static bool IsLeftOut(PageDescriptor* head) => Tracking.Selective && !TraceAdmission.AdmitsPage(PageIdentity.Unmarked(head->Identity));
}
