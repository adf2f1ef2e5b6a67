using System.Net.Sockets;

namespace Quire.Samples.UdpRelay;

/// <summary>A reply on its way back: the datagram, and the session that knows whose it is.</summary>
internal readonly record struct Reply(Datagram Datagram, Session Session);

/// <summary>Reads the replies of all sessions into receive rings and queues them for the sending thread. Thread-safe.</summary>
internal sealed class ReplyReceiver : IDisposable
{
    /// <summary>Datagrams read from one session before others get their turn.</summary>
    private const int Burst = 64;

    private readonly RelayCounters _counters;
    private readonly DatagramQueue<Reply> _queue;
    private readonly ReceiveRings _rings;

    private readonly Action<Exception> _failed;
    private readonly object _gate = new();
    private int _receiving;

    internal ReplyReceiver(PageAllocator allocator, RelayCounters counters, DatagramQueue<Reply> queue, Action<Exception> failed)
    {
        _failed = failed;
        _counters = counters;
        _queue = queue;
        _rings = new ReceiveRings(allocator);
    }

    /// <summary>A session is about to start; it will report its end once.</summary>
    internal void SessionStarts()
    {
        lock (_gate)
        {
            _receiving++;
        }
    }

    internal void SessionEnded()
    {
        lock (_gate)
        {
            _receiving--;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>A session's receiving ended by an exception that nobody expected.</summary>
    internal void Failed(Exception exception) => _failed(exception);

    /// <summary>Waits until no session receives any more; all have been closed. False when the limit passed.</summary>
    internal bool WaitForSessions(TimeSpan limit)
    {
        long deadline = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        lock (_gate)
        {
            while (_receiving != 0)
            {
                long left = deadline - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_gate, (int)left))
                {
                    return _receiving == 0;
                }
            }

            return true;
        }
    }

    /// <summary>Counts what a receive answered, where it is not a datagram.</summary>
    internal void NoteError(Session session, SocketError error)
    {
        switch (error)
        {
            case SocketError.Success or SocketError.WouldBlock or SocketError.MessageSize:
                break;
            case SocketError.ConnectionRefused or SocketError.ConnectionReset:
                session.MarkRefused();
                _counters.Refused();
                break;
            default:
                _counters.ReceiveFailed();
                break;
        }
    }

    /// <summary>Reads what <paramref name="session"/> has, at most a burst. Called under the session's gate.</summary>
    internal void Drain(Session session)
    {
        if (!_rings.TryRent(out PacketReceiveRing? ring))
        {
            DiscardOne(session);
            return;
        }

        try
        {
            for (int read = 0; read < Burst; read++)
            {
                int length = session.Receive(ring!.Buffer, out SocketError error);
                if (error == SocketError.WouldBlock)
                {
                    break;
                }

                if (error != SocketError.Success)
                {
                    NoteError(session, error);
                    continue;
                }

                session.MarkReplied(Environment.TickCount64);
                _counters.FromUpstreams.Add(length);
                Queue(ring, length, session);
            }
        }
        finally
        {
            _rings.Return(ring!);
        }
    }

    /// <summary>Gives the rings back.</summary>
    /// <exception cref="InvalidOperationException">A session still receives; nothing was given back.</exception>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_receiving != 0)
            {
                throw new InvalidOperationException($"{_receiving} session(s) still receive.");
            }
        }

        _rings.Dispose();
    }

    private void Queue(PacketReceiveRing ring, int length, Session session)
    {
        if (!ring.TryTake(length, out PacketBuffer packet))
        {
            _counters.Drop(DropReason.ReplyNoMemory);
        }
        else if (!_queue.TryAdd(new Reply(new Datagram(packet), session)))
        {
            packet.Dispose();
            _counters.Drop(DropReason.ReplyQueueFull);
        }
    }

    /// <summary>With no memory to receive into, the datagram still has to leave the socket, or the wait would complete for ever.</summary>
    private void DiscardOne(Session session)
    {
        Span<byte> one = stackalloc byte[1];
        session.Receive(one, out SocketError error);
        if (error is SocketError.Success or SocketError.MessageSize)
        {
            _counters.FromUpstreams.Add(one.Length);
            _counters.Drop(DropReason.ReplyNoMemory);
        }
        else
        {
            NoteError(session, error);
        }
    }
}
