namespace Quire.Benchmarks.Measuring;

/// <summary>One contender's figures, in nanoseconds for each operation, one a round, in the order of the rounds.</summary>
internal sealed class Samples
{
    private readonly double[] _rounds;
    private readonly double[] _sorted;

    public Samples(Contender contender, double[] rounds)
    {
        ArgumentOutOfRangeException.ThrowIfZero(rounds.Length);
        Contender = contender;
        _rounds = rounds;
        _sorted = [.. rounds.Order()];
    }

    public Contender Contender { get; }

    public double Least => _sorted[0];

    public double Most => _sorted[^1];

    public double Median => MedianOf(_sorted);

    /// <summary>This contender's median over the other's: what the report and the JSON call the ratio.</summary>
    public double RatioTo(Samples other) => Median / other.Median;

    /// <summary>
    /// The median of the ratios within each round. Both sides of it saw the same neighbours, so where it differs from
    /// <see cref="RatioTo"/> the machine was not quiet enough for either to be believed.
    /// </summary>
    public double PairedRatioTo(Samples other)
    {
        double[] ratios = [.. _rounds.Zip(other._rounds, (mine, its) => mine / its).Order()];
        return MedianOf(ratios);
    }

    private static double MedianOf(double[] sorted)
    {
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
