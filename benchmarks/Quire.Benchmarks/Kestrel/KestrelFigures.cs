namespace Quire.Benchmarks.Kestrel;

/// <summary>What was measured of one pool.</summary>
internal sealed class KestrelFigures(string pool)
{
    public string Pool { get; } = pool;

    /// <summary>Requests of a short answer.</summary>
    public LoadFigures Plaintext { get; } = new();

    /// <summary>Requests of an answer of 16 KiB: of several segments, unlike the short one.</summary>
    public LoadFigures Large { get; } = new();

    public double BeforeMb { get; set; }

    public double PeakMb { get; set; }

    public double BurstSeconds { get; set; }

    /// <summary>Resident memory by the seconds since the burst's end.</summary>
    public SortedDictionary<int, double> AfterMb { get; } = [];
}

/// <summary>What was measured of one kind of request, a round each.</summary>
internal sealed class LoadFigures
{
    /// <summary>Requests a second.</summary>
    public List<double> PerSecond { get; } = [];

    /// <summary>Processor time of the server a request, in microseconds.</summary>
    public List<double> Microseconds { get; } = [];

    public void Measure(ChildServer server, string path, int connections, int seconds)
    {
        TimeSpan before = server.ProcessorTime;
        double perSecond = RequestLoad.Measure(server.Address, path, connections, seconds, out double requests);
        PerSecond.Add(perSecond);
        Microseconds.Add((server.ProcessorTime - before).TotalMicroseconds / requests);
    }

    public static double Median(List<double> values)
    {
        List<double> sorted = [.. values.Order()];
        int middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /// <summary>Each round's ratio, then the median: what the machine did in a round, it did to both.</summary>
    public static double Ratio(List<double> mine, List<double> theirs) => Median([.. mine.Zip(theirs, static (a, b) => a / b)]);
}
