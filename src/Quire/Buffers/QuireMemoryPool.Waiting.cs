using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Rents that wait for memory under the limit.</content>
/// <remarks>
/// <para>
/// A queue, first come first served: only the first waiter is tried, so a small request behind a large one waits, and the large one is not starved. <see cref="Rent(int, string, int, string)"/> and
/// <see cref="TryRent"/> do not queue: they take what there is, or fail at once.
/// </para>
/// <para>
/// No wake-up is lost: see <see cref="WaiterSignal"/>. What neither a freer nor a waiter finds at that moment (a batch between two lists, a page that its freer has in its hands), and what is freed past this
/// pool by others on the same allocator, is found by a look every <see cref="PollMilliseconds"/> ms, for as long as somebody waits.
/// </para>
/// </remarks>
public sealed unsafe partial class QuireMemoryPool
{
    internal const int PollMilliseconds = 20;

    /// <summary>How often the first waiter is tried whether or not anything was disposed here. Tests make it long, to see that the rest works without.</summary>
    internal TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(PollMilliseconds);

    private readonly LinkedList<Waiter> _queue = new();
    private WaiterSignal _signal;
    private Timer? _poll;

    private int Queued
    {
        get
        {
            lock (_queue)
            {
                return _queue.Count;
            }
        }
    }

    /// <summary>Takes exactly <paramref name="size"/> bytes; where the limit is reached, waits until there is memory again. Waiters are served in the order in which they came.</summary>
    /// <param name="size">Bytes, 0 to 4 MiB; -1 for the pool's default.</param>
    /// <param name="cancellationToken">Ends the wait; who waits behind moves up.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The owner, to be disposed once. What awaits it goes on elsewhere than in the call that made room.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is below -1 or above 4 MiB.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing was taken.</exception>
    /// <exception cref="PageAllocationException">There is no memory for a reason that waiting does not mend: not <see cref="AllocationFailure.LimitReached"/> or <see cref="AllocationFailure.Fragmented"/>.</exception>
    /// <exception cref="ObjectDisposedException">The pool was disposed, before or during the wait.</exception>
    public ValueTask<PageMemory> RentAsync(int size = -1, CancellationToken cancellationToken = default, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<PageMemory>(cancellationToken);
        }

        if (!_signal.AnyWaits)
        {
            PageMemory? memory = TryRentHot(size);
            if (memory is not null)
            {
                return new ValueTask<PageMemory>(memory);
            }

            memory = TryRentSlow(size, out AllocationFailure failure, new CallSite(file, line, member));
            if (memory is not null)
            {
                return new ValueTask<PageMemory>(memory);
            }

            if (!IsWorthWaiting(failure))
            {
                return ValueTask.FromException<PageMemory>(Failed(size, failure));
            }
        }
        else if (size is < -1 or > LargestBuffer)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, $"A rent is of 0 to {LargestBuffer} bytes, or -1 for the pool's default.");
        }

        return Wait(new Waiter(this, size, new CallSite(file, line, member)), cancellationToken);
    }

    private static bool IsWorthWaiting(AllocationFailure failure) => failure is AllocationFailure.LimitReached or AllocationFailure.Fragmented;

    private ValueTask<PageMemory> Wait(Waiter waiter, CancellationToken cancellationToken)
    {
        // Registered before anybody can complete it, so that whoever does finds the registration. A token cancelled by now calls back within this call.
        waiter.Registration = cancellationToken.UnsafeRegister(static (state, token) => ((Waiter)state!).Cancel(token), waiter);
        lock (_queue)
        {
            if (Volatile.Read(ref _closed))
            {
                waiter.TrySetException(Disposed());
            }

            if (!waiter.Task.IsCompleted)
            {
                waiter.Node = _queue.AddLast(waiter);
                _poll ??= new Timer(static pool => ((QuireMemoryPool)pool!).Pump(), this, Timeout.Infinite, Timeout.Infinite);
                if (_queue.Count == 1)
                {
                    _poll.Change(PollInterval, PollInterval);
                }
            }
        }

        if (waiter.Task.IsCompleted)
        {
            waiter.Registration.Unregister();
        }

        if (waiter.Node is not null)
        {
            // Counted when it stands there, and after it has left perhaps: the count may lag behind the queue, and comes right.
            _signal.Join();
            Pump();
        }

        return new ValueTask<PageMemory>(waiter.Task);
    }

    /// <summary>Serves the waiters as far as there is memory. One thread at a time; a call that comes meanwhile makes that thread look once more.</summary>
    private void Pump()
    {
        if (_signal.TryBegin())
        {
            int seen;
            do
            {
                seen = _signal.Requests;
                Serve();
            }
            while (!_signal.TryEnd(seen));
        }
    }

    private void Serve()
    {
        while (First() is { } waiter)
        {
            PageMemory? memory;
            try
            {
                memory = TakeFor(waiter, out AllocationFailure failure);
                if (memory is null && IsWorthWaiting(failure))
                {
                    return;
                }

                if (memory is null)
                {
                    Complete(waiter, null, Failed(waiter.Size, failure));
                    continue;
                }

                Complete(waiter, memory, null);
            }
#pragma warning disable CA1031 // Whatever it is, it is the waiter's: who disposed an owner, or the timer, has asked for nothing.
            catch (Exception fault)
#pragma warning restore CA1031
            {
                Complete(waiter, null, fault);
            }
        }
    }

    private Waiter? First()
    {
        // Whoever serves must not stop half-way, be it interrupted or not: the next request would take it to be still at work.
        using (Uninterrupted.Enter(_queue))
        {
            return _queue.First?.Value;
        }
    }

    /// <summary>With no lock held. What awaits the task runs elsewhere.</summary>
    private void Complete(Waiter waiter, PageMemory? memory, Exception? fault)
    {
        Remove(waiter);
        waiter.Registration.Unregister();
        if (fault is not null)
        {
            waiter.TrySetException(fault);
        }
        else if (!waiter.TrySetResult(memory!))
        {
            // Cancelled at this moment: the memory is the next one's.
            memory!.Dispose(waiter.Site.File, waiter.Site.Line, waiter.Site.Member);
        }
    }

    private void Remove(Waiter waiter)
    {
        using (Uninterrupted.Enter(_queue))
        {
            if (waiter.Node is { List: not null } node)
            {
                _queue.Remove(node);
                _signal.Leave();
                if (_queue.Count == 0)
                {
                    _poll!.Change(Timeout.Infinite, Timeout.Infinite);
                }
            }
        }
    }

    /// <summary>Memory for a waiter, on its account: in its leak scope, from its call site.</summary>
    private PageMemory? TakeFor(Waiter waiter, out AllocationFailure failure)
    {
        if (!Tracking.Active || waiter.Scope == Ledger.CurrentScope)
        {
            return TryRentSlow(waiter.Size, out failure, waiter.Site, isRetry: true);
        }

        int mine = Ledger.CurrentScope;
        Ledger.CurrentScope = waiter.Scope;
        try
        {
            return TryRentSlow(waiter.Size, out failure, waiter.Site, isRetry: true);
        }
        finally
        {
            Ledger.CurrentScope = mine;
        }
    }

    private void FailWaiters()
    {
        List<Waiter> waiting;
        lock (_queue)
        {
            waiting = [.. _queue];
        }

        waiting.ForEach(waiter => Complete(waiter, null, Disposed()));
    }

    private ObjectDisposedException Disposed() => new(nameof(QuireMemoryPool), $"Pool '{Name}' was disposed while a rent waited for memory.");

    private sealed class Waiter(QuireMemoryPool pool, int size, CallSite site) : TaskCompletionSource<PageMemory>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        internal int Size => size;

        internal CallSite Site => site;

        internal int Scope { get; } = Tracking.Active ? Ledger.CurrentScope : 0;

        /// <summary>Its place in the queue; written and looked at under the queue's lock.</summary>
        internal LinkedListNode<Waiter>? Node { get; set; }

        internal CancellationTokenRegistration Registration { get; set; }

        internal void Cancel(CancellationToken token)
        {
            if (TrySetCanceled(token))
            {
                pool.Remove(this);

                // It may have been the one for which there was too little, and who waits behind wants less.
                pool.Pump();
            }
        }
    }
}
