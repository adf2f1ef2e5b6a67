namespace Quire;

/// <summary>The events of a fragment cache's pages. Called only while <see cref="Tracking.Counting"/>.</summary>
internal static unsafe class FragmentEvents
{
    /// <summary>An event about a page as it is now.</summary>
    internal static FragmentPageEvent Of(PageDescriptor* page, int references, ushort cache, uint origin) => new()
    {
        Pfn = page->Frame,
        Generation = (ulong)PageIdentity.Generation(page->Identity),
        Order = page->Order,
        References = references,
        Cache = cache,
        Stack = Origin.StackNumber(origin),
        Owner = PageOwners.Find(page->Owner)?.NameNumber ?? 0,
    };

    internal static void Tell(Tracepoint id, PageDescriptor* page, int references, int count, ushort cache, uint origin)
    {
        FragmentPageEvent told = Of(page, references, cache, origin);
        told.Count = count;
        if (!PageEvents.IsLeftOut(page))
        {
            TraceRings.Write(id, ref told);
        }
    }
}
