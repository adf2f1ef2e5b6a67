using System.Diagnostics;
using System.Globalization;

namespace Quire.Explore;

/// <summary>One run of a scene under one schedule: exactly one thread runs at any time, and at each point the schedule says who is next.</summary>
/// <remarks>
/// What it explores is sequentially consistent: the steps of the threads in some order, each seeing all before it. Reorderings by compiler or
/// processor are not among what it finds. Between two points a thread runs alone.
/// <para>
/// Time stands still while anybody can run. When all sleep, it jumps to the first deadline; where there is none, that is a deadlock.
/// </para>
/// </remarks>
internal sealed class Run
{
    /// <summary>So many seconds without a step end a run, and not one long second of the whole process.</summary>
    private const int Patience = 30;

    private readonly Scene _scene;
    private readonly Strategy _strategy;
    private readonly int _mostSteps;
    private readonly Worker[] _workers;
    private readonly SemaphoreSlim _ended = new(0);
    private readonly int[] _ready;
    private readonly List<byte> _choices = [];
    private readonly List<string>? _trace;
    private int _steps;
    private int _left;
    private bool _isAborted;

    internal Run(Scene scene, Schedule schedule, int mostSteps, bool traced)
    {
        _scene = scene;
        _strategy = Strategy.Of(schedule, scene.Threads.Count);
        _mostSteps = mostSteps;
        _trace = traced ? [] : null;
        _ready = new int[scene.Threads.Count];
        _left = scene.Threads.Count;
        _workers = [.. scene.Threads.Select((thread, index) => Worker.Hire(this, index, thread.Name, thread.Body))];
    }

    /// <summary>Points passed.</summary>
    internal int Steps => _steps;

    /// <summary>The explorer's clock, in ticks of <see cref="Stopwatch"/>. It begins at 1.</summary>
    internal long Now { get; private set; } = 1;

    /// <summary>Why the run is bad; null for a good one.</summary>
    internal string? Failure { get; private set; }

    /// <summary>Who was chosen at each step: what a replay is compared by.</summary>
    internal IReadOnlyList<byte> Choices => _choices;

    internal IReadOnlyList<string> Trace => _trace ?? [];

    /// <summary>Plays the scene to its end and checks it.</summary>
    internal void Play()
    {
        _workers[Choose(-1, yields: false)].GiveTurn();
        for (int idle = 0, seen = 0; !_ended.Wait(TimeSpan.FromSeconds(1));)
        {
            // A good run may take its time on a busy machine, but it takes steps.
            int steps = Volatile.Read(ref _steps);
            idle = steps == seen ? idle + 1 : 0;
            seen = steps;
            if (idle == Patience)
            {
                // Its threads are lost, and so are the workers that play them.
                Failure = $"A thread waits outside the seam (a lock that another holds at a point), or computes for ever. Waiting: {States()}.";
                return;
            }
        }

        Worker.Release(_workers);
        _scene.TimePassed = Now - 1;
        foreach (Worker worker in _workers)
        {
            if (worker.Thrown is { } thrown)
            {
                // What a thread threw may be why another sleeps for ever, and says more.
                Failure = $"{worker.Name}: {Describe(thrown)}{(Failure is null ? "" : $" And: {Failure}")}";
            }
        }

        if (Failure is null)
        {
            Failure = Try(_scene.Check) ?? Try(_scene.Close);
        }
    }

    /// <summary>On the worker's thread, with the baton.</summary>
    internal void Perform(Worker me)
    {
        if (_isAborted)
        {
            return;
        }

        try
        {
            me.Body();
        }
        catch (RunAbortedException)
        {
        }
        catch (Exception thrown)
        {
            me.Thrown = thrown;
        }
    }

    /// <summary>The worker's part is over: the baton goes on.</summary>
    internal void Ended(Worker me)
    {
        me.HasEnded = true;
        _trace?.Add($"       {me.Name} ends{(me.Thrown is null ? "" : $": {me.Thrown.GetType().Name}")}");
        if (--_left == 0)
        {
            _ended.Release();
            return;
        }

        int next = _isAborted ? -1 : Choose(me.Index, yields: false);
        if (next < 0)
        {
            Abort(null);
            next = Array.FindIndex(_workers, static worker => !worker.HasEnded);
        }

        _workers[next].GiveTurn();
    }

    internal void Pass(Worker me, bool yields)
    {
        if (_isAborted)
        {
            // What unwinds passes freely, to the end of its finally blocks; but nobody comes to end its spins.
            if (me.IsUnwinding && !yields)
            {
                return;
            }

            me.IsUnwinding = true;
            throw new RunAbortedException();
        }

        if (++_steps > _mostSteps)
        {
            Abort($"The threads are not done after {_mostSteps} steps: {States()}.");
            me.IsUnwinding = true;
            throw new RunAbortedException();
        }

        Switch(me, yields);
        _trace?.Add($"{Steps,5}  {me.Name}: {(yields ? "spins in " : "")}{Where()}");
    }

    internal void Sleep(Worker me, Func<bool> condition, long until)
    {
        Pass(me, yields: false);
        if (condition() && until > Now)
        {
            _trace?.Add($"       {me.Name} sleeps");
            (me.Asleep, me.AsleepUntil) = (condition, until);
            Switch(me, yields: false);
            _trace?.Add($"       {me.Name} wakes");
        }
    }

    private void Switch(Worker me, bool yields)
    {
        int next = Choose(me.Index, yields);
        if (next < 0)
        {
            Abort(null);
            me.IsUnwinding = true;
            throw new RunAbortedException();
        }

        if (next != me.Index)
        {
            _workers[next].GiveTurn();
            me.AwaitTurn();
            if (_isAborted)
            {
                me.IsUnwinding = true;
                throw new RunAbortedException();
            }
        }
    }

    /// <summary>Who is next; -1 where nobody can go on.</summary>
    private int Choose(int current, bool yields)
    {
        int ready = FindReady();
        if (ready == 0)
        {
            // Nobody can do anything before the first deadline.
            Now = Math.Max(Now, _workers.Where(static worker => !worker.HasEnded).Min(static worker => worker.AsleepUntil));
            ready = FindReady();
        }

        if (ready == 0)
        {
            return -1;
        }

        int next = _strategy.Next(current, yields, Steps, _ready.AsSpan(0, ready));
        _workers[next].Asleep = null;
        _choices.Add((byte)next);
        return next;
    }

    private int FindReady()
    {
        int ready = 0;
        foreach (Worker worker in _workers)
        {
            if (!worker.HasEnded && (worker.Asleep is not { } asleep || (worker.AsleepUntil != long.MaxValue && worker.AsleepUntil <= Now) || !asleep()))
            {
                _ready[ready++] = worker.Index;
            }
        }

        return ready;
    }

    private void Abort(string? reason)
    {
        if (!_isAborted)
        {
            _isAborted = true;
            Failure = reason ?? $"Deadlock: all sleep and nobody is left to wake them: {States()}.";
        }
    }

    private string States() => string.Join(", ", _workers.Select(static worker =>
        $"{worker.Name} {(worker.HasEnded ? "has ended" : worker.Asleep is null ? "is on its way" : "sleeps")}"));

    private static string? Try(Action check)
    {
        try
        {
            check();
            return null;
        }
        catch (Exception thrown)
        {
            return $"At the end: {Describe(thrown)}";
        }
    }

    private static string Describe(Exception thrown) => string.Create(CultureInfo.InvariantCulture, $"{thrown.GetType().Name}: {thrown.Message}");

    /// <summary>The atomic that runs now, and who called for it.</summary>
    private static string Where()
    {
        List<string> frames = [];
        string operation = "";
        foreach (StackFrame frame in new StackTrace(fNeedFileInfo: true).GetFrames())
        {
            System.Reflection.MethodBase? method = frame.GetMethod();
            Type? type = method?.DeclaringType;
            if (type is null || type == typeof(Run) || type == typeof(Explorer) || type.DeclaringType == typeof(Explorer))
            {
                continue;
            }

            if (type == typeof(Atomic))
            {
                operation = method!.Name;
                continue;
            }

            if (type == typeof(Worker) || frames.Count == 4)
            {
                break;
            }

            if (type.Name.StartsWith('<') && type.Namespace == typeof(Run).Namespace)
            {
                frames.Add($"scene:{frame.GetFileLineNumber()}");
                break;
            }

            frames.Add($"{type.Name}.{method!.Name}:{frame.GetFileLineNumber()}");
        }

        return $"{operation} in {string.Join(" < ", frames)}";
    }

    /// <summary>Unwinds the threads of a run that has no end.</summary>
    private sealed class RunAbortedException : Exception;
}
