using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Rows;

/// <summary>One row of the table: a kind of work, who does it, and the bars that it is held against.</summary>
/// <param name="Id">Its name on the command line and in the JSON.</param>
/// <param name="Work">The work, in a line.</param>
/// <param name="Bars">Held against the medians.</param>
/// <param name="Notes">What a reader must know to judge the figures.</param>
/// <param name="Contenders">Who does the work, Quire first.</param>
/// <param name="Owned">What the contenders stand on.</param>
internal sealed record Row(
    string Id,
    string Work,
    IReadOnlyList<Bar> Bars,
    IReadOnlyList<string> Notes,
    IReadOnlyList<Contender> Contenders,
    Owned Owned) : IDisposable
{
    /// <summary>What can be said only once the row was measured; asked once each.</summary>
    public IReadOnlyList<Func<RoundsResult, string>> Findings { get; init; } = [];

    public void Dispose() => Owned.Dispose();
}

/// <summary>Disposes of what was added to it, the last first, since what comes later stands on what came before.</summary>
internal sealed class Owned : IDisposable
{
    private readonly Stack<IDisposable> _things = [];

    public T Add<T>(T thing)
        where T : IDisposable
    {
        _things.Push(thing);
        return thing;
    }

    public void Dispose()
    {
        while (_things.TryPop(out IDisposable? thing))
        {
            thing.Dispose();
        }
    }
}

/// <summary>What section 10 of the design asks of a row: at most this ratio to the best of these peers.</summary>
/// <param name="AtMost">The bar.</param>
/// <param name="Moonshot">The aim beyond it.</param>
/// <param name="Peers">The peers by name; the one with the smallest median counts.</param>
internal sealed record Bar(double AtMost, double Moonshot, params IReadOnlyList<string> Peers)
{
    /// <summary>Nanoseconds above the best peer that are as good as the ratio: where both take next to nothing, a ratio is the clock's noise.</summary>
    public double OrWithin { get; init; }

    /// <summary>Nanoseconds that Quire must stay under as well, whatever the peer takes.</summary>
    public double Under { get; init; } = double.PositiveInfinity;

    /// <summary>The same for the moonshot.</summary>
    public double MoonshotUnder { get; init; } = double.PositiveInfinity;
}
