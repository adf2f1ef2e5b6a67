namespace Quire;

/// <content>
/// Taking memory back in one piece: page blocks that nothing is allocated from, and particular frames out of the middle of free blocks
/// (the kernel's <c>mm/page_isolation.c</c>). Every call is made with <see cref="Gate"/> held and stays within one page block, so that
/// the gate is never held long.
/// </content>
internal sealed unsafe partial class BuddyZone
{
    /// <summary>Stops allocations from a page block of a contiguous area; what is freed there goes to the isolated lists.</summary>
    internal void Isolate(uint block) => Retype(block, MigrateType.Isolated);

    /// <summary>Lends a page block again, and merges it with its neighbour where both are free.</summary>
    internal void EndIsolation(uint block)
    {
        Retype(block, MigrateType.Contiguous);
        PageDescriptor* head = PageMap.Descriptor(block);
        if (head->State == PageState.Buddy && head->Order == BlockOrder)
        {
            Lists.Remove(block);
            Insert(block, BlockOrder);
        }
    }

    /// <summary>Takes every frame from <paramref name="first"/> up to <paramref name="end"/> that is on a buddy list, whatever block it is part of; each is then <see cref="PageState.Contiguous"/>.</summary>
    /// <returns>How many it took.</returns>
    internal int TakeFree(uint first, uint end)
    {
        int taken = 0;
        for (uint frame = first; frame < end;)
        {
            PageDescriptor* page = PageMap.Descriptor(frame);
            int order = 0;
            uint head = page->State is PageState.Buddy or PageState.Inner ? FreeBlockOf(frame, out order) : 0;
            if (head == 0)
            {
                frame++;
                continue;
            }

            uint stop = Math.Min(end, head + (1u << order));
            Cut(head, order, frame, stop);
            taken += (int)(stop - frame);
            for (; frame < stop; frame++)
            {
                page = PageMap.Descriptor(frame);
                page->State = PageState.Contiguous;
                page->Order = 0;
                page->Head = frame;
            }
        }

        Out += taken;
        LeastFree = Math.Min(LeastFree, Free);
        return taken;
    }

    /// <summary>Gives frames back that are all <see cref="PageState.Contiguous"/> and the caller's, in pieces as large as their numbers allow.</summary>
    internal void GiveRange(uint first, uint end)
    {
        while (first < end)
        {
            int order = LargestAt(first, end);
            MarkInner(first, order);
            Give(first, order);
            first += 1u << order;
        }
    }

    /// <summary>Takes frames that are out, all of them the caller's, from the accounts: their memory goes offline.</summary>
    internal void Forget(uint frames, uint retired)
    {
        Managed -= frames;
        Out -= frames;
        Retired -= retired;
    }

    /// <summary>The free block on a list that a frame lies in: the head is the one whose block reaches it. 0 where the block is off the lists at the moment (the trimmer has it).</summary>
    private static uint FreeBlockOf(uint frame, out int order)
    {
        for (order = 0; order <= Page.MaxOrder; order++)
        {
            uint head = frame & ~((1u << order) - 1u);
            PageDescriptor* page = PageMap.Descriptor(head);
            if (page->State == PageState.Buddy && page->Order >= order)
            {
                order = page->Order;
                return head;
            }
        }

        return 0;
    }

    /// <summary>Takes a free block off its list and puts what is not wanted of it back there, before and behind.</summary>
    private void Cut(uint head, int order, uint first, uint end)
    {
        MigrateType type = PageMap.Descriptor(head)->Type;
        Lists.Remove(head);
        MarkInner(head, order);
        PutBack(head, first, type);
        PutBack(end, head + (1u << order), type);
    }

    private void PutBack(uint first, uint end, MigrateType type)
    {
        while (first < end)
        {
            // Not merged: these were one block a moment ago, and its middle is gone.
            int order = LargestAt(first, end);
            Lists.Push(first, order, type);
            first += 1u << order;
        }
    }

    /// <summary>The largest order of a block that starts at a frame and ends no later than another.</summary>
    private static int LargestAt(uint first, uint end) =>
        Math.Min(Math.Min((int)uint.TrailingZeroCount(first), Page.MaxOrder), (int)uint.Log2(end - first));
}
