using System.Net;
using System.Net.Sockets;

namespace Quire.Samples.UdpRelay;

/// <summary>Relays datagrams between many clients and a few upstreams. Start it, read its statistics, stop it once.</summary>
/// <remarks>
/// <code>
/// clients -> listening socket -> ClientReceiver -> queue -> Forwarder (sessions) -> a socket a session -> upstreams
/// clients &lt;- listening socket &lt;- Replier       &lt;- queue &lt;- ReplyReceiver (pool threads) &lt;- the same sockets
/// </code>
/// Three threads of its own and whatever pool threads have replies to read, however many sessions there are. Memory goes the same way: a
/// packet is built by the thread that receives, around the place where the datagram landed, and disposed by the one that sends.
/// </remarks>
internal sealed class Relay : IDisposable
{
    private readonly long _startedAt = Environment.TickCount64;
    private readonly RelayCounters _counters = new();
    private readonly TaskCompletionSource<Exception> _fault = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _stopGate = new();
    private readonly TimeSpan _patience;
    private readonly RelayMemory _memory;
    private readonly DatagramQueue<Query> _queries;
    private readonly DatagramQueue<Reply> _replies;
    private readonly Socket _socket;
    private readonly ClientReceiver _clientReceiver;
    private readonly ReplyReceiver _replyReceiver;
    private readonly Thread _receiving;
    private readonly Thread _forwarding;
    private readonly Thread _replying;
    private RelayEnd? _end;

    private Relay(RelayOptions options, Socket socket, RelayMemory memory)
    {
        _patience = options.Patience;
        _socket = socket;
        _memory = memory;
        LocalEndPoint = (IPEndPoint)socket.LocalEndPoint!;
        Upstreams = [.. options.Upstreams.Select(endPoint => new Upstream(endPoint))];
        _queries = new DatagramQueue<Query>(options.Queue);
        _replies = new DatagramQueue<Reply>(options.Queue);
        _clientReceiver = new ClientReceiver(socket, memory.Allocator, _counters, _queries);
        _replyReceiver = new ReplyReceiver(memory.Allocator, _counters, _replies, Fail);
        Forwarder forwarder = new(options, _counters, _queries, _replyReceiver, Upstreams, socket.AddressFamily);
        Replier replier = new(socket, _counters, _replies);
        _receiving = NewThread("relay: clients in", _clientReceiver.Run);
        _forwarding = NewThread("relay: upstreams out", forwarder.Run);
        _replying = NewThread("relay: clients out", replier.Run);
    }

    /// <summary>Where clients reach it, with the port the system chose when none was given.</summary>
    internal IPEndPoint LocalEndPoint { get; }

    internal IReadOnlyList<Upstream> Upstreams { get; }

    /// <summary>Where its memory comes from.</summary>
    internal PageAllocator Allocator => _memory.Allocator;

    /// <summary>The listening socket's receive buffer as the system granted it, in bytes.</summary>
    internal int ReceiveBufferBytes { get; private init; }

    /// <summary>Completes when a thread ended by an exception that nobody expected; the relay is then of no use and has to be stopped.</summary>
    internal Task<Exception> Fault => _fault.Task;

    /// <summary>Binds and starts.</summary>
    /// <exception cref="SocketException">The address cannot be had.</exception>
    /// <exception cref="PageAllocationException">The memory cannot be had.</exception>
    internal static Relay Start(RelayOptions options)
    {
        RelayMemory memory = new(options.MemoryBytes);
        Socket? socket = null;
        try
        {
            socket = Bind(options, out int granted);
            Relay relay = new(options, socket, memory) { ReceiveBufferBytes = granted };
            relay._replying.Start();
            relay._forwarding.Start();
            relay._receiving.Start();
            return relay;
        }
        catch
        {
            socket?.Dispose();
            memory.Close();
            throw;
        }
    }

    internal RelayStatistics GetStatistics()
    {
        lock (_stopGate)
        {
            return _end?.Statistics ?? Snapshot(KernelDrops.Read(_socket), _memory.PagesHeld);
        }
    }

    /// <summary>
    /// Takes no more, sends what is queued, closes every session, gives all memory back. Called again, it answers the same.
    /// </summary>
    /// <remarks>The order follows the datagrams: each stage ends when the one before it has ended and its queue is empty, so nothing is left behind.</remarks>
    internal RelayEnd Stop()
    {
        lock (_stopGate)
        {
            return _end ??= StopOnce();
        }
    }

    /// <summary>Says that the relay is of no use any more, and why; the first reason stays.</summary>
    internal void Fail(Exception exception) => _fault.TrySetResult(exception);

    /// <summary>Stops; see <see cref="Stop"/>, which also says how it ended.</summary>
    public void Dispose() => Stop();

    private RelayEnd StopOnce()
    {
        // 1. No more queries in; 2. those queued go out, and the sessions close;
        _clientReceiver.Stop();
        Join(_receiving);
        long kernelDrops = KernelDrops.Read(_socket);
        _queries.Close();
        Join(_forwarding);

        // 3. no more replies in; 4. those queued go out.
        bool allEnded = _replyReceiver.WaitForSessions(_patience);
        _replies.Close();
        Join(_replying);
        _socket.Dispose();

        if (!allEnded)
        {
            Fail(new TimeoutException("a session did not stop receiving"));
        }

        // A stop always answers: what goes wrong here is reported with the rest, as the fault or as a holder.
        Attempt(FreeQueued);
        Attempt(_clientReceiver.Dispose);
        Attempt(_replyReceiver.Dispose);

        long pagesHeld = _memory.PagesHeld;
        string? holders = _memory.Close();
        return new RelayEnd(Snapshot(kernelDrops, pagesHeld), holders, _fault.Task.IsCompleted ? _fault.Task.Result : null);
    }

    private void Join(Thread thread)
    {
        if (thread.Join(_patience))
        {
            return;
        }

        // It is in a system call that does not return: without the socket it does.
        _socket.Dispose();
        if (!thread.Join(_patience))
        {
            Fail(new TimeoutException($"thread '{thread.Name}' did not end"));
        }
    }

    private void Attempt(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
    }

    /// <summary>After a fault a queue may have lost its reader.</summary>
    private void FreeQueued()
    {
        Query[] queries = new Query[1];
        while (_queries.Take(queries, 0) != 0)
        {
            queries[0].Datagram.Free();
            _counters.Drop(DropReason.QueryStopped);
        }

        Reply[] replies = new Reply[1];
        while (_replies.Take(replies, 0) != 0)
        {
            replies[0].Datagram.Free();
            _counters.Drop(DropReason.ReplyStopped);
        }
    }

    private RelayStatistics Snapshot(long kernelDropsOfQueries, long pagesHeld) => new()
    {
        Uptime = TimeSpan.FromMilliseconds(Environment.TickCount64 - _startedAt),
        ClientDatagrams = _counters.FromClients.Datagrams,
        ClientBytes = _counters.FromClients.Bytes,
        ForwardedDatagrams = _counters.ToUpstreams.Datagrams,
        ForwardedBytes = _counters.ToUpstreams.Bytes,
        ReplyDatagrams = _counters.FromUpstreams.Datagrams,
        ReplyBytes = _counters.FromUpstreams.Bytes,
        ReturnedDatagrams = _counters.ToClients.Datagrams,
        ReturnedBytes = _counters.ToClients.Bytes,
        QueriesQueued = _queries.Count,
        RepliesQueued = _replies.Count,
        SessionsOpen = _counters.SessionsOpen,
        SessionsOpened = _counters.SessionsOpened,
        SessionsExpired = _counters.SessionsExpired,
        SessionsEvicted = _counters.SessionsEvicted,
        SessionsMoved = _counters.SessionsMoved,
        Refusals = _counters.Refusals,
        ReceiveErrors = _counters.ReceiveErrors,
        KernelDropsOfQueries = kernelDropsOfQueries,
        KernelDropsOfReplies = _counters.KernelDropsOfReplies,
        PagesHeld = pagesHeld,
        GarbageBytes = GC.GetTotalAllocatedBytes(),
        Drops = [.. Enum.GetValues<DropReason>().Select(_counters.Drops)],
    };

    private Thread NewThread(string name, Action run) => new(() => Attempt(run)) { Name = name, IsBackground = true };


    private static Socket Bind(RelayOptions options, out int granted)
    {
        Socket socket = new(options.Listen.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (options.Listen.Address.Equals(IPAddress.IPv6Any))
            {
                // "[::]" means everybody, as it does for other servers.
                socket.DualMode = true;
            }

            socket.ReceiveBufferSize = options.SocketBufferBytes;
            socket.SendBufferSize = options.SocketBufferBytes;
            socket.Bind(options.Listen);

            // Linux answers with twice what it granted, the other half being its own bookkeeping.
            granted = socket.ReceiveBufferSize / (OperatingSystem.IsLinux() ? 2 : 1);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>How a relay ended.</summary>
/// <param name="Statistics">The totals, after everything was drained.</param>
/// <param name="Holders">Null when all memory came back; otherwise who still holds it.</param>
/// <param name="Fault">The exception that stopped it, if one did.</param>
internal sealed record RelayEnd(RelayStatistics Statistics, string? Holders, Exception? Fault);
