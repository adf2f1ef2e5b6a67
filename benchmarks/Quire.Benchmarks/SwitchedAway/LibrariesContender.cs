using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.SwitchedAway;

/// <summary>Several copies of one library, each with a share of every turn; the figure is their mean.</summary>
/// <remarks>
/// One copy alone is at the mercy of its memory's and its code's layout, which makes one and the same loop a fifth quicker or slower from copy to copy. The mean over
/// copies loaded in turn with those that they are compared with is what remains when that is taken out.
/// </remarks>
internal sealed class LibrariesContender(string name, ContenderRole role, IReadOnlyList<Func<int, double>> libraries) : Contender(name, role)
{
    protected override double Turn(int operations)
    {
        double sum = 0;
        int share = operations / libraries.Count;
        foreach (Func<int, double> library in libraries)
        {
            sum += library(share);
        }

        return sum / libraries.Count;
    }
}
