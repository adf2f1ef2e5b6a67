namespace Quire;

/// <summary>
/// The free blocks of one allocator: a doubly linked list for each order and migrate type, threaded through the descriptors
/// (the kernel's <c>free_area</c>). Its owner holds the gate around every call.
/// </summary>
/// <remarks>
/// Equations, checked by <see cref="Verify"/>: every block on list (order, type) starts at a multiple of 2^order, has state
/// <see cref="PageState.Buddy"/>, that order and that type; <see cref="FreeFrames"/> is the sum of 2^order over all blocks.
/// </remarks>
internal sealed unsafe class BuddyLists
{
    internal const int Orders = Page.MaxOrder + 1;
    internal const int Types = 4;

    private readonly uint[] _first = new uint[Orders * Types];
    private readonly uint[] _last = new uint[Orders * Types];
    private readonly int[] _blocks = new int[Orders * Types];
    private readonly long[] _frames = new long[Types];

    /// <summary>Free frames of all types, isolated ones too.</summary>
    internal long FreeFrames { get; private set; }

    internal long FreeFramesOf(MigrateType type) => _frames[(int)type];

    internal int Blocks(int order, MigrateType type) => _blocks[Slot(order, type)];

    /// <summary>First block of a list as a frame number, or 0.</summary>
    internal uint First(int order, MigrateType type) => _first[Slot(order, type)];

    /// <summary>Last block of a list as a frame number, or 0.</summary>
    internal uint Last(int order, MigrateType type) => _last[Slot(order, type)];

    /// <summary>Puts a free block on its list; at the back where its neighbour is likely to come free soon and merge with it.</summary>
    internal void Push(uint frame, int order, MigrateType type, bool atBack = false)
    {
        PageDescriptor* block = PageMap.Descriptor(frame);
        int slot = Slot(order, type);
        block->State = PageState.Buddy;
        block->Order = (byte)order;
        block->Type = type;
        uint neighbour = atBack ? _last[slot] : _first[slot];
        block->Next = atBack ? 0 : neighbour;
        block->Previous = atBack ? neighbour : 0;
        if (neighbour == 0)
        {
            _first[slot] = _last[slot] = frame;
        }
        else if (atBack)
        {
            PageMap.Descriptor(neighbour)->Next = frame;
            _last[slot] = frame;
        }
        else
        {
            PageMap.Descriptor(neighbour)->Previous = frame;
            _first[slot] = frame;
        }

        Count(slot, type, order, 1);
    }

    /// <summary>Takes a block off its list; it is then nobody's but the caller's.</summary>
    internal void Remove(uint frame)
    {
        PageDescriptor* block = PageMap.Descriptor(frame);
        int slot = Slot(block->Order, block->Type);
        if (block->Previous == 0)
        {
            _first[slot] = block->Next;
        }
        else
        {
            PageMap.Descriptor(block->Previous)->Next = block->Next;
        }

        if (block->Next == 0)
        {
            _last[slot] = block->Previous;
        }
        else
        {
            PageMap.Descriptor(block->Next)->Previous = block->Previous;
        }

        block->Next = block->Previous = 0;
        block->State = PageState.Moving;
        Count(slot, block->Type, block->Order, -1);
    }

    /// <summary>Walks all lists. Throws <see cref="InvalidOperationException"/> at the first entry that breaks an equation.</summary>
    internal void Verify()
    {
        long total = 0;
        for (int order = 0; order < Orders; order++)
        {
            for (int type = 0; type < Types; type++)
            {
                int slot = Slot(order, (MigrateType)type);
                int blocks = 0;
                uint previous = 0;
                for (uint frame = _first[slot]; frame != 0; frame = PageMap.Descriptor(frame)->Next)
                {
                    PageDescriptor* block = PageMap.Descriptor(frame);
                    Invariant.Holds(block->State == PageState.Buddy, "block 0x{0:x} on a buddy list has another state", frame);
                    Invariant.Holds(block->Order == order && (int)block->Type == type, "block 0x{0:x} stands on the wrong buddy list", frame);
                    Invariant.Holds((frame & ((1u << order) - 1)) == 0, "block 0x{0:x} is not aligned to its order", frame);
                    Invariant.Holds(block->Previous == previous, "block 0x{0:x} has a broken back link", frame);
                    Invariant.Holds(PageRef.Count(block) == 0, "free block 0x{0:x} has a count", frame);
                    Invariant.Holds(++blocks <= _blocks[slot], "the buddy list of block 0x{0:x} is longer than its count", frame);
                    previous = frame;
                }

                Invariant.Holds(blocks == _blocks[slot] && _last[slot] == previous, "buddy list {0} disagrees with its count", (uint)slot);
                total += (long)blocks << order;
            }
        }

        Invariant.Holds(total == FreeFrames && _frames.Sum() == FreeFrames, "free frames do not add up", 0);
    }

    private void Count(int slot, MigrateType type, int order, int sign)
    {
        long frames = (long)sign << order;
        _blocks[slot] += sign;
        _frames[(int)type] += frames;
        FreeFrames += frames;
    }

    private static int Slot(int order, MigrateType type) => (order * Types) + (int)type;
}
