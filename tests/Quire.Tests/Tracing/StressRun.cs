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

    /// <summary>Repeats an action on several threads for a time, and until there is <paramref name="enough"/>, and another beside them. Returns the seed.</summary>
    internal static int RunFor(TimeSpan length, Action<Random> action, Action beside, Func<bool>? enough = null)
    {
        int seed = Random.Shared.Next();
        Exception? failure = null;
        bool stop = false;
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(me => new Thread(() =>
        {
            Random random = new(seed + me);
            Exception? thrown = Record.Exception(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    action(random);
                }
            });
            Interlocked.CompareExchange(ref failure, thrown, null);
        })
        { Name = Names[me] })];
        Array.ForEach(threads, thread => thread.Start());
        Exception? besideFailure = Record.Exception(() =>
        {
            for (Func<bool> goOn = Trial.For((int)length.TotalMilliseconds, enough ?? (static () => true)); goOn() && Volatile.Read(ref failure) is null;)
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
            for (int round = 0; round < rounds && Volatile.Read(ref failure) is null; round++)
            {
                Interlocked.Increment(ref arrived);
                SpinWait spin = default;
                while (Volatile.Read(ref arrived) < racers * (round + 1) && Volatile.Read(ref failure) is null)
                {
                    spin.SpinOnce(sleep1Threshold: -1);
                }

                int at = round;
                Exception? thrown = Record.Exception(() => action(me, at));
                Interlocked.CompareExchange(ref failure, thrown, null);
            }
        })
        { Name = $"racer {me}" })];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Null(failure);
    }
}
