using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>Events in the order in which they will be given out: that of the text, put right where another CPU's are a little late.</summary>
/// <remarks>Bounded by events and by bytes: an event that waits too long for a stack goes without.</remarks>
internal sealed class TextQueue
{
    /// <summary>So many events later, one of another CPU may still come in between.</summary>
    internal const int Window = 64;

    /// <summary>A power of two.</summary>
    private const int Capacity = 4096;
    private const long MaximumBytes = 16 << 20;

    /// <summary>A time that lies further back than this is another trace's, in the same mail.</summary>
    private const long Slack = 1_000_000_000;

    private readonly TextEvent?[] _ring = new TextEvent?[Capacity];
    private readonly Stack<TextEvent> _free = new();
    private TextEvent? _taken;
    private int _first;
    private long _bytes;

    internal int Count { get; private set; }

    /// <summary>The first of them may go: it is complete or there is no room to wait longer.</summary>
    internal bool IsReady => Count > Window && (_ring[_first]!.IsDone || Count >= Capacity - 1 || _bytes > MaximumBytes);

    /// <summary>An event to fill and then to <see cref="Add"/>, or to give <see cref="Back"/>.</summary>
    internal TextEvent Rent() => _free.TryPop(out TextEvent? free) ? free : new TextEvent();

    internal void Back(TextEvent unused) => _free.Push(unused);

    /// <summary>Returns whether it had to be moved before others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal bool Add(TextEvent added)
    {
        int at = (_first + Count) & (Capacity - 1);
        _ring[at] = added;
        added.Counted = added.Bytes;
        _bytes += added.Counted;
        Count++;
        bool isMoved = false;
        while (at != _first)
        {
            int before = (at - 1) & (Capacity - 1);
            TextEvent other = _ring[before]!;
            if (other.Time <= added.Time || ReferenceEquals(other.Cpu, added.Cpu) || other.Time - added.Time > Slack)
            {
                break;
            }

            _ring[at] = other;
            _ring[before] = added;
            at = before;
            isMoved = true;
        }

        return isMoved;
    }

    /// <summary>Takes the first out; it stays as it is until the next is taken.</summary>
    internal TextEvent Take()
    {
        TextEvent taken = _ring[_first]!;
        _ring[_first] = null;
        taken.IsDone = true;
        if (_taken is not null)
        {
            _free.Push(_taken);
        }

        _taken = taken;
        _first = (_first + 1) & (Capacity - 1);
        Count--;
        _bytes -= taken.Counted;
        return taken;
    }

    internal void Clear()
    {
        while (Count > 0)
        {
            Take();
        }

        _first = 0;
        _bytes = 0;
    }
}
