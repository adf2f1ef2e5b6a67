namespace Quire;

/// <summary>A count of frames by state, made by walking all descriptors of an allocator: the other side of its statistics.</summary>
internal readonly record struct PageCensus(long Managed, long Buddy, long PerCore, long Magazine, long InUse, long Retired, long Decommitted)
{
    internal static unsafe PageCensus Of(List<(uint First, uint Frames)> sections, ushort owner)
    {
        PageCensus census = default;
        foreach ((uint first, uint frames) in sections)
        {
            for (uint frame = first; frame < first + frames;)
            {
                PageDescriptor* page = PageMap.Descriptor(frame);
                Invariant.Holds(page->Owner == owner, "frame 0x{0:x} names another owner", frame);
                Invariant.Holds(page->Frame == frame, "frame 0x{0:x} has another's number", frame);
                long size = page->State is PageState.Buddy or PageState.InUse ? 1L << page->Order : 1;
                census = page->State switch
                {
                    PageState.Buddy => census with { Buddy = census.Buddy + size },
                    PageState.PerCore => census with { PerCore = census.PerCore + size },
                    PageState.Magazine => census with { Magazine = census.Magazine + size },
                    PageState.InUse => census with { InUse = census.InUse + Held(page, size) },
                    PageState.Contiguous => census with { InUse = census.InUse + size },
                    PageState.Retired or PageState.Bad => census with { Retired = census.Retired + size },
                    _ => throw new InvalidOperationException($"Invariant broken: frame 0x{frame:x} belongs to no page and no list (state {page->State})."),
                };
                census = census with { Managed = census.Managed + size, Decommitted = census.Decommitted + CountDecommitted(page, size) };
                frame += (uint)size;
            }
        }

        return census;
    }

    private static unsafe long Held(PageDescriptor* head, long size)
    {
        Invariant.Holds(PageRef.Count(head) > 0 || PageRef.IsFrozen(head), "page 0x{0:x} is in use with count 0", head->Frame);
        for (long i = 1; i < size; i++)
        {
            Invariant.Holds(head[i].State == PageState.Tail && head[i].Head == head->Frame, "frame 0x{0:x} is not a tail of its page", head[i].Frame);
        }

        return size;
    }

    private static unsafe long CountDecommitted(PageDescriptor* first, long size)
    {
        long count = 0;
        for (long i = 0; i < size; i++)
        {
            count += (first[i].Flags & PageFlags.Decommitted) != 0 ? 1 : 0;
        }

        return count;
    }
}
