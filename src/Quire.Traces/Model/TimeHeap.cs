using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>Something that stands at a moment.</summary>
internal interface ITimed
{
    /// <summary>ns of the trace's clock.</summary>
    long Time { get; }

    /// <summary>Which of two at the same moment comes first: the lower.</summary>
    int Rank { get; }
}

/// <summary>
/// Merges streams by time. The stream just read stays on top and is moved on in place: as long as it has the earliest event, which in bursts it has, that costs
/// one comparison or two.
/// </summary>
internal sealed class TimeHeap<T>(int capacity)
    where T : class, ITimed
{
    private readonly T[] _items = new T[capacity];
    private int _count;

    internal bool IsEmpty => _count == 0;

    internal T Top => _items[0];

    internal void Add(T item)
    {
        int at = _count++;
        while (at > 0 && IsBefore(item, _items[(at - 1) / 2]))
        {
            _items[at] = _items[(at - 1) / 2];
            at = (at - 1) / 2;
        }

        _items[at] = item;
    }

    /// <summary>The top has moved on to a later event.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void TopMoved()
    {
        T item = _items[0];
        int at = 0;
        for (int child = 1; child < _count; child = (2 * at) + 1)
        {
            child += child + 1 < _count && IsBefore(_items[child + 1], _items[child]) ? 1 : 0;
            if (!IsBefore(_items[child], item))
            {
                break;
            }

            _items[at] = _items[child];
            at = child;
        }

        _items[at] = item;
    }

    internal void RemoveTop()
    {
        _items[0] = _items[--_count];
        _items[_count] = null!;
        if (_count > 0)
        {
            TopMoved();
        }
    }

    internal void Clear()
    {
        Array.Clear(_items);
        _count = 0;
    }

    private static bool IsBefore(T a, T b) => a.Time != b.Time ? a.Time < b.Time : a.Rank < b.Rank;
}
