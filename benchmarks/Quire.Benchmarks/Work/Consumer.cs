using System.Runtime.ExceptionServices;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Work;

/// <summary>The work of the second thread.</summary>
internal interface IConsumerJob
{
    /// <summary>Takes and drops <paramref name="operations"/> items on the second thread.</summary>
    void Consume(int operations);

    /// <summary>Called when <see cref="Consume"/> has thrown, so that the first thread does not wait for ever.</summary>
    void Abandon();
}

/// <summary>The second thread of a handoff: one for a whole row, asleep between turns, on the second core where cores can be chosen.</summary>
/// <remarks>
/// States follow each other: idle, running, done, idle. The second thread enters running and done, the first one goes
/// back to idle. The job's fields are the first thread's until it releases the semaphore, and again once it has seen done.
/// </remarks>
internal sealed class Consumer : IDisposable
{
    private const int Idle = 0;
    private const int Running = 1;
    private const int Done = 2;

    private readonly SemaphoreSlim _start = new(0);
    private readonly Thread _thread;
    private IConsumerJob? _job;
    private int _operations;
    private int _state;
    private ExceptionDispatchInfo? _failure;

    /// <param name="core">Where to run, or null for anywhere.</param>
    public Consumer(int? core)
    {
        _thread = new Thread(() => Loop(core)) { IsBackground = true, Name = "consumer" };
        _thread.Start();
    }

    /// <summary>How often the second thread was taken off its core during the last job; valid after <see cref="Join"/>.</summary>
    public long Preempted { get; private set; }

    /// <summary>Starts a job and returns once the second thread runs it, so that its waking falls outside what is timed.</summary>
    public void Begin(IConsumerJob job, int operations)
    {
        _job = job;
        _operations = operations;
        _start.Release();
        Await(Running);
    }

    /// <summary>Waits for the job's end; throws here what it threw there.</summary>
    public void Join()
    {
        Await(Done);
        Volatile.Write(ref _state, Idle);
        ExceptionDispatchInfo? failure = _failure;
        _failure = null;
        failure?.Throw();
    }

    public void Dispose()
    {
        _job = null;
        _start.Release();
        _thread.Join();
        _start.Dispose();
    }

    private void Await(int state)
    {
        // Happens before: the other thread's write of the state releases what it wrote before.
        // A job may be done before its start is seen, hence "at least".
        Pause pause = default;
        while (Volatile.Read(ref _state) < state)
        {
            pause.Once();
        }
    }

    private void Loop(int? core)
    {
        if (core is int number)
        {
            Cores.TryPin(number);
        }

        while (true)
        {
            _start.Wait();
            if (_job is not IConsumerJob job)
            {
                return;
            }

            long before = Preemptions.OfThisThread();
            Volatile.Write(ref _state, Running);
            try
            {
                job.Consume(_operations);
            }
#pragma warning disable CA1031 // Whatever it is, it is thrown again on the thread that waits for the job.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                _failure = ExceptionDispatchInfo.Capture(failure);
                job.Abandon();
            }

            Preempted = Preemptions.OfThisThread() - before;
            Volatile.Write(ref _state, Done);
        }
    }
}
