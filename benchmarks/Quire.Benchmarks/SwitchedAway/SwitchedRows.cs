using System.Globalization;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.SwitchedAway;

/// <summary>What tracepoints cost that are there and off: the same work with them and with tracing switched away.</summary>
internal static class SwitchedRows
{
    public const string Fragment = "tracing-off-fragment";
    public const string Page = "tracing-off-page";
    public const string Reference = "tracing-off-reference";

    private const string Present = "Quire, tracing off";
    private const string Away = "Quire, switched away";
    private const string AwayAgain = "switched away, other copies";

    /// <summary>Copies of the library a contender: enough to see more than one layout of memory, and few enough to be compiled in a second.</summary>
    private const int Copies = 4;

    public static Row Open(string id, string work, SwitchedWork what)
    {
        Owned owned = new();
        List<Func<int, double>> present = [];
        List<Func<int, double>> away = [];
        List<Func<int, double>> again = [];
        for (int i = 0; i < Copies; i++)
        {
            // One of each in turn, so that what grows with every copy grows for all.
            present.Add(SecondLibrary.Open(what, hasTracing: true, owned));
            away.Add(SecondLibrary.Open(what, hasTracing: false, owned));
            again.Add(SecondLibrary.Open(what, hasTracing: false, owned));
        }

        return new Row(
            id,
            $"{work}; tracepoints there and off, against the same code with tracing switched away",
            [new Bar(1.05, 1.0, Away) { OrWithin = 0.3 }],
            [$"means over {Copies} copies of the library each, loaded in turn into this process, so that neither has the better layout of memory"],
            [
                new LibrariesContender(Present, ContenderRole.Quire, present),
                new LibrariesContender(Away, ContenderRole.Peer, away),
                new LibrariesContender(AwayAgain, ContenderRole.Floor, again),
            ],
            owned)
        {
            Findings = [Control],
        };
    }

    /// <summary>The same thing measured twice: a difference between tracing off and switched away that is no larger than this is none.</summary>
    private static string Control(RoundsResult result)
    {
        Samples once = result.Samples.Single(samples => samples.Contender.Name == Away);
        Samples again = result.Samples.Single(samples => samples.Contender.Name == AwayAgain);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"control, switched away against switched away: {again.RatioTo(once):0.000}, a difference of {again.Median - once.Median:0.00} ns");
    }
}
