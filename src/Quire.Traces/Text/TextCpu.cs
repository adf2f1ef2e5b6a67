using System.Collections;

namespace Quire.Traces;

/// <summary>What is known of a CPU while the text is read.</summary>
internal sealed class TextCpu(int number, string instance, int stream)
{
    /// <summary>Interrupts that can nest, each between an event and its stack.</summary>
    private const int Nested = 8;

    /// <summary>Events without a stack yet, oldest first, with the lines they stood on: an event that was given out in the meantime may be in use for another line.</summary>
    private readonly (TextEvent Event, long Line)[] _open = new (TextEvent, long)[Nested];
    private int _opened;

    internal int Number { get; } = number;

    internal string Instance { get; } = instance;

    internal int Stream { get; } = stream;

    /// <summary>Events lost since the last one; -1: nobody knows how many.</summary>
    internal long Lost { get; set; }

    /// <summary>Whether an event of it was read.</summary>
    internal bool IsSeen { get; set; }

    /// <summary>An event came: those before it that were of its own context have no stack.</summary>
    internal void Open(TextEvent added)
    {
        int kept = 0;
        for (int at = 0; at < _opened; at++)
        {
            (TextEvent other, long line) = _open[at];

            // An interrupt keeps the task it interrupts; where the text does not say what is an interrupt, the same task may be one.
            if (other.Line == line && other.Pid == added.Pid && (other.Level != added.Level || added.Level == 0))
            {
                _open[kept++] = _open[at];
            }
            else
            {
                Close(at);
            }
        }

        if (kept == Nested)
        {
            Close(0);
            Array.Copy(_open, 1, _open, 0, --kept);
        }

        _open[kept] = (added, added.Line);
        _opened = kept + 1;
    }

    /// <summary>The event that a stack belongs to: the last of the same task and context without one. Null where there is none.</summary>
    internal TextEvent? TakeFor(int pid, byte level)
    {
        for (int at = _opened - 1; at >= 0; at--)
        {
            (TextEvent candidate, long line) = _open[at];
            if (candidate.Line == line && candidate.Pid == pid && candidate.Level == level && !candidate.IsDone)
            {
                Array.Copy(_open, at + 1, _open, at, _opened - at - 1);
                _opened--;
                return candidate;
            }
        }

        return null;
    }

    /// <summary>Nothing that was read has a stack to come: events were lost, or the text ends.</summary>
    internal void CloseAll()
    {
        for (int at = 0; at < _opened; at++)
        {
            Close(at);
        }

        _opened = 0;
    }

    internal void Rewind()
    {
        _opened = 0;
        Lost = 0;
        IsSeen = false;
    }

    private void Close(int at)
    {
        (TextEvent other, long line) = _open[at];
        if (other.Line == line)
        {
            other.IsDone = true;
        }
    }
}

/// <summary>The CPUs in the order in which the text first names them. Who asks for all of them has the whole text read for it, once.</summary>
internal sealed class TextCpus(Action readAll) : IReadOnlyList<TraceCpu>
{
    private const int Direct = 4096;

    private readonly TextCpu?[] _main = new TextCpu?[Direct];
    private readonly Dictionary<(string Instance, int Number), TextCpu> _others = [];
    private readonly List<TextCpu> _all = [];
    private readonly List<TraceCpu> _list = [];
    private bool _isComplete;

    internal IReadOnlyList<TextCpu> Seen => _all;

    public int Count
    {
        get
        {
            Complete();
            return _list.Count;
        }
    }

    public TraceCpu this[int index]
    {
        get
        {
            Complete();
            return _list[index];
        }
    }

    public IEnumerator<TraceCpu> GetEnumerator()
    {
        Complete();
        return _list.GetEnumerator();
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal TextCpu Of(int number) => number < Direct && _main[number] is { } cpu ? cpu : Of("", number);

    internal TextCpu Of(string instance, int number)
    {
        if (_others.TryGetValue((instance, number), out TextCpu? cpu))
        {
            return cpu;
        }

        cpu = new TextCpu(number, instance, _all.Count);
        _all.Add(cpu);
        _list.Add(new TraceCpu(number, instance, 0, 0));
        _others.Add((instance, number), cpu);
        if (instance.Length == 0 && number < Direct)
        {
            _main[number] = cpu;
        }

        return cpu;
    }

    /// <summary>The whole text was read.</summary>
    internal void IsRead() => _isComplete = true;

    private void Complete()
    {
        if (!_isComplete)
        {
            _isComplete = true;
            readAll();
        }
    }
}
