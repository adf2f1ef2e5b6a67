namespace Quire;

/// <summary>
/// What one allocator's pages are used for, made by a walk over its descriptors while pages come and go: each page is counted as it was at one moment of the walk, and one that
/// was on its way may be missing.
/// </summary>
/// <remarks>
/// Cost: one cache line a page, in use or free; nothing is locked but the gate of the free lists, for 44 loads. The difference of a fragment page's count and its cache's bias is two readings:
/// it is taken where the page and the count were the same before and after, and else tried again a few times. A page whose bias its cache has in hand, between two places, shows none
/// and a count that no fragments can make: its references are left out.
/// </remarks>
internal sealed unsafe class PageSurvey
{
    private const int Tries = 8;

    /// <summary>Fragments of 8 bytes in the 32 KiB of a fragment page; a cache's bias is larger at any time.</summary>
    private const int MostFragments = (PageMap.FrameSize << 3) / 8;

    private readonly long[] _inUse = new long[BuddyLists.Orders];
    private readonly long[] _free = new long[BuddyLists.Orders];

    private PageSurvey(PageAllocator allocator)
    {
        foreach ((uint first, uint frames) in allocator.Sections.All())
        {
            uint end = first + frames;
            for (uint frame = first; frame < end;)
            {
                PageDescriptor* page = PageMap.Descriptor(frame);
                PageState state = page->State;
                int order = state is PageState.InUse or PageState.Buddy ? Math.Min(page->Order, (byte)Page.MaxOrder) : 0;
                if (state == PageState.Contiguous)
                {
                    _inUse[0]++;
                }
                else if (state == PageState.InUse)
                {
                    _inUse[order]++;
                    CountReferences(page, order);
                }

                frame += 1u << order;
            }
        }

        // The lists know their lengths: a walk would meet blocks that are being cut.
        allocator.Zone.Gate.Enter();
        for (int order = 0; order < BuddyLists.Orders; order++)
        {
            for (MigrateType type = 0; (int)type < BuddyLists.Types; type++)
            {
                _free[order] += allocator.Zone.Lists.Blocks(order, type);
            }
        }

        allocator.Zone.Gate.Exit();
        _free[0] += allocator.FreeSingles;
    }

    /// <summary>Pages in use, by order; a page of a contiguous range is one of order 0.</summary>
    internal IReadOnlyList<long> InUse => _inUse;

    /// <summary>Free blocks, by order.</summary>
    internal IReadOnlyList<long> Free => _free;

    /// <summary>References on pages in use, without what fragment caches keep in reserve.</summary>
    internal long References { get; private set; }

    /// <summary>Of these, on fragment pages: fragments that are out, each get of one included.</summary>
    internal long Fragments { get; private set; }

    /// <summary>Bytes of fragment pages that have a fragment out.</summary>
    internal long PinnedByFragments { get; private set; }

    internal static PageSurvey Of(PageAllocator allocator) => new(allocator);

    private void CountReferences(PageDescriptor* page, int order)
    {
        int count = 0;
        bool isOfCache = false;
        for (int i = 0; i < Tries; i++)
        {
            ulong identity = Atomic.LoadAcquire(ref page->Identity);
            count = PageRef.Count(page);
            isOfCache = page->BiasOwner != 0;
            int bias = PageOwners.Biases.Find(page->BiasOwner)?.BiasOn(page) ?? 0;
            bool isOnItsWay = isOfCache && bias == 0 && count > MostFragments;

            // Happens before: each load acquires. The same page with the same count before and after: no reference came or went that the bias does not know.
            bool isSettled = Atomic.LoadAcquire(ref page->Identity) == identity && PageRef.Count(page) == count && !isOnItsWay;
            count = isOnItsWay ? 0 : Math.Max(0, count - bias);
            if (isSettled)
            {
                break;
            }
        }

        References += count;
        if (isOfCache || page->WholeLength != 0)
        {
            Fragments += count;
            PinnedByFragments += count > 0 ? (long)PageMap.FrameSize << order : 0;
        }
    }
}
