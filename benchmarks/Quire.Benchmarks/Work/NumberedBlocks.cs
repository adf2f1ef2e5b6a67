using System.Numerics;

namespace Quire.Benchmarks.Work;

/// <summary>
/// No allocator at all: what a handoff costs when only its ring is left. The blocks are numbers in order, and the consumer
/// checks them, so that every run of a handoff row also proves that the ring loses, doubles and tears nothing.
/// </summary>
/// <remarks>Producer and consumer each work on a copy that starts at 0 with every turn, since a turn drains the ring.</remarks>
/// <typeparam name="T">The payload, so that the ring alone can be seen with each width that it carries.</typeparam>
internal struct NumberedBlocks<T> : IBlocks<T>
    where T : struct, IBinaryInteger<T>
{
    private T _taken;
    private T _dropped;

    public T Take() => ++_taken;

    public readonly byte Read(T block) => 0;

    public void Drop(T block) => DropElsewhere(block);

    public void DropElsewhere(T block)
    {
        if (block != ++_dropped)
        {
            throw new InvalidOperationException($"the ring gave item {block} where {_dropped} was due");
        }
    }

    public void DropElsewhere(ReadOnlySpan<T> blocks)
    {
        foreach (T block in blocks)
        {
            DropElsewhere(block);
        }
    }
}
