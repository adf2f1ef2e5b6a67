using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>A reference that a stress test holds.</summary>
internal sealed record Entry(uint Ticket, ulong Identity, int References);

/// <summary>Runs a stress on several threads, and fails with its seed.</summary>
internal static class StressRun
{
    internal const int Threads = 4;

    /// <summary>The names of a stress's threads.</summary>
    internal static readonly string[] Names = [.. Enumerable.Range(0, Threads).Select(me => $"stress {me}")];

    // The number in the calling thread's name.
    internal static int Number() => int.Parse(Thread.CurrentThread.Name!.AsSpan(Thread.CurrentThread.Name!.LastIndexOf(' ') + 1));

    /// <summary>Repeats an action on several threads for a time, and another beside them. Returns the seed.</summary>
    internal static int RunFor(TimeSpan length, Action<Random> action, Action beside)
    {
        int seed = Random.Shared.Next();
        Exception? failure = null;
        bool stop = false;
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(me => new Thread(() =>
        {
            Random random = new(seed + me);
            failure = Record.Exception(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    action(random);
                }
            }) ?? failure;
        })
        { Name = Names[me] })];
        Array.ForEach(threads, thread => thread.Start());
        Exception? besideFailure = Record.Exception(() =>
        {
            for (long end = Environment.TickCount64 + (long)length.TotalMilliseconds; Environment.TickCount64 < end && failure is null;)
            {
                beside();
            }
        });
        Volatile.Write(ref stop, true);
        Array.ForEach(threads, thread => thread.Join());
        Assert.True((failure ?? besideFailure) is null, $"seed {seed}: {failure ?? besideFailure}");
        return seed;
    }

    /// <summary>Lets racers numbered from 1 do each round at once, or as near to it as the cores allow.</summary>
    internal static void Race(int racers, int rounds, Action<int, int> action)
    {
        Exception? failure = null;
        int arrived = 0;
        Thread[] threads = [.. Enumerable.Range(1, racers).Select(me => new Thread(() =>
        {
            for (int round = 0; round < rounds && failure is null; round++)
            {
                Interlocked.Increment(ref arrived);
                SpinWait spin = default;
                while (Volatile.Read(ref arrived) < racers * (round + 1) && Volatile.Read(ref failure) is null)
                {
                    spin.SpinOnce(sleep1Threshold: -1);
                }

                int at = round;
                failure = Record.Exception(() => action(me, at)) ?? failure;
            }
        })
        { Name = $"racer {me}" })];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Null(failure);
    }
}
