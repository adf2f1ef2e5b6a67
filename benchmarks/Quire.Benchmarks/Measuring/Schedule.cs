using System.Diagnostics;

namespace Quire.Benchmarks.Measuring;

/// <summary>How long and how often is measured.</summary>
/// <param name="Sample">Aimed length of one contender's turn in one round: short, so that most turns fall between what other processes take.</param>
/// <param name="Rounds">Rounds a row; every contender has one turn in each.</param>
/// <param name="LeastRounds">Rounds that are run even when the time is up: below that a median says nothing.</param>
/// <param name="WarmUpPasses">Most passes over all contenders before measuring; it ends earlier once the JIT is quiet.</param>
/// <param name="Total">Time for all rows, counted from the start of the process. Only a busy machine comes near it.</param>
internal sealed record Schedule(TimeSpan Sample, int Rounds, int LeastRounds, int WarmUpPasses, TimeSpan Total)
{
    public static Schedule Full { get; } = new(TimeSpan.FromMilliseconds(2), 401, 5, 20, TimeSpan.FromMinutes(4));

    /// <summary>The brief run: 40 s as the aim leaves room for the last row's least rounds below 50 s.</summary>
    public static Schedule Quick { get; } = new(TimeSpan.FromMilliseconds(1), 201, 5, 12, TimeSpan.FromSeconds(40));
}

/// <summary>A point in time by which something should have ended.</summary>
internal readonly struct Deadline
{
    private readonly long _at;

    private Deadline(long at) => _at = at;

    public bool Passed => Stopwatch.GetTimestamp() >= _at;

    public static Deadline In(TimeSpan time) => new(Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency));
}
