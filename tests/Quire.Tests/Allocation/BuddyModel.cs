using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>
/// A buddy allocator as a set of free frames: the free blocks are the largest aligned runs of it that keep to one type of page block.
/// No lists, no links, no splitting: what the real one must look like after any history.
/// </summary>
internal sealed class BuddyModel
{
    private readonly SortedSet<uint> _free = [];
    private readonly List<(uint First, uint Frames)> _sections = [];

    internal int FreeFrames => _free.Count;

    internal void Free(uint first, int order)
    {
        for (uint i = 0; i < 1u << order; i++)
        {
            Assert.True(_free.Add(first + i), $"Frame 0x{first + i:x} was free already.");
        }
    }

    internal void Take(uint first, int order)
    {
        for (uint i = 0; i < 1u << order; i++)
        {
            Assert.True(_free.Remove(first + i), $"Frame 0x{first + i:x} of a block of order {order} was given out while in use.");
        }
    }

    /// <summary>Brings the model up to the sections that the allocator has; new ones are free.</summary>
    internal bool Grow(PageAllocator allocator)
    {
        bool grew = false;
        foreach ((uint first, uint frames) in allocator.Sections.All())
        {
            if (!_sections.Contains((first, frames)))
            {
                _sections.Add((first, frames));
                for (uint i = 0; i < frames; i++)
                {
                    _free.Add(first + i);
                }

                grew = true;
            }
        }

        return grew;
    }

    internal int FreeInBlock(uint frame)
    {
        uint block = frame & ~(BuddyZone.BlockFrames - 1u);
        return _free.GetViewBetween(block, block + BuddyZone.BlockFrames - 1).Count;
    }

    /// <summary>Every free block that there must be.</summary>
    internal HashSet<(uint Frame, int Order, MigrateType Type)> Blocks()
    {
        HashSet<(uint, int, MigrateType)> blocks = [];
        foreach ((uint first, uint frames) in _sections)
        {
            for (uint top = first; top < first + frames; top += 1u << Page.MaxOrder)
            {
                Cut(top, Page.MaxOrder, blocks);
            }
        }

        return blocks;
    }

    /// <summary>The free blocks that the allocator has on its lists.</summary>
    internal static unsafe HashSet<(uint Frame, int Order, MigrateType Type)> BlocksOf(PageAllocator allocator)
    {
        HashSet<(uint, int, MigrateType)> blocks = [];
        for (int order = 0; order <= Page.MaxOrder; order++)
        {
            for (MigrateType type = 0; type <= MigrateType.Isolated; type++)
            {
                for (uint frame = allocator.Zone.Lists.First(order, type); frame != 0; frame = PageMap.Descriptor(frame)->Next)
                {
                    Assert.True(blocks.Add((frame, order, type)), $"Block 0x{frame:x} is on a list twice.");
                }
            }
        }

        return blocks;
    }

    private void Cut(uint first, int order, HashSet<(uint Frame, int Order, MigrateType Type)> blocks)
    {
        uint frames = 1u << order;
        MigrateType type = BuddyZone.BlockTypeOf(first);
        bool oneType = order <= BuddyZone.BlockOrder || BuddyZone.BlockTypeOf(first + BuddyZone.BlockFrames) == type;
        int free = _free.GetViewBetween(first, first + frames - 1).Count;
        if (free == frames && oneType)
        {
            blocks.Add((first, order, type));
        }
        else if (free != 0)
        {
            Cut(first, order - 1, blocks);
            Cut(first + (frames / 2), order - 1, blocks);
        }
    }
}
