namespace Quire.Traces.Analysis;

/// <summary>Comings and goings over time in constant memory, told in any order: references are settled late.</summary>
internal sealed class ReferenceFlow
{
    /// <summary>Spans of equal length; when a time lies beyond them, each two become one.</summary>
    private const int Spans = 64;

    /// <summary>ns, about 70 years: times of a damaged trace are anything, and sums and differences of these must not overflow.</summary>
    private const long Farthest = 1L << 61;

    private readonly long[] _changes = new long[Spans];
    private long _start = long.MaxValue;
    private long _width = 1;

    internal void Add(long time, long change)
    {
        time = Math.Clamp(time, -Farthest, Farthest);
        if (_start == long.MaxValue)
        {
            _start = time;
        }

        while (time < _start)
        {
            // Room before the first span: they move to the right, after there is room.
            long missing = (_start - time + _width - 1) / _width;
            if (missing >= Spans / 2)
            {
                Widen();
                continue;
            }

            Shift((int)missing);
        }

        while ((time - _start) / _width >= Spans)
        {
            Widen();
        }

        _changes[(time - _start) / _width] += change;
    }

    /// <summary>The sum at the end of each eighth of a stretch of time.</summary>
    internal long[] At(long begin, long end)
    {
        long[] points = new long[Trend.Points];
        for (int point = 0; point < points.Length; point++)
        {
            long until = begin + (long)((end - begin) * ((point + 1.0) / points.Length));
            for (int span = 0; span < Spans && (point == points.Length - 1 || _start + (_width * (span + 1)) <= until + (_width / 2)); span++)
            {
                points[point] += _changes[span];
            }
        }

        return points;
    }

    private void Widen()
    {
        for (int i = 0; i < Spans / 2; i++)
        {
            _changes[i] = _changes[2 * i] + _changes[(2 * i) + 1];
        }

        Array.Clear(_changes, Spans / 2, Spans / 2);
        _width *= 2;
    }

    private void Shift(int by)
    {
        if (_changes.AsSpan(Spans - by).ContainsAnyExcept(0))
        {
            Widen();
            return;
        }

        Array.Copy(_changes, 0, _changes, by, Spans - by);
        Array.Clear(_changes, 0, by);
        _start -= by * _width;
    }
}
