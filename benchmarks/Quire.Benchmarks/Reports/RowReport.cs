using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.Reports;

/// <summary>How a bar was met.</summary>
/// <param name="Bar">The bar.</param>
/// <param name="Best">The best of its peers that took part, or null if none did.</param>
/// <param name="Missing">Its peers that took no part.</param>
/// <param name="Ratio">Quire's median over the best peer's, or null where either is missing.</param>
/// <param name="Quire">Quire's median in ns, or null where it took no part.</param>
internal sealed record Verdict(Bar Bar, Samples? Best, IReadOnlyList<string> Missing, double? Ratio, double? Quire)
{
    /// <summary>Nanoseconds above the best peer; negative where Quire is quicker.</summary>
    public double? Difference => Quire - Best?.Median;

    public bool Met => (Ratio <= Bar.AtMost || (Bar.OrWithin > 0 && Difference <= Bar.OrWithin)) && Quire < Bar.Under;

    public bool MoonshotMet => Ratio <= Bar.Moonshot && Quire < Bar.MoonshotUnder;
}

/// <summary>A row's figures put against each other.</summary>
internal sealed class RowReport(Row row, RoundsResult result)
{
    public Row Row { get; } = row;

    public RoundsResult Result { get; } = result;

    /// <summary>What was found out by measuring, beside the figures.</summary>
    public IReadOnlyList<string> Findings { get; } = [.. row.Findings.Select(find => find(result))];

    public Samples? Quire { get; } = result.Samples.FirstOrDefault(samples => samples.Contender.Role == ContenderRole.Quire);

    public IEnumerable<Samples> Peers => Result.Samples.Where(samples => samples.Contender.Role == ContenderRole.Peer);

    public IEnumerable<Verdict> Verdicts => Row.Bars.Select(Judge);

    private Verdict Judge(Bar bar)
    {
        Samples? best = Peers.Where(samples => bar.Peers.Contains(samples.Contender.Name)).MinBy(samples => samples.Median);
        string[] missing = [.. bar.Peers.Where(name => Peers.All(samples => samples.Contender.Name != name))];
        return new Verdict(bar, best, missing, best is null ? null : Quire?.RatioTo(best), Quire?.Median);
    }
}
