namespace Quire.Benchmarks.Kestrel;

/// <summary>What was measured of one pool.</summary>
internal sealed class KestrelFigures(string pool)
{
    public string Pool { get; } = pool;

    /// <summary>Requests a second of a short answer, a round each.</summary>
    public List<double> Plaintext { get; } = [];

    /// <summary>The same of an answer of 16 KiB: of several segments, unlike the short one.</summary>
    public List<double> Large { get; } = [];

    public double RequestsPerSecond => Median(Plaintext);

    public double BeforeMb { get; set; }

    public double PeakMb { get; set; }

    public double BurstSeconds { get; set; }

    /// <summary>Resident memory by the seconds since the burst's end.</summary>
    public SortedDictionary<int, double> AfterMb { get; } = [];

    public static double Median(List<double> values)
    {
        List<double> sorted = [.. values.Order()];
        int middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// <summary>Each round's ratio, then the median: what the machine did in a round, it did to both.</summary>
    public static double RatioOfPairs(List<double> mine, List<double> theirs) => Median([.. mine.Zip(theirs, static (a, b) => a / b)]);
}
