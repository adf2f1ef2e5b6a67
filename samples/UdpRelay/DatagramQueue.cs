namespace Quire.Samples.UdpRelay;

/// <summary>A bounded queue between threads that receive and one that sends; full is an answer, not a wait.</summary>
/// <remarks>
/// <para>
/// Why there is one at all: the kernel's receive buffer is small and not ours to size (<c>net.core.rmem_max</c>), and a receiver that also
/// sends, opens sockets and expires sessions empties it late. A receiver that only queues keeps up with
/// bursts; what waits here costs its own length.
/// </para>
/// <para>
/// Any number of producers, one consumer. Equation: <c>taken + waiting == accepted</c>; nothing is dropped once it
/// is accepted. A lock, not a lock-free ring: 20 ns beside a system call of 1 to 2 µs, and the consumer takes a whole batch under it.
/// Nothing is allocated after the constructor.
/// </para>
/// </remarks>
internal sealed class DatagramQueue<T>(int capacity)
    where T : struct
{
    private readonly object _gate = new();
    private readonly T[] _ring = new T[capacity];
    private int _head;
    private int _count;
    private bool _closed;
    private bool _consumerWaits;

    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _count;
            }
        }
    }

    /// <summary>True once it is closed and empty: nothing will ever come out again.</summary>
    internal bool IsFinished
    {
        get
        {
            lock (_gate)
            {
                return _closed && _count == 0;
            }
        }
    }

    /// <summary>Adds at the end; false when the queue is full or closed, and then the caller still owns the item.</summary>
    internal bool TryAdd(in T item)
    {
        lock (_gate)
        {
            if (_closed || _count == _ring.Length)
            {
                return false;
            }

            int tail = _head + _count;
            _ring[tail < _ring.Length ? tail : tail - _ring.Length] = item;
            _count++;
            if (_consumerWaits)
            {
                _consumerWaits = false;
                Monitor.Pulse(_gate);
            }

            return true;
        }
    }

    /// <summary>
    /// Takes what is there, oldest first, waiting up to <paramref name="timeoutMilliseconds"/> (-1: for ever) for the first. 0 when the time passed
    /// or the queue is finished.
    /// </summary>
    internal int Take(Span<T> batch, int timeoutMilliseconds)
    {
        lock (_gate)
        {
            while (_count == 0)
            {
                if (_closed)
                {
                    return 0;
                }

                _consumerWaits = true;
                if (!Monitor.Wait(_gate, timeoutMilliseconds))
                {
                    _consumerWaits = false;
                    break;
                }
            }

            int taken = Math.Min(_count, batch.Length);
            int first = Math.Min(taken, _ring.Length - _head);
            Move(_ring.AsSpan(_head, first), batch);
            Move(_ring.AsSpan(0, taken - first), batch[first..]);
            _head = (_head + taken) % _ring.Length;
            _count -= taken;
            return taken;
        }
    }

    /// <summary>Refuses what comes from now on; what is in the queue can still be taken.</summary>
    internal void Close()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.PulseAll(_gate);
        }
    }

    private static void Move(Span<T> from, Span<T> to)
    {
        from.CopyTo(to);

        // The ring must not keep what it no longer owns: neither a session nor a stale handle.
        from.Clear();
    }
}
