using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Quire.Explore;

/// <summary>The explorer itself: it finds what is there, tells it apart from what is not, and shows it again.</summary>
public sealed class ExplorerTests
{
    private sealed class Counter
    {
        internal int Value;
    }

    private static void LostUpdate(Scene scene)
    {
        Counter counter = new();
        for (int i = 0; i < 3; i++)
        {
            scene.Thread($"adder {i}", () =>
            {
                int seen = Atomic.LoadAcquire(ref counter.Value);
                Atomic.StoreRelease(ref counter.Value, seen + 1);
            });
        }

        scene.AtEnd(() => Assert.Equal(3, counter.Value));
    }

    [Fact]
    public void A_lost_update_is_found_and_its_schedule_shows_it_again_step_by_step()
    {
        string? failure = Explorer.FindFailure(LostUpdate, schedules: 100, mostSteps: 100, out Schedule schedule);
        Assert.NotNull(failure);
        Assert.Contains(schedule.ToString(), failure, StringComparison.Ordinal);
        Assert.Contains("adder 1: LoadAcquire in ", failure, StringComparison.Ordinal);
        Run first = Explorer.Play(LostUpdate, schedule, 100, traced: true);
        Run second = Explorer.Play(LostUpdate, Schedule.Parse(schedule.ToString()), 100, traced: true);
        Assert.NotNull(first.Failure);
        Assert.Equal(first.Failure, second.Failure);
        Assert.Equal(first.Trace, second.Trace);
        Assert.Equal(first.Choices, second.Choices);
    }

    [Fact]
    public void Both_strategies_find_a_lost_update_and_neither_blames_an_atomic_add()
    {
        Assert.Contains(Enumerable.Range(0, 50), static seed => Explorer.Play(LostUpdate, new Schedule(seed, 0, 0), 100, traced: false).Failure is not null);
        Assert.Contains(Enumerable.Range(0, 50), static seed => Explorer.Play(LostUpdate, new Schedule(seed, 2, 6), 100, traced: false).Failure is not null);
        Explorer.Explore(
            static scene =>
            {
                Counter counter = new();
                scene.Thread("one", () => Atomic.Add(ref counter.Value, 1));
                scene.Thread("two", () => Atomic.Add(ref counter.Value, 1));
                scene.AtEnd(() => Assert.Equal(2, counter.Value));
            },
            schedules: 200);
    }

    [Fact]
    public void A_sleeper_that_nobody_wakes_is_a_deadlock_and_a_spin_without_end_is_told_by_its_steps()
    {
        string? deadlock = Explorer.FindFailure(
            static scene => scene.Thread("sleeper", static () =>
            {
                WaitPoint point = new();
                point.Wait(point.Version, Deadline.Never);
            }),
            schedules: 1,
            mostSteps: 100,
            out _);
        Assert.Contains("Deadlock: all sleep and nobody is left to wake them: sleeper sleeps", deadlock, StringComparison.Ordinal);

        string? livelock = Explorer.FindFailure(
            static scene =>
            {
                Gate gate = new();
                scene.Thread("holder", () => gate.Spin.Enter());
                scene.Thread("waiter", () => gate.Spin.Enter());
            },
            schedules: 1,
            mostSteps: 100,
            out _);
        Assert.Contains("not done after 100 steps", livelock, StringComparison.Ordinal);
        Assert.Contains("spins in SpinOnce in SpinGate.EnterContended", livelock, StringComparison.Ordinal);
    }

    [Fact]
    public void Time_passes_only_when_all_sleep()
    {
        Explorer.Explore(
            static scene =>
            {
                WaitPoint point = new();
                long version = point.Version;
                scene.Thread("sleeper", () => point.Wait(version, Deadline.In(TimeSpan.FromHours(1))));
                scene.Thread("waker", point.Signal);
                scene.AtEnd(() => Assert.Equal(0, scene.TimePassed));
            },
            schedules: 200);
        Explorer.Explore(
            static scene =>
            {
                WaitPoint point = new();
                scene.Thread("sleeper", () => point.Wait(point.Version, Deadline.In(TimeSpan.FromHours(1))));
                scene.AtEnd(() => Assert.True(scene.TimePassed > 0));
            },
            schedules: 10);
    }

    private sealed class Gate
    {
        internal SpinGate Spin;
    }
}
