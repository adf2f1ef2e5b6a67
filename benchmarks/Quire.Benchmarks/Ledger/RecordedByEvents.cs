using Quire.Benchmarks.Events;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Ledger;

/// <summary>Quire's own blocks with the ledger off, and each taking and dropping written down as an event, by address.</summary>
internal readonly struct RecordedByAddress<TBlocks, T>(TBlocks blocks) : IBlocks<T>
    where TBlocks : struct, IBlocks<T>
    where T : struct
{
    private readonly TBlocks _blocks = blocks;

    public T Take()
    {
        T block = _blocks.Take();
        ReferenceEvents.Log.Taken(0x7F00_0000_1000, 7, 1, 141);
        return block;
    }

    public byte Read(T block) => _blocks.Read(block);

    public void Drop(T block)
    {
        ReferenceEvents.Log.Dropped(0x7F00_0000_1000, 7, 1, 141);
        _blocks.Drop(block);
    }

    public void DropElsewhere(T block) => Drop(block);

    public void DropElsewhere(ReadOnlySpan<T> blocks)
    {
        foreach (T block in blocks)
        {
            Drop(block);
        }
    }
}

/// <summary>The same, as most event sources are written.</summary>
internal readonly struct RecordedPlainly<TBlocks, T>(TBlocks blocks) : IBlocks<T>
    where TBlocks : struct, IBlocks<T>
    where T : struct
{
    private readonly TBlocks _blocks = blocks;

    public T Take()
    {
        T block = _blocks.Take();
        ReferenceEvents.Log.TakenPlainly(0x7F00_0000_1000, 7, 1, 141);
        return block;
    }

    public byte Read(T block) => _blocks.Read(block);

    public void Drop(T block)
    {
        ReferenceEvents.Log.DroppedPlainly(0x7F00_0000_1000, 7, 1, 141);
        _blocks.Drop(block);
    }

    public void DropElsewhere(T block) => Drop(block);

    public void DropElsewhere(ReadOnlySpan<T> blocks)
    {
        foreach (T block in blocks)
        {
            Drop(block);
        }
    }
}
