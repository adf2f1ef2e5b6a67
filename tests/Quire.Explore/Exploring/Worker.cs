namespace Quire.Explore;

/// <summary>A real thread that plays one of a scene's threads, in one run after another. It runs only while it has the baton.</summary>
internal sealed class Worker
{
    [ThreadStatic]
    private static Worker? t_me;

    private static readonly Stack<Worker> s_idle = new();
    private readonly SemaphoreSlim _turn = new(0);

    private Worker() => new Thread(Play) { IsBackground = true, Name = "explored" }.Start();

    /// <summary>The run in which the calling thread has a part; null for a thread outside explorations.</summary>
    internal static Worker? Me => t_me;

    internal Run Run { get; private set; } = null!;

    internal int Index { get; private set; }

    internal string Name { get; private set; } = "";

    internal Action Body { get; private set; } = null!;

    internal Exception? Thrown { get; set; }

    internal bool HasEnded { get; set; }

    internal bool IsUnwinding { get; set; }

    /// <summary>It sleeps while this holds; null while it does not sleep.</summary>
    internal Func<bool>? Asleep { get; set; }

    /// <summary>The explorer's clock at which it wakes whatever <see cref="Asleep"/> says.</summary>
    internal long AsleepUntil { get; set; }

    internal static Worker Hire(Run run, int index, string name, Action body)
    {
        Worker worker;
        lock (s_idle)
        {
            worker = s_idle.Count != 0 ? s_idle.Pop() : new Worker();
        }

        (worker.Run, worker.Index, worker.Name, worker.Body) = (run, index, name, body);
        (worker.Thrown, worker.HasEnded, worker.IsUnwinding, worker.Asleep) = (null, false, false, null);
        return worker;
    }

    /// <summary>In the order of hiring, so that the same real threads play the same parts in the next run.</summary>
    internal static void Release(IReadOnlyList<Worker> workers)
    {
        lock (s_idle)
        {
            for (int i = workers.Count - 1; i >= 0; i--)
            {
                s_idle.Push(workers[i]);
            }
        }
    }

    internal void GiveTurn() => _turn.Release();

    internal void AwaitTurn() => _turn.Wait();

    private void Play()
    {
        while (true)
        {
            AwaitTurn();
            t_me = this;
            Run.Perform(this);
            t_me = null;
            Run.Ended(this);
        }
    }
}
