using System.Globalization;

namespace Quire.Explore;

/// <summary>Names one order of steps: with the same scene it gives the same run.</summary>
/// <param name="Seed">Of the generator that decides.</param>
/// <param name="Depth">0: a random walk. Above: PCT, with one change of priority fewer than this.</param>
/// <param name="Length">PCT only: changes come within this many steps.</param>
internal readonly record struct Schedule(int Seed, int Depth, int Length)
{
    public override string ToString() => Depth == 0 ? $"walk:{Seed}" : $"pct:{Seed}:{Depth}:{Length}";

    internal static Schedule Parse(string text)
    {
        string[] parts = text.Split(':');
        int[] numbers = [.. parts.Skip(1).Select(static part => int.Parse(part, CultureInfo.InvariantCulture))];
        return parts[0] switch
        {
            "walk" when numbers.Length == 1 => new Schedule(numbers[0], 0, 0),
            "pct" when numbers.Length == 3 => new Schedule(numbers[0], numbers[1], numbers[2]),
            _ => throw new FormatException($"'{text}' is no schedule; one is walk:SEED or pct:SEED:DEPTH:LENGTH."),
        };
    }
}

/// <summary>Decides who runs next. One object a run.</summary>
internal abstract class Strategy
{
    internal static Strategy Of(Schedule schedule, int threads) => schedule.Depth == 0 ? new RandomWalk(schedule) : new PriorityChanges(schedule, threads);

    /// <summary>Picks one of <paramref name="ready"/>, which is not empty. <paramref name="yields"/>: the present one can't go on before another has.</summary>
    internal abstract int Next(int current, bool yields, int step, ReadOnlySpan<int> ready);

    /// <summary>Every thread that can go on is as likely as any other, at every step.</summary>
    private sealed class RandomWalk(Schedule schedule) : Strategy
    {
        private readonly Random _random = new(schedule.Seed);

        internal override int Next(int current, bool yields, int step, ReadOnlySpan<int> ready)
        {
            int pick;
            do
            {
                pick = ready[_random.Next(ready.Length)];
            }
            while (yields && pick == current && ready.Length > 1);
            return pick;
        }
    }

    /// <summary>
    /// Probabilistic concurrency testing: the thread of the highest priority runs until it ends or waits; at d-1 steps chosen beforehand the running one falls
    /// below all others. A bug that needs d orderings among n threads and k steps is met with a probability of at least 1 / (n k^(d-1)), however unlikely a walk is to meet it.
    /// </summary>
    private sealed class PriorityChanges : Strategy
    {
        private readonly int[] _priorities;
        private readonly HashSet<int> _changes = [];
        private int _lowest;

        internal PriorityChanges(Schedule schedule, int threads)
        {
            Random random = new(schedule.Seed);
            _priorities = [.. Enumerable.Range(1, threads)];
            random.Shuffle(_priorities);
            for (int i = 1; i < schedule.Depth; i++)
            {
                _changes.Add(random.Next(1, Math.Max(2, schedule.Length + 1)));
            }
        }

        internal override int Next(int current, bool yields, int step, ReadOnlySpan<int> ready)
        {
            // Who spins is waiting for somebody below: it goes below them, or nobody would ever get on.
            if (current >= 0 && (yields || _changes.Contains(step)))
            {
                _priorities[current] = --_lowest;
            }

            int best = ready[0];
            foreach (int candidate in ready)
            {
                best = _priorities[candidate] > _priorities[best] ? candidate : best;
            }

            return best;
        }
    }
}
