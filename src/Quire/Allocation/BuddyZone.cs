namespace Quire;

/// <summary>
/// The buddy allocator proper: splits, merges, and lets one migrate type borrow from another. Every call is made with
/// <see cref="Gate"/> held.
/// </summary>
/// <remarks>
/// <para>
/// A block of order n starts at a multiple of 2^n; its buddy is the block whose number differs in bit n alone. Freeing merges with
/// the buddy while it is free too; taking splits the smallest block that is large enough and keeps the low half.
/// A page block (2 MiB, <see cref="BlockOrder"/>) has one migrate type, and blocks of different types never merge.
/// </para>
/// <para>
/// Equation: <c>Managed == Lists.FreeFrames + Out</c>, where <c>Out</c> are the frames on per-core lists, in magazines, in use,
/// in contiguous ranges, retired, bad or for a moment with the trimmer. The two sides are counted apart, so that a lost frame shows.
/// </para>
/// </remarks>
internal sealed unsafe partial class BuddyZone
{
    /// <summary>Order of a page block: 9, that is 512 frames or 2 MiB.</summary>
    internal const int BlockOrder = 9;
    internal const int BlockFrames = 1 << BlockOrder;

    internal readonly BuddyLists Lists = new();
    internal SpinGate Gate;

    /// <summary>True while the allocator is being disposed, and afterwards: nothing is taken any more.</summary>
    internal bool Closed { get; set; }

    /// <summary>Frames that sections brought.</summary>
    internal long Managed { get; private set; }

    /// <summary>Frames taken and not given back.</summary>
    internal long Out { get; private set; }

    /// <summary>Frames that are off their list only while the trimmer gives their memory back. Part of <see cref="Out"/>, and free all the same.</summary>
    internal long Detached { get; private set; }

    /// <summary>Frames that are nobody's: on the lists, or detached.</summary>
    internal long Free => Lists.FreeFrames + Detached;

    /// <summary>The fewest free frames since the trimmer last asked: what stayed free all the time is idle.</summary>
    internal long LeastFree { get; private set; }

    /// <summary>Page blocks whose type was changed for an allocation that found nothing of its own.</summary>
    internal long Claims { get; private set; }

    /// <summary>Frames kept out of use for good: out of generations, or found bad. Part of <see cref="Out"/>.</summary>
    internal long Retired { get; set; }

    /// <summary>Blocks taken from another type's page block without changing it.</summary>
    internal long Steals { get; private set; }

    /// <summary>Adds frames that came online.</summary>
    internal void AddSection(uint first, uint frames, MigrateType type)
    {
        long before = Lists.FreeFrames;
        Managed += frames;
        for (uint frame = first; frame < first + frames; frame += BlockFrames)
        {
            PageMap.Descriptor(frame)->BlockType = type;
        }

        for (uint frame = first; frame < first + frames; frame += 1u << Page.MaxOrder)
        {
            MarkInner(frame, Page.MaxOrder);
            if (!TryAddWithout(frame))
            {
                Lists.Push(frame, Page.MaxOrder, type, atBack: true);
            }
        }

        // What was in use at the interval's peak is not idle because memory came since.
        LeastFree += Lists.FreeFrames - before;
    }

    /// <summary>Takes a block, or returns 0: from its own type's lists, from lent memory where allowed, from another type's.</summary>
    internal uint Take(int order, MigrateType type)
    {
        if (Closed)
        {
            return 0;
        }

        uint frame = TakeOwn(order, type);
        if (frame == 0 && type == MigrateType.Contiguous)
        {
            // Nothing to borrow from the area: such pages are movable like any other.
            type = MigrateType.Movable;
            frame = TakeOwn(order, type);
        }

        if (frame == 0)
        {
            frame = TakeFromOther(order, type);
        }

        if (frame != 0)
        {
            Out += 1L << order;
            LeastFree = Math.Min(LeastFree, Free);
        }

        return frame;
    }

    /// <summary>Gives a block back and merges it as far as it goes.</summary>
    internal void Give(uint frame, int order, bool atBack = false)
    {
        Out -= 1L << order;
        if (order == Page.MaxOrder && BlockTypeOf(frame) != BlockTypeOf(frame + BlockFrames))
        {
            // It was taken as one, and half of it was isolated meanwhile: each page block's half goes to that block's list.
            Insert(frame, BlockOrder, atBack);
            Insert(frame + BlockFrames, BlockOrder, atBack);
            return;
        }

        Insert(frame, order, atBack);
    }

    /// <summary>Takes one particular free block off its list for a while. It stays free, and nobody's.</summary>
    internal void Detach(uint frame)
    {
        long frames = 1L << PageMap.Descriptor(frame)->Order;
        Out += frames;
        Detached += frames;
        Lists.Remove(frame);
    }

    /// <summary>Gives a detached block back, to where it is taken last.</summary>
    internal void Reattach(uint frame, int order)
    {
        Detached -= 1L << order;
        Give(frame, order, atBack: true);
    }

    /// <summary>The migrate type of the page block that holds a frame.</summary>
    internal static MigrateType BlockTypeOf(uint frame) => PageMap.Descriptor(frame & ~(BlockFrames - 1u))->BlockType;

    /// <summary>Starts a new interval of <see cref="LeastFree"/> and returns the old one's.</summary>
    internal long RestartLeastFree()
    {
        long least = LeastFree;
        LeastFree = Free;
        return least;
    }

    internal void Verify()
    {
        Lists.Verify();
        Invariant.Holds(Managed == Lists.FreeFrames + Out, "managed frames are not free plus out; out is {0}", (ulong)Out);
    }

    private uint TakeOwn(int order, MigrateType type)
    {
        for (int o = order; o <= Page.MaxOrder; o++)
        {
            uint frame = Lists.First(o, type);
            if (frame != 0)
            {
                return Split(frame, o, order);
            }
        }

        return 0;
    }

    /// <summary>Where frames of a block were retired in an earlier life of their numbers, adds the others one by one.</summary>
    private bool TryAddWithout(uint first)
    {
        uint end = first + (1u << Page.MaxOrder);
        bool any = false;
        for (uint frame = first; frame < end && !any; frame++)
        {
            any = PageIdentity.Generation(PageMap.Descriptor(frame)->Identity) >= PagePreparation.RetireAt;
        }

        for (uint frame = first; any && frame < end; frame++)
        {
            Out++;
            if (PageIdentity.Generation(PageMap.Descriptor(frame)->Identity) >= PagePreparation.RetireAt)
            {
                PageMap.Descriptor(frame)->State = PageState.Retired;
                Retired++;
            }
            else
            {
                Give(frame, 0);
            }
        }

        return any;
    }

    /// <summary>The largest block of another type: the more of a page block it is, the better the whole page block changes its type.</summary>
    private uint TakeFromOther(int order, MigrateType type)
    {
        MigrateType other = type == MigrateType.Unmovable ? MigrateType.Movable : MigrateType.Unmovable;
        for (int o = Page.MaxOrder; o >= order; o--)
        {
            uint frame = Lists.First(o, other);
            if (frame == 0)
            {
                continue;
            }

            if (o < BlockOrder && FreeFramesInBlock(frame) < BlockFrames / 2)
            {
                Steals++;
                return Split(frame, o, order);
            }

            Claims++;
            Claim(frame, o, type);
            return Split(frame, o, order);
        }

        return 0;
    }

    /// <summary>Takes a free block off its list and puts the upper halves back until it has the order wanted.</summary>
    private uint Split(uint frame, int from, int to)
    {
        MigrateType type = PageMap.Descriptor(frame)->Type;
        Lists.Remove(frame);
        for (int o = from - 1; o >= to; o--)
        {
            Lists.Push(frame + (1u << o), o, type);
        }

        return frame;
    }

    private void Insert(uint frame, int order, bool atBack = false)
    {
        MigrateType type = BlockTypeOf(frame);
        while (order < Page.MaxOrder && TryTakeBuddy(frame, order, type))
        {
            PageMap.Descriptor(frame)->State = PageState.Inner;
            PageMap.Descriptor(frame ^ (1u << order))->State = PageState.Inner;
            frame &= ~(1u << order);
            order++;
        }

        Lists.Push(frame, order, type, atBack || IsMergeLikely(frame, order));
    }

    private bool TryTakeBuddy(uint frame, int order, MigrateType type)
    {
        uint number = frame ^ (1u << order);
        PageDescriptor* buddy = PageMap.Descriptor(number);
        if (buddy->State != PageState.Buddy || buddy->Order != order || (order >= BlockOrder && BlockTypeOf(number) != type))
        {
            return false;
        }

        Lists.Remove(number);
        return true;
    }

    /// <summary>Where the next larger buddy is free already, keep this block back: its own buddy coming free would merge twice.</summary>
    private static bool IsMergeLikely(uint frame, int order)
    {
        if (order >= Page.MaxOrder - 1)
        {
            return false;
        }

        PageDescriptor* above = PageMap.Descriptor((frame & ~(1u << order)) ^ (2u << order));
        return above->State == PageState.Buddy && above->Order == order + 1;
    }

    /// <summary>Gives the page blocks that a free block lies in, or covers, to another type.</summary>
    private void Claim(uint frame, int order, MigrateType type)
    {
        if (order < BlockOrder)
        {
            Retype(frame & ~(BlockFrames - 1u), type);
            return;
        }

        Lists.Remove(frame);
        for (uint block = frame; block < frame + (1u << order); block += BlockFrames)
        {
            PageMap.Descriptor(block)->BlockType = type;
        }

        Lists.Push(frame, order, type);
    }

    /// <summary>Gives a page block another type and moves its free blocks to that type's lists.</summary>
    private void Retype(uint block, MigrateType type)
    {
        uint top = block & ~((1u << Page.MaxOrder) - 1u);
        if (PageMap.Descriptor(top) is var head && head->State == PageState.Buddy && head->Order == Page.MaxOrder)
        {
            // One free block of the largest order covers two page blocks: they part before one changes its type.
            MigrateType old = head->Type;
            Lists.Remove(top);
            MarkInner(top, Page.MaxOrder);
            Lists.Push(top, BlockOrder, old);
            Lists.Push(top + BlockFrames, BlockOrder, old);
        }

        PageMap.Descriptor(block)->BlockType = type;
        for (uint frame = block; frame < block + BlockFrames;)
        {
            PageDescriptor* page = PageMap.Descriptor(frame);
            if (page->State != PageState.Buddy)
            {
                frame++;
                continue;
            }

            int order = page->Order;
            Lists.Remove(frame);
            Lists.Push(frame, order, type);
            frame += 1u << order;
        }
    }

    private static int FreeFramesInBlock(uint frame)
    {
        uint block = frame & ~(BlockFrames - 1u);
        int free = 0;
        for (uint f = block; f < block + BlockFrames;)
        {
            PageDescriptor* page = PageMap.Descriptor(f);
            bool isFree = page->State == PageState.Buddy;
            uint frames = isFree ? 1u << page->Order : 1;
            free += isFree ? (int)frames : 0;
            f += frames;
        }

        return free;
    }

    private static void MarkInner(uint first, int order)
    {
        for (uint frame = first; frame < first + (1u << order); frame++)
        {
            PageMap.Descriptor(frame)->State = PageState.Inner;
        }
    }
}
