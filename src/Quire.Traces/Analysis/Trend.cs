namespace Quire.Traces.Analysis;

/// <summary>How a number of references went over a recording's length, in constant memory.</summary>
/// <remarks>
/// The value at the end of each of <see cref="Buckets"/> spans of equal length. How long the recording is shows only as it is read: when it outgrows the
/// spans, each two become one.
/// </remarks>
internal sealed class Trend
{
    /// <summary>Points shown.</summary>
    internal const int Points = 8;

    /// <summary>An even multiple of the points, so that doubled spans still give each point its own.</summary>
    private const int Buckets = 64;

    private const string Bars = "▁▂▃▄▅▆▇█";

    private readonly long[] _values = new long[Buckets];
    private readonly long _start;
    private long _width = 1;
    private int _last;
    private long _value;

    /// <param name="start">When the recording begins, in ns.</param>
    internal Trend(long start) => _start = start;

    internal long Value => _value;

    /// <summary>The number changed.</summary>
    internal void Add(long time, long change)
    {
        Advance(time);
        _value += change;
        _values[_last] = _value;
    }

    /// <summary>The value at the end of each eighth of the recording.</summary>
    /// <param name="end">When the recording ended, in ns.</param>
    internal long[] At(long end)
    {
        Advance(end);
        long[] points = new long[Points];
        for (int point = 0; point < Points; point++)
        {
            long until = Math.Max(0, end - _start) * (point + 1) / Points;
            long bucket = point == Points - 1 ? _last : Math.Max(0, ((until + _width - 1) / _width) - 1);
            points[point] = _values[Math.Min(bucket, _last)];
        }

        return points;
    }

    /// <summary>
    /// The word for a row of points: <c>growing</c> where later points lie above earlier ones nearly throughout and the last is half as much again as the
    /// second, <c>shrinking</c> for the reverse, else <c>steady</c>.
    /// </summary>
    /// <remarks>
    /// Of the 28 pairs of points, rises less falls (the sum that the Mann-Kendall test is made of): 28 of a straight rise, 0 of a level that varies. One step up from
    /// nothing in the middle gives 16, and must not count as growth.
    /// </remarks>
    internal static string WordFor(ReadOnlySpan<long> points)
    {
        int rises = 0;
        for (int i = 0; i < points.Length; i++)
        {
            for (int j = i + 1; j < points.Length; j++)
            {
                rises += points[j].CompareTo(points[i]);
            }
        }

        return rises >= 20 && points[^1] >= 3 && points[^1] * 2 >= points[1] * 3 ? "growing"
            : rises <= -20 ? "shrinking"
            : "steady";
    }

    /// <summary>The points as bars, the highest full; all at the bottom where all are 0.</summary>
    internal static string Spark(ReadOnlySpan<long> points)
    {
        long highest = 0;
        foreach (long point in points)
        {
            highest = Math.Max(highest, point);
        }

        Span<char> bars = stackalloc char[points.Length];
        for (int i = 0; i < points.Length; i++)
        {
            bars[i] = Bars[highest <= 0 ? 0 : (int)(Math.Max(0, points[i]) * (Bars.Length - 1) / highest)];
        }

        return bars.ToString();
    }

    private void Advance(long time)
    {
        // What was taken before the recording counts from its start on.
        long offset = Math.Max(0, time - _start);
        while (offset / _width >= Buckets)
        {
            for (int i = 0; i < Buckets / 2; i++)
            {
                _values[i] = _values[Math.Min((2 * i) + 1, _last)];
            }

            _last /= 2;
            _width *= 2;
        }

        for (int bucket = (int)(offset / _width); _last < bucket;)
        {
            _values[++_last] = _value;
        }
    }
}
