using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire.Benchmarks.Work;

/// <summary>A bounded ring between one producing and one consuming thread; the same code for every contender.</summary>
/// <remarks>
/// <para>Equation: <c>head &lt;= tail &lt;= head + capacity</c>; slots from head up to tail hold items. Indexes only grow.</para>
/// <para>
/// Written not to drown what it carries: each side's indexes stand in lines of their own (two lines apart, since the
/// processor fetches neighbours in pairs), and each side keeps a copy of the other's index, which it reads again only
/// when the copy says full or empty. Whoever finds the ring full or empty pauses before it looks again, so that the other
/// side gets some way ahead, and the line with the index is not pulled back and forth for each item.
/// </para>
/// </remarks>
internal sealed class SpscRing<T>
    where T : struct
{
    private readonly T[] _slots;
    private readonly int _mask;
    private SpscIndexes _indexes;

    public SpscRing(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(capacity, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity));
        _slots = new T[capacity];
        _mask = capacity - 1;
    }

    /// <summary>Producer: puts an item, waits while the ring is full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put(T item)
    {
        long tail = _indexes.Tail;
        if (tail - _indexes.HeadSeen == _slots.Length)
        {
            WaitForRoom(tail);
        }

        Slot(tail) = item;

        // Happens before: the consumer that reads this tail reads the item written above.
        Volatile.Write(ref _indexes.Tail, tail + 1);
    }

    /// <summary>Consumer: takes one item, waits while the ring is empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Take()
    {
        long head = _indexes.Head;
        if (head == _indexes.TailSeen)
        {
            WaitForItem(head);
        }

        T item = Slot(head);

        // Happens before: the producer that reads this head overwrites the slot only after it was read.
        Volatile.Write(ref _indexes.Head, head + 1);
        return item;
    }

    /// <summary>Consumer: takes what is there, at least one, at most what <paramref name="items"/> holds; waits while the ring is empty.</summary>
    public int Take(Span<T> items)
    {
        long head = _indexes.Head;
        if (_indexes.TailSeen - head < items.Length)
        {
            _indexes.TailSeen = Volatile.Read(ref _indexes.Tail);
            if (head == _indexes.TailSeen)
            {
                WaitForItem(head);
            }
        }

        int count = (int)Math.Min(items.Length, _indexes.TailSeen - head);
        for (int i = 0; i < count; i++)
        {
            items[i] = Slot(head + i);
        }

        Volatile.Write(ref _indexes.Head, head + count);
        return count;
    }

    /// <summary>Makes a producer that waits for room throw instead of waiting for a consumer that has failed.</summary>
    public void Abandon() => Volatile.Write(ref _indexes.Abandoned, true);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref T Slot(long index) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), (nint)index & _mask);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WaitForRoom(long tail)
    {
        Pause pause = default;
        while (tail - (_indexes.HeadSeen = Volatile.Read(ref _indexes.Head)) == _slots.Length)
        {
            if (Volatile.Read(ref _indexes.Abandoned))
            {
                throw new InvalidOperationException("the ring's consumer has failed");
            }

            pause.Once();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WaitForItem(long head)
    {
        Pause pause = default;
        while (head == (_indexes.TailSeen = Volatile.Read(ref _indexes.Tail)))
        {
            pause.Once();
        }
    }
}

/// <summary>A ring's indexes, each side's in lines of its own. Not nested: a generic type may not lay out its fields itself.</summary>
[StructLayout(LayoutKind.Explicit, Size = 384)]
internal struct SpscIndexes
{
    [FieldOffset(0)]
    public bool Abandoned;

    [FieldOffset(128)]
    public long Tail;

    [FieldOffset(136)]
    public long HeadSeen;

    [FieldOffset(256)]
    public long Head;

    [FieldOffset(264)]
    public long TailSeen;
}
