using System.Diagnostics;
using System.Globalization;
using System.Text;
using Xunit;

namespace Quire.Explore;

/// <summary>
/// Runs a scene under many schedules: half of them random walks, half PCT of depth 2 to 4. A failure names its schedule and shows the trace of its points.
/// </summary>
/// <remarks>
/// Variables of the environment: <c>QUIRE_EXPLORE_SCHEDULE</c> (what a failure names) makes a test run that one schedule alone and show its trace;
/// <c>QUIRE_EXPLORE_SECONDS</c> explores for so long a scene; <c>QUIRE_EXPLORE_SEED</c> begins at other seeds than 1.
/// </remarks>
internal static class Explorer
{
    private const int MostDepth = 4;
    private const int LeastSchedules = 200;
    private const int ShownSteps = 250;

    /// <summary>One run in so many is played twice: a scene that depends on anything but its schedule is found out.</summary>
    private const int ReplayEvery = 100;

    /// <summary>On a machine that has no time, fewer schedules than asked for are enough, but never fewer than <see cref="LeastSchedules"/>.</summary>
    private static readonly TimeSpan s_budget = TimeSpan.FromSeconds(1.2);

    /// <summary>Asked for by the environment: as many schedules as fit.</summary>
    private static readonly double? s_seconds = Environment.GetEnvironmentVariable("QUIRE_EXPLORE_SECONDS") is { } seconds ? double.Parse(seconds, CultureInfo.InvariantCulture) : null;

    static Explorer() => Atomic.Explorer = new Seam();

    /// <summary>Explores; fails the test with the first bad run.</summary>
    internal static void Explore(Action<Scene> build, int schedules = 5000, int mostSteps = 4000)
    {
        string? failure = FindFailure(build, s_seconds is null ? schedules : int.MaxValue, mostSteps, out _);
        if (failure is not null)
        {
            Assert.Fail(failure);
        }
    }

    /// <summary>The first bad run as a test shows it, with its schedule; null where there is none.</summary>
    internal static string? FindFailure(Action<Scene> build, int schedules, int mostSteps, out Schedule bad)
    {
        string? given = Environment.GetEnvironmentVariable("QUIRE_EXPLORE_SCHEDULE");
        if (given is not null)
        {
            bad = Schedule.Parse(given);
            Run alone = Play(build, bad, mostSteps, traced: true);
            return Report(alone.Failure ?? "It is a good run.", bad, 1, alone.Trace);
        }

        // Not counted: the first run meets what is done once in a process.
        int seed = int.Parse(Environment.GetEnvironmentVariable("QUIRE_EXPLORE_SEED") ?? "1", CultureInfo.InvariantCulture);
        bad = new Schedule(seed, 0, 0);
        Run run = Play(build, bad, mostSteps, traced: false);
        if (run.Failure is { } atOnce)
        {
            run = Play(build, bad, mostSteps, traced: false);
            return run.Failure is null ? Report($"{atOnce} (Only in the first run of the process.)", bad, 0, []) : Explain(build, bad, 0, mostSteps, run);
        }

        int length = 0;
        int played = 0;
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < schedules && (i < LeastSchedules || Stopwatch.GetElapsedTime(began).TotalSeconds < (s_seconds ?? s_budget.TotalSeconds)); i++)
        {
            bad = i % 2 == 0 ? new Schedule(seed + i, 0, 0) : new Schedule(seed + i, 2 + (i / 2 % (MostDepth - 1)), length);
            run = Play(build, bad, mostSteps, traced: false);
            if (run.Failure is not null)
            {
                return Explain(build, bad, i + 1, mostSteps, run);
            }

            played++;
            length = Math.Max(length, run.Steps);
            if (i % ReplayEvery == 0 && !Play(build, bad, mostSteps, traced: false).Choices.SequenceEqual(run.Choices))
            {
                return $"The scene is not the same each time it is built, so its failures could not be shown again: {bad} was two different runs.";
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{played} runs of up to {length} steps, {Stopwatch.GetElapsedTime(began).TotalSeconds:F1} s");
        return null;
    }

    internal static Run Play(Action<Scene> build, Schedule schedule, int mostSteps, bool traced)
    {
        Scene scene = new();
        build(scene);
        Run run = new(scene, schedule, mostSteps, traced);
        run.Play();
        return run;
    }

    /// <summary>The same schedule again, with the trace that is too slow to take each time.</summary>
    private static string Explain(Action<Scene> build, Schedule schedule, int nth, int mostSteps, Run bad)
    {
        Run? again = null;
        Thread replay = new(() => again = Play(build, schedule, mostSteps, traced: true)) { IsBackground = true };
        replay.Start();
        if (!replay.Join(TimeSpan.FromSeconds(20)) || again is null)
        {
            return Report(bad.Failure! + " (The replay did not end: the failed run left something locked.)", schedule, nth, []);
        }

        bool same = again.Failure is not null && again.Choices.SequenceEqual(bad.Choices);
        return Report(same ? bad.Failure! : $"{bad.Failure} (The replay was another run, as the failed one has left its marks: {again.Failure ?? "good"})", schedule, nth, again.Trace);
    }

    private static string Report(string failure, Schedule schedule, int nth, IReadOnlyList<string> trace)
    {
        StringBuilder report = new(failure);
        report.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Schedule {nth}; to see it again: QUIRE_EXPLORE_SCHEDULE={schedule}");
        if (trace.Count > ShownSteps)
        {
            report.AppendLine(CultureInfo.InvariantCulture, $"  (the first {trace.Count - ShownSteps} of {trace.Count} lines are left out)");
        }

        foreach (string line in trace.Skip(trace.Count - ShownSteps))
        {
            report.AppendLine(line);
        }

        return report.ToString();
    }

    /// <summary>The library's way to the explorer.</summary>
    private sealed class Seam : IExplorer
    {
        public void Point()
        {
            if (Worker.Me is { } me)
            {
                me.Run.Pass(me, yields: false);
            }
        }

        public bool Yield()
        {
            Worker? me = Worker.Me;
            me?.Run.Pass(me, yields: true);
            return me is not null;
        }

        public bool Sleep(Func<bool> condition, long until)
        {
            Worker? me = Worker.Me;
            me?.Run.Sleep(me, condition, until);
            return me is not null;
        }

        public long Now() => Worker.Me?.Run.Now ?? Stopwatch.GetTimestamp();
    }
}
