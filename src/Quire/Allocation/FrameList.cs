namespace Quire;

/// <summary>
/// A doubly linked list of frames, threaded through their descriptors: a frame is on one list at most. Whoever owns the list's gate holds it around every call.
/// </summary>
/// <remarks>Equation, checked by <see cref="Verify"/>: following <c>Next</c> from <see cref="First"/> meets <see cref="Count"/> frames, the last of them <see cref="Last"/>, and each one's <c>Previous</c> is the one before.</remarks>
internal unsafe struct FrameList
{
    /// <summary>Frame number at the front, or 0.</summary>
    internal uint First { get; private set; }

    /// <summary>Frame number at the back, or 0.</summary>
    internal uint Last { get; private set; }

    internal int Count { get; private set; }

    internal void Push(PageDescriptor* page, bool atBack)
    {
        uint frame = page->Frame;
        uint neighbour = atBack ? Last : First;
        page->Next = atBack ? 0 : neighbour;
        page->Previous = atBack ? neighbour : 0;
        if (neighbour == 0)
        {
            First = Last = frame;
        }
        else if (atBack)
        {
            PageMap.Descriptor(neighbour)->Next = frame;
            Last = frame;
        }
        else
        {
            PageMap.Descriptor(neighbour)->Previous = frame;
            First = frame;
        }

        Count++;
    }

    /// <summary>Takes a frame off this list; it is then nobody's but the caller's.</summary>
    internal void Remove(PageDescriptor* page)
    {
        if (page->Previous == 0)
        {
            First = page->Next;
        }
        else
        {
            PageMap.Descriptor(page->Previous)->Next = page->Next;
        }

        if (page->Next == 0)
        {
            Last = page->Previous;
        }
        else
        {
            PageMap.Descriptor(page->Next)->Previous = page->Previous;
        }

        page->Next = page->Previous = 0;
        page->State = PageState.Moving;
        Count--;
    }

    /// <summary>Walks the list; every frame must be free, in this state, of this order and, where given, of this type.</summary>
    /// <exception cref="InvalidOperationException">An equation does not hold.</exception>
    internal readonly void Verify(PageState state, int order, MigrateType? type)
    {
        int count = 0;
        uint previous = 0;
        for (uint frame = First; frame != 0; frame = PageMap.Descriptor(frame)->Next)
        {
            PageDescriptor* page = PageMap.Descriptor(frame);
            Invariant.Holds(page->State == state, "frame 0x{0:x} on a free list has another state", frame);
            Invariant.Holds(page->Order == order && (type is null || page->Type == type), "frame 0x{0:x} stands on the wrong free list", frame);
            Invariant.Holds((frame & ((1u << order) - 1)) == 0, "frame 0x{0:x} on a free list is not aligned to its order", frame);
            Invariant.Holds(page->Previous == previous, "frame 0x{0:x} on a free list has a broken back link", frame);
            Invariant.Holds(PageRef.Count(page) == 0, "frame 0x{0:x} on a free list has a count", frame);
            Invariant.Holds(++count <= Count, "the free list of frame 0x{0:x} is longer than its count", frame);
            previous = frame;
        }

        Invariant.Holds(count == Count && Last == previous, "a free list of {0} frames disagrees with its count or its end", (ulong)count);
    }
}
