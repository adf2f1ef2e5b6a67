namespace Quire;

/// <content>What migration needs of the allocator: pages to move to, in batches, and frames in one piece.</content>
public sealed unsafe partial class PageAllocator
{
    /// <summary>Blocks of this order, 128 KiB, are taken whole for destinations: one list operation for 32 pages, and no large block is broken for a few.</summary>
    private const int DestinationOrder = 5;

    /// <summary>
    /// Takes pages of order 0 outside contiguous areas, each with count 1, and chains them through <see cref="PageDescriptor.Next"/> in the order of
    /// <paramref name="first"/>. What cannot be had is told by the number returned.
    /// </summary>
    internal int TakeDestinations(int wanted, out uint first, out AllocationFailure failure)
    {
        Chain chain = default;
        Span<uint> blocks = stackalloc uint[32];
        failure = AllocationFailure.None;
        int got = 0;
        int appended = 0;
        int order = 0;
        try
        {
            while (chain.Count < wanted)
            {
                order = Math.Min(DestinationOrder, (int)uint.Log2((uint)(wanted - chain.Count)));
                int most = Math.Min(blocks.Length, (wanted - chain.Count) >> order);
                appended = 0;
                got = TakeBlocks(blocks[..most], ref order);
                for (; appended < got; appended++)
                {
                    Append(ref chain, blocks[appended], order, ref failure);
                }

                if (got == 0)
                {
                    // Nothing free: the slow way grows, drains and reclaims, and leaves a section to take blocks from.
                    PageDescriptor* page = TakePage(0, MigrateType.Movable, out failure);
                    if (page == null)
                    {
                        // A single page is never kept from us by fragmentation: what is free is in areas, and not for this.
                        failure = failure == AllocationFailure.Fragmented ? AllocationFailure.LimitReached : failure;
                        break;
                    }

                    chain.Add(page);
                }
                else if (failure != AllocationFailure.None)
                {
                    break;
                }
            }
        }
        catch
        {
            // Committing, growing and reclaiming may throw: the caller is told of none of these pages.
            for (; appended < got; appended++)
            {
                GiveBlock(PageMap.Descriptor(blocks[appended]), order);
            }

            FreeDestinations(chain.First);
            throw;
        }

        first = chain.First;
        return chain.Count;
    }

    /// <summary>Frees a chain of destinations that were not needed.</summary>
    internal void FreeDestinations(uint first)
    {
        while (first != 0)
        {
            PageDescriptor* page = PageMap.Descriptor(first);
            first = page->Next;
            page->Next = 0;
            if (PageRef.SubAndTest(page, 1, "FreeDestinations", origin: 0) == 0)
            {
                Release(page, PageTemperature.Hot, origin: 0);
            }
        }
    }

    /// <summary>Commits those frames of a range that were given back to the system; all of them are the caller's. False where the system refuses.</summary>
    internal bool TryCommitRange(uint first, uint end)
    {
        while (first < end)
        {
            if ((PageMap.Descriptor(first)->Flags & PageFlags.Decommitted) == 0)
            {
                first++;
                continue;
            }

            // The whole aligned piece at once: a system call a frame would cost more than the memory.
            int order = Math.Min(Math.Min((int)uint.TrailingZeroCount(first), Page.MaxOrder), (int)uint.Log2(end - first));
            if (!_trimmer.TryCommit(PageMap.Descriptor(first), order))
            {
                return false;
            }

            first += 1u << order;
        }

        return true;
    }

    /// <summary>Returns when no batch of the trimmer's is off the lists any more that was when the call began.</summary>
    internal void AwaitTrimmer()
    {
        lock (_trimmer)
        {
        }
    }

    /// <summary>A frame whose generations are used up, or that was found bad, stays out of use.</summary>
    internal void RetireFrame(PageDescriptor* page) => Retire(page, 0, PageState.Retired);

    /// <summary>Takes an area's memory offline; all of it is the caller's, in no use and on no list.</summary>
    internal void RemoveArea(uint first, uint frames)
    {
        uint retired = 0;
        long given = 0;
        for (uint i = 0; i < frames; i++)
        {
            retired += PageMap.Descriptor(first + i)->State is PageState.Retired or PageState.Bad ? 1u : 0;
            given += (PageMap.Descriptor(first + i)->Flags & PageFlags.Decommitted) != 0 ? 1 : 0;
        }

        _trimmer.Forget(given);
        Zone.Gate.Enter();
        Zone.Forget(frames, retired);
        Zone.Gate.Exit();
        Sections.RemoveArea(first);
    }

    private int TakeBlocks(Span<uint> blocks, ref int order)
    {
        int got = 0;
        Zone.Gate.Enter();
        while (got < blocks.Length)
        {
            uint block = Zone.Take(order, MigrateType.Movable);
            if (block != 0)
            {
                blocks[got++] = block;
            }
            else if (got != 0 || order == 0)
            {
                break;
            }
            else
            {
                order--;
            }
        }

        Zone.Gate.Exit();
        return got;
    }

    private void Append(ref Chain chain, uint block, int order, ref AllocationFailure failure)
    {
        if (!_trimmer.TryCommit(PageMap.Descriptor(block), order))
        {
            failure = AllocationFailure.OutOfMemory;
            GiveBlock(PageMap.Descriptor(block), order);
            return;
        }

        for (uint frame = block; frame < block + (1u << order); frame++)
        {
            PageDescriptor* page = PageMap.Descriptor(frame);
            if (TryMake(page, 0, MigrateType.Movable))
            {
                PageRef.Init(page, origin: 0);
                if (Tracking.Counting)
                {
                    PageEvents.Alloc(page, _nameNumber, origin: 0);
                }

                chain.Add(page);
            }
        }
    }

    /// <summary>Pages in a row, linked through their descriptors: no array is needed, however many there are.</summary>
    private struct Chain
    {
        internal uint First;
        internal int Count;
        private uint _last;

        internal void Add(PageDescriptor* page)
        {
            uint frame = page->Frame;
            page->Next = 0;
            if (Count++ == 0)
            {
                First = frame;
            }
            else
            {
                PageMap.Descriptor(_last)->Next = frame;
            }

            _last = frame;
        }
    }
}
