namespace Quire.Traces.Analysis;

/// <summary>When events were lost: the spans of time, over all CPUs, in which something happened that the trace does not have.</summary>
/// <remarks>Bounded: beyond <see cref="Limit"/> spans the two nearest become one, which can only make more doubtful.</remarks>
internal sealed class LossMap
{
    private const int Limit = 4096;

    private readonly List<(long From, long To)> _spans = [];
    private long[] _lastOnCpu = [];
    private bool _isSorted = true;

    /// <summary>Whether anything was lost.</summary>
    internal bool IsEmpty => _spans.Count == 0;

    /// <summary>Sees each event, for when its CPU was heard of last.</summary>
    internal void Observe(in TraceRecord record)
    {
        int cpu = record.Stream;
        if (cpu < 0)
        {
            return;
        }

        if (cpu >= _lastOnCpu.Length)
        {
            // Before the first event of a CPU a loss may have begun at any time.
            int known = _lastOnCpu.Length;
            Array.Resize(ref _lastOnCpu, cpu + 8);
            _lastOnCpu.AsSpan(known).Fill(long.MinValue);
        }

        if (record.LostBefore != 0)
        {
            Add(_lastOnCpu[cpu], record.Time);
        }

        _lastOnCpu[cpu] = record.Time;
    }

    /// <summary>Whether a loss may lie between two moments.</summary>
    internal bool Overlaps(long from, long to)
    {
        if (_spans.Count == 0)
        {
            return false;
        }

        if (!_isSorted)
        {
            Sort();
        }

        // Spans are disjoint and in order: the first that ends after the beginning decides.
        int low = 0;
        int high = _spans.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_spans[middle].To < from)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low < _spans.Count && _spans[low].From <= to;
    }

    private void Add(long from, long to)
    {
        _spans.Add((from, to));
        _isSorted = false;
        if (_spans.Count > Limit * 2)
        {
            Sort();
            while (_spans.Count > Limit)
            {
                Thin();
            }
        }
    }

    private void Sort()
    {
        _spans.Sort();
        int kept = 0;
        for (int i = 1; i < _spans.Count; i++)
        {
            if (_spans[i].From <= _spans[kept].To)
            {
                _spans[kept] = (_spans[kept].From, Math.Max(_spans[kept].To, _spans[i].To));
            }
            else
            {
                _spans[++kept] = _spans[i];
            }
        }

        _spans.RemoveRange(Math.Min(kept + 1, _spans.Count), Math.Max(0, _spans.Count - kept - 1));
        _isSorted = true;
    }

    // Every second gap goes: as good as the nearest two again and again, and never slow.
    private void Thin()
    {
        int kept = 0;
        for (int i = 0; i < _spans.Count; i += 2)
        {
            _spans[kept++] = (_spans[i].From, _spans[Math.Min(i + 1, _spans.Count - 1)].To);
        }

        _spans.RemoveRange(kept, _spans.Count - kept);
    }
}
