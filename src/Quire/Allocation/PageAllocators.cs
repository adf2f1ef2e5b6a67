namespace Quire;

/// <summary>All allocators of the process, as recordings and metrics want to know of them.</summary>
internal static unsafe class PageAllocators
{
    /// <summary>Tells the room of tracing, which does not know this one, whom to ask.</summary>
    internal static void Introduce()
    {
        if (TracingHooks.Pages is null)
        {
            TracingHooks.Pages = WriteStates;
            TracingHooks.Metrics = Metrics;
            TracingHooks.Uses = Uses;
            TracingHooks.Resident = Resident;
        }
    }

    /// <summary>Those that are made and not disposed.</summary>
    internal static IReadOnlyList<PageAllocator> Living() => [.. All()];

    /// <summary>
    /// Writes a <c>page_state</c> for every page that somebody holds. Pages come and go meanwhile: each is told of as it was at one moment of the call, and one that was on its way is
    /// left out. Cost: a pass over all descriptors of memory that is online, 64 bytes a frame.
    /// </summary>
    private static void WriteStates(TraceSnapshot snapshot)
    {
        foreach (PageAllocator allocator in All())
        {
            foreach ((uint first, uint frames) in allocator.Sections.All())
            {
                for (uint frame = first; frame < first + frames; frame++)
                {
                    PageDescriptor* page = PageMap.Descriptor(frame);
                    if (page->State == PageState.InUse && TryRead(page, out PageStateEvent state))
                    {
                        snapshot.Write(Tracepoint.PageSnapshot, ref state);
                    }
                }
            }
        }
    }

    private static bool TryRead(PageDescriptor* page, out PageStateEvent state)
    {
        ulong identity = Atomic.LoadAcquire(ref page->Identity);
        state = new PageStateEvent
        {
            Pfn = PageIdentity.Frame(identity),
            Generation = (ulong)PageIdentity.Generation(identity),
            Order = page->Order,
            Count = PageRef.Count(page),
            Bias = Holders.BiasOf(page)?.References ?? 0,
            Pins = page->Mapping != 0 && PageRefEvents.PinsOf != null ? PageRefEvents.PinsOf(page) : 0,
            Mt = PageRefEvents.MigrateTypeOf(PageIdentity.Frame(identity)),
            Owner = PageOwners.Find(page->Owner)?.NameNumber ?? 0,
        };

        // Happens before: each load acquires, so the identity read again is at least as new as what was read between. Unchanged, it was one page all the time.
        return (identity & PageIdentity.TailBit) == 0
            && (state.Count != 0 || PageRef.IsFrozen(page))
            && Atomic.LoadAcquire(ref page->Identity) == identity;
    }

    private static IEnumerable<PageMetrics> Metrics()
    {
        foreach (PageAllocator allocator in All())
        {
            PageAllocatorStatistics now = allocator.GetStatistics();
            yield return new PageMetrics(
                allocator.Name,
                allocator.LimitBytes,
                now.ManagedBytes,
                now.InUseBytes,
                now.FreeBytes,
                now.DecommittedFrames * PageMap.FrameSize,
                now.RetiredFrames * PageMap.FrameSize);
        }
    }

    private static IEnumerable<PageUseMetrics> Uses()
    {
        foreach (PageAllocator allocator in All())
        {
            PageSurvey now = PageSurvey.Of(allocator);
            yield return new PageUseMetrics(allocator.Name, now.InUse, now.Free, now.References, now.Fragments, now.PinnedByFragments);
        }
    }

    private static IEnumerable<ResidentMetrics> Resident()
    {
        foreach (PageAllocator allocator in All())
        {
            long bytes = allocator.Sections.ResidentBytes();
            if (bytes >= 0)
            {
                yield return new ResidentMetrics(allocator.Name, bytes);
            }
        }
    }

    private static IEnumerable<PageAllocator> All() => PageOwners.Allocators.All().OfType<PageAllocator>().Where(static allocator => allocator.IsMade);
}
