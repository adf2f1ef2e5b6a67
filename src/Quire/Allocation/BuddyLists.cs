namespace Quire;

/// <summary>
/// The free blocks of one allocator: a list for each order and migrate type (the kernel's <c>free_area</c>). Its owner holds the gate around every call.
/// </summary>
/// <remarks>
/// Equations, checked by <see cref="Verify"/>: every block on list (order, type) starts at a multiple of 2^order, has state
/// <see cref="PageState.Buddy"/>, that order and that type; <see cref="FreeFrames"/> is the sum of 2^order over all blocks.
/// </remarks>
internal sealed unsafe class BuddyLists
{
    internal const int Orders = Page.MaxOrder + 1;
    internal const int Types = 4;

    private readonly FrameList[] _lists = new FrameList[Orders * Types];
    private readonly long[] _frames = new long[Types];

    /// <summary>Free frames of all types, isolated ones too.</summary>
    internal long FreeFrames { get; private set; }

    internal long FreeFramesOf(MigrateType type) => _frames[(int)type];

    internal int Blocks(int order, MigrateType type) => List(order, type).Count;

    /// <summary>First block of a list as a frame number, or 0.</summary>
    internal uint First(int order, MigrateType type) => List(order, type).First;

    /// <summary>Puts a free block on its list; at the back where its neighbour is likely to come free soon and merge with it.</summary>
    internal void Push(uint frame, int order, MigrateType type, bool atBack = false)
    {
        PageDescriptor* block = PageMap.Descriptor(frame);
        block->State = PageState.Buddy;
        block->Order = (byte)order;
        block->Type = type;
        List(order, type).Push(block, atBack);
        Count(type, 1L << order);
    }

    /// <summary>Takes a block off its list; it is then nobody's but the caller's.</summary>
    internal void Remove(uint frame)
    {
        PageDescriptor* block = PageMap.Descriptor(frame);
        List(block->Order, block->Type).Remove(block);
        Count(block->Type, -(1L << block->Order));
    }

    /// <summary>Walks all lists. Throws <see cref="InvalidOperationException"/> at the first entry that breaks an equation.</summary>
    internal void Verify()
    {
        long total = 0;
        for (int order = 0; order < Orders; order++)
        {
            for (MigrateType type = 0; (int)type < Types; type++)
            {
                List(order, type).Verify(PageState.Buddy, order, type);
                total += (long)Blocks(order, type) << order;
            }
        }

        Invariant.Holds(total == FreeFrames && _frames.Sum() == FreeFrames, "the lists have {0} free frames, the counters another number", (ulong)total);
    }

    private void Count(MigrateType type, long frames)
    {
        _frames[(int)type] += frames;
        FreeFrames += frames;
    }

    private ref FrameList List(int order, MigrateType type) => ref _lists[(order * Types) + (int)type];
}
