using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>
/// What the trace itself teaches about which takings are undone by which puts: how often, in lives whose references balance, a reference taken at one stack was
/// given back at another.
/// </summary>
/// <remarks>Grows with pairs of distinct stacks, up to <see cref="Limit"/>; pairs beyond are not learned.</remarks>
internal sealed class PairingEvidence
{
    private const int Limit = 1 << 18;

    /// <summary>Tasks that may give back what another took, as a rule.</summary>
    private const double OtherTasks = 2;
    private const double MostOfTask = 4;

    private readonly Dictionary<(int Take, int Put), int> _pairs = [];
    private readonly Dictionary<int, int> _takes = [];
    private readonly Dictionary<int, int> _puts = [];

    private readonly Dictionary<int, (int Same, int Other)> _tasks = [];

    /// <summary>References of unknown takers have this instead of a stack.</summary>
    internal const int Before = -1;

    internal void Learn(int take, int put)
    {
        if (take == 0 || put == 0 || (_pairs.Count >= Limit && !_pairs.ContainsKey((take, put))))
        {
            return;
        }

        CollectionsMarshal.GetValueRefOrAddDefault(_pairs, (take, put), out _)++;
        CollectionsMarshal.GetValueRefOrAddDefault(_takes, take, out _)++;
        CollectionsMarshal.GetValueRefOrAddDefault(_puts, put, out _)++;
    }

    /// <summary>Whether what was taken at a stack was given back by the same task, where nobody else had anything to give back.</summary>
    internal void LearnTask(int take, bool isSame)
    {
        if (take == 0 || (_tasks.Count >= Limit && !_tasks.ContainsKey(take)))
        {
            return;
        }

        ref (int Same, int Other) seen = ref CollectionsMarshal.GetValueRefOrAddDefault(_tasks, take, out _);
        seen = isSame ? (seen.Same + 1, seen.Other) : (seen.Same, seen.Other + 1);
    }

    /// <summary>How much it speaks for a reference taken at a stack that its own task gives it back.</summary>
    internal double OfTask(int take)
    {
        // Before anything is known: four of five give back what they took themselves. Another's reference it can be as well: one of a few tasks.
        (int same, int other) = _tasks.GetValueOrDefault(take);
        double own = (same + 2) / (same + other + 2.5);
        return Math.Clamp(Math.Log(own / (1 - own) * OtherTasks), 0, MostOfTask);
    }

    /// <summary>How much the trace speaks for a pair: above 0 for it, below 0 against it, 0 where it knows neither.</summary>
    internal double Of(int take, int put)
    {
        if (take == 0 || put == 0)
        {
            return 0;
        }

        int together = _pairs.GetValueOrDefault((take, put));
        int takes = _takes.GetValueOrDefault(take);
        int puts = _puts.GetValueOrDefault(put);
        double score = 0;
        if (puts > 0)
        {
            score += together > 0 ? 4.0 * together / (puts + 2) : puts >= 4 ? -1.5 : 0;
        }

        if (takes > 0)
        {
            score += together > 0 ? 2.0 * together / (takes + 2) : takes >= 4 ? -1 : 0;
        }

        return score;
    }
}
