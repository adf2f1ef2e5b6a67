using System.Runtime;
using System.Runtime.CompilerServices;

namespace Quire.Benchmarks.Measuring;

/// <summary>What a row's rounds gave.</summary>
/// <param name="Samples">One entry a contender, in the row's order.</param>
/// <param name="RoundCount">How many rounds were run.</param>
/// <param name="DisturbedTurns">Turns whose threads lost their cores to others even when they were repeated.</param>
/// <param name="CutShort">The time was up before the schedule's rounds were.</param>
/// <param name="Warm">The JIT had come to rest before the first round.</param>
/// <param name="CompiledMeanwhile">Methods compiled while measuring; anything but 0 is a reason to doubt the figures.</param>
internal sealed record RoundsResult(
    IReadOnlyList<Samples> Samples, int RoundCount, int DisturbedTurns, bool CutShort, bool Warm, long CompiledMeanwhile);

/// <summary>
/// Runs contenders in turn, A B C, B C A, C A B, so that a slow second of the machine falls on all of them and no
/// contender always follows the same neighbour.
/// </summary>
/// <remarks>
/// A turn in which one of its threads lost its core measured the machine: it is run again, a few times at most, and the last
/// try counts whatever it says. So a try is rejected for what the system reports and never for its figure.
/// </remarks>
internal static class Rounds
{
    private const int LeastOperations = 256;
    private const int MostOperations = 1 << 24;
    private const int MostRepeats = 8;

    /// <summary>Warms up, finds how many operations fill a sample, and measures.</summary>
    /// <param name="contenders">Who takes part.</param>
    /// <param name="schedule">How long and how often.</param>
    /// <param name="time">For all of it; the warm-up may take two fifths, so that a busy machine leaves some for the rounds.</param>
    public static RoundsResult Measure(IReadOnlyList<Contender> contenders, Schedule schedule, TimeSpan time)
    {
        Deadline deadline = Deadline.In(time);
        bool warm = WarmUp.Run(contenders, schedule.WarmUpPasses, Deadline.In(time * 0.4));
        int[] operations = new int[contenders.Count];
        for (int i = 0; i < operations.Length; i++)
        {
            operations[i] = Calibrate(contenders[i], schedule.Sample);
        }

        // What the warm-up left on the heap is not to be collected during somebody's turn.
        GC.Collect();
        GC.WaitForPendingFinalizers();

        double[,] figures = new double[contenders.Count, schedule.Rounds];
        (int rounds, int disturbed, long compiled) = Turn([.. contenders], operations, figures, schedule, deadline);

        Samples[] samples = new Samples[contenders.Count];
        for (int i = 0; i < samples.Length; i++)
        {
            double[] mine = new double[rounds];
            for (int round = 0; round < rounds; round++)
            {
                mine[round] = figures[i, round];
            }

            samples[i] = new Samples(contenders[i], mine);
        }

        return new RoundsResult(samples, rounds, disturbed, rounds < schedule.Rounds, warm, compiled);
    }

    /// <summary>Calls nothing but the contenders, so that any compilation counted meanwhile is theirs; hence the attribute too.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (int Rounds, int Disturbed, long Compiled) Turn(
        Contender[] contenders, int[] operations, double[,] figures, Schedule schedule, Deadline deadline)
    {
        // The first of the two calls compiles its own stub.
        _ = JitInfo.GetCompiledMethodCount();
        long compiled = JitInfo.GetCompiledMethodCount();
        int disturbed = 0;
        int round = 0;
        for (; round < schedule.Rounds; round++)
        {
            if (round >= schedule.LeastRounds && deadline.Passed)
            {
                break;
            }

            for (int turn = 0; turn < contenders.Length; turn++)
            {
                int i = (turn + round) % contenders.Length;
                figures[i, round] = contenders[i].Run(operations[i]);
                for (int repeat = 0; repeat < MostRepeats && contenders[i].WasDisturbed && !deadline.Passed; repeat++)
                {
                    figures[i, round] = contenders[i].Run(operations[i]);
                }

                disturbed += contenders[i].WasDisturbed ? 1 : 0;
            }
        }

        return (round, disturbed, JitInfo.GetCompiledMethodCount() - compiled);
    }

    /// <summary>The best of three short runs sets the count, so that one disturbed run does not shorten all samples to come.</summary>
    private static int Calibrate(Contender contender, TimeSpan sample)
    {
        const int Probe = 4096;
        double best = double.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            best = Math.Min(best, contender.Run(Probe));
        }

        double wanted = sample.TotalNanoseconds / Math.Max(best, 0.01);
        return (int)Math.Clamp(wanted, LeastOperations, MostOperations);
    }
}
