using System.Net.Sockets;

namespace Quire.Samples.UdpRelay;

/// <summary>A query on its way: the datagram, and who sent it.</summary>
internal readonly record struct Query(Datagram Datagram, ClientAddress Client);

/// <summary>The thread that owns the sessions: sends each query to its client's upstream, opens, moves, expires and evicts sessions.</summary>
/// <remarks>
/// One thread owns all of it, so nothing here needs a lock; and a slow step (a socket takes some 50 µs to open) delays
/// the queue, not the receiver.
/// </remarks>
internal sealed class Forwarder
{
    private const int BatchSize = 64;

    /// <summary>Expired sessions are looked for this often at most, in milliseconds; an idle time shorter than four of these is looked at more often.</summary>
    private const int LongestSweep = 1000;
    private const int ShortestSweep = 25;

    /// <summary>How long a full send buffer may hold up the queue before the datagram is dropped. Full means that the network is behind: waiting is right, for ever is not.</summary>
    private static readonly TimeSpan s_writableLimit = TimeSpan.FromMilliseconds(5);

    private readonly RelayOptions _options;
    private readonly RelayCounters _counters;
    private readonly DatagramQueue<Query> _queue;
    private readonly ReplyReceiver _receiver;
    private readonly UpstreamRing _upstreams;
    private readonly AddressFamily _clientFamily;
    private readonly SessionTable _sessions = new();
    private readonly Query[] _batch = new Query[BatchSize];
    private readonly DatagramBatch _done = new(BatchSize);
    private readonly long _idle;
    private readonly int _sweepInterval;
    private long _lastSweep;

    internal Forwarder(
        RelayOptions options,
        RelayCounters counters,
        DatagramQueue<Query> queue,
        ReplyReceiver receiver,
        IReadOnlyList<Upstream> upstreams,
        AddressFamily clientFamily)
    {
        _options = options;
        _counters = counters;
        _queue = queue;
        _receiver = receiver;
        _upstreams = new UpstreamRing(upstreams);
        _clientFamily = clientFamily;
        _idle = (long)options.Idle.TotalMilliseconds;
        _sweepInterval = (int)Math.Clamp(_idle / 4, ShortestSweep, LongestSweep);
    }

    /// <summary>Forwards until the queue is closed and empty, then closes all sessions.</summary>
    internal void Run()
    {
        try
        {
            _lastSweep = Environment.TickCount64;
            while (true)
            {
                int taken = _queue.Take(_batch, _sessions.Count == 0 ? Timeout.Infinite : _sweepInterval);
                if (taken == 0 && _queue.IsFinished)
                {
                    return;
                }

                long now = Environment.TickCount64;
                ForwardBatch(taken, now);
                if (now - _lastSweep >= _sweepInterval)
                {
                    Sweep(now);
                    _lastSweep = now;
                }
            }
        }
        finally
        {
            while (_sessions.Oldest is { } session)
            {
                Close(session, SessionEnd.Stopped);
            }
        }
    }

    private void ForwardBatch(int count, long now)
    {
        int next = 0;
        try
        {
            while (next < count)
            {
                Forward(_batch[next], now);
                _done.Add(_batch[next++].Datagram);
            }
        }
        finally
        {
            // Only after a fault is anything left here; it stops the relay, and keeps no memory.
            for (; next < count; next++)
            {
                _counters.Drop(DropReason.QueryStopped);
                _done.Add(_batch[next].Datagram);
            }

            _done.Free();
            Array.Clear(_batch, 0, count);
        }
    }

    private void Forward(in Query query, long now)
    {
        SocketError error = TryFindOrOpen(query.Client, now, out Session? session);
        if (session is not null)
        {
            _sessions.Touch(session, now);
            error = Transmit(session, query.Datagram.Span, now);
        }

        if (error == SocketError.Success)
        {
            _counters.ToUpstreams.Add(query.Datagram.Length);
        }
        else
        {
            _counters.Drop(ReasonOf(error));
        }
    }

    private SocketError TryFindOrOpen(in ClientAddress client, long now, out Session? session)
    {
        session = _sessions.Find(client);
        if (session is null)
        {
            return TryOpen(client, except: null, now, out session);
        }

        bool useless = session.Broken || (session.Refused && _upstreams.HasBetterThan(session.Upstream, now));
        return useless ? TryReplace(session, now, out session) : SocketError.Success;
    }

    /// <summary>Sends, where need be twice: an error may be an earlier datagram's, a full buffer may have room in a moment.</summary>
    internal SocketError Transmit(Session session, ReadOnlySpan<byte> datagram, long now)
    {
        SocketError error = session.Send(datagram);
        if (IsRefusal(error))
        {
            // The kernel reports here that an earlier datagram was refused; this one has not been sent.
            session.MarkRefused();
            _counters.Refused();
            if (_upstreams.HasBetterThan(session.Upstream, now))
            {
                error = TryReplace(session, now, out Session? other);
                if (other is null)
                {
                    return error;
                }

                session = other;
            }

            error = session.Send(datagram);
        }

        if (error == SocketError.WouldBlock && session.WaitWritable(s_writableLimit))
        {
            error = session.Send(datagram);
        }

        return error;
    }

    /// <summary>Moves a client to another upstream, or, with only one, to a new socket.</summary>
    private SocketError TryReplace(Session session, long now, out Session? other)
    {
        Close(session, SessionEnd.Moved);
        return TryOpen(session.Client, session.Upstream, now, out other);
    }

    private SocketError TryOpen(in ClientAddress client, Upstream? except, long now, out Session? session)
    {
        session = null;
        if (_sessions.Count >= _options.MaxSessions)
        {
            Close(_sessions.Oldest!, SessionEnd.Evicted);
        }

        SocketError error = SocketError.Success;
        for (int attempt = 0; attempt < _upstreams.Count + 1; attempt++)
        {
            Upstream upstream = _upstreams.Next(now, except);
            Socket? socket = TryConnect(upstream, out error);
            if (socket is not null)
            {
                session = Add(new Session(client, client.ToSocketAddress(_clientFamily), upstream, socket, _receiver, now));
                return SocketError.Success;
            }

            if (!IsExhausted(error))
            {
                // This upstream can't be had now; the next one may.
                upstream.Refused();
            }
            else if (_sessions.Oldest is { } oldest)
            {
                // The one silent longest makes room, as when the table is full.
                Close(oldest, SessionEnd.Evicted);
            }
        }

        return IsExhausted(error) ? SocketError.TooManyOpenSockets : error;
    }

    private Session Add(Session session)
    {
        session.Upstream.SessionOpened();
        _sessions.Add(session);
        _counters.SessionOpened();
        _receiver.SessionStarts();
        session.Start();
        return session;
    }

    private Socket? TryConnect(Upstream upstream, out SocketError error)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(upstream.EndPoint.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.ReceiveBufferSize = _options.SocketBufferBytes;
            socket.SendBufferSize = _options.SocketBufferBytes;
            socket.Connect(upstream.EndPoint);
            socket.Blocking = false;
            error = SocketError.Success;
            return socket;
        }
        catch (SocketException exception)
        {
            socket?.Dispose();
            error = exception.SocketErrorCode;
            return null;
        }
    }

    /// <summary>Closes what has been silent both ways for the idle time.</summary>
    private void Sweep(long now)
    {
        Session? next;
        for (Session? session = _sessions.Oldest; session is not null; session = next)
        {
            next = session.Newer;
            CountKernelDrops(session);
            if (session.IsIdle(now, _idle))
            {
                Close(session, SessionEnd.Idle);
            }
        }
    }

    private void Close(Session session, SessionEnd end)
    {
        CountKernelDrops(session);
        _sessions.Remove(session);
        session.Dispose();
        _counters.SessionClosed(end);
    }

    private void CountKernelDrops(Session session)
    {
        uint drops = session.ReadKernelDrops();
        uint since = unchecked(drops - session.KernelDropsCounted);
        if (since != 0)
        {
            session.KernelDropsCounted = drops;
            _counters.KernelDropped(since);
        }
    }

    private static bool IsRefusal(SocketError error) => error is SocketError.ConnectionRefused or SocketError.ConnectionReset;

    private static bool IsUnreachable(SocketError error) =>
        error is SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.NetworkDown or SocketError.HostDown;

    /// <summary>True of a connect that found no socket, no port or no memory left; "would block" is Linux's word for no free port.</summary>
    private static bool IsExhausted(SocketError error) =>
        error is SocketError.TooManyOpenSockets or SocketError.AddressNotAvailable or SocketError.AddressAlreadyInUse
            or SocketError.NoBufferSpaceAvailable or SocketError.WouldBlock;

    private static DropReason ReasonOf(SocketError error) => error switch
    {
        _ when IsRefusal(error) => DropReason.QueryRefused,
        _ when IsUnreachable(error) => DropReason.QueryUnreachable,
        SocketError.TooManyOpenSockets => DropReason.QueryNoSocket,
        SocketError.MessageSize => DropReason.QueryTooLarge,
        SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable => DropReason.QuerySocketFull,
        _ => DropReason.QueryError,
    };
}
