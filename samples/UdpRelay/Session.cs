using System.Net;
using System.Net.Sockets;

namespace Quire.Samples.UdpRelay;

/// <summary>One client and the socket, connected to its upstream, through which its queries leave and its replies come back.</summary>
/// <remarks>
/// <para>
/// While nothing arrives a session holds no buffer and no thread: it waits with a receive of zero bytes that peeks. When that completes, a pool thread
/// reads all there is (<see cref="ReplyReceiver"/>) and waits again.
/// </para>
/// <para>
/// Invariant: from <see cref="Start"/> until the receiving has ended exactly one of these exists: a pending wait, or a running
/// <see cref="OnReadable"/>. <see cref="Dispose"/> ends it: the pending wait completes as aborted, the running one sees <c>_closed</c>; so each session
/// reports its end once. All receiving and the closing happen under <c>_gate</c>; sending needs no lock, since only the
/// forwarding thread sends and only it closes.
/// </para>
/// </remarks>
internal sealed class Session : IDisposable
{
    /// <summary>Errors in a row, with nothing received between them, after which a session stops receiving; without it a broken socket would spin.</summary>
    private const int ErrorsInARow = 16;

    /// <summary>Bursts that a closing session still reads; without a bound a flood would keep it open.</summary>
    private const int LastBursts = 16;

    private readonly Lock _gate = new();
    private readonly Socket _socket;
    private readonly SocketAsyncEventArgs _wait;
    private readonly ReplyReceiver _receiver;
    private bool _closed;
    private bool _refused;
    private bool _broken;
    private long _lastReply;

    internal Session(ClientAddress client, SocketAddress replyTo, Upstream upstream, Socket socket, ReplyReceiver receiver, long now)
    {
        Client = client;
        ReplyTo = replyTo;
        Upstream = upstream;
        LastQuery = now;
        _lastReply = now;
        _socket = socket;
        _receiver = receiver;

        // True: no execution context flows into the completions, which would allocate.
        _wait = new SocketAsyncEventArgs(true) { SocketFlags = SocketFlags.Peek };
        _wait.SetBuffer(Memory<byte>.Empty);
        _wait.Completed += (_, _) => OnReadable(_wait.SocketError);
    }

    internal ClientAddress Client { get; }

    /// <summary>The client's address as <c>SendTo</c> takes it; made once, so that replies allocate nothing.</summary>
    internal SocketAddress ReplyTo { get; }

    internal Upstream Upstream { get; }

    /// <summary>When the client last sent, in milliseconds of <see cref="Environment.TickCount64"/>. The forwarding thread's.</summary>
    internal long LastQuery { get; set; }

    /// <summary>When the upstream last replied. Any thread.</summary>
    internal long LastReply => Volatile.Read(ref _lastReply);

    /// <summary>True when the last that was heard from the upstream was a refusal.</summary>
    internal bool Refused => Volatile.Read(ref _refused);

    /// <summary>True when the socket no longer receives: the session has to be replaced even by one to the same upstream.</summary>
    internal bool Broken => Volatile.Read(ref _broken);

    // The session table's list, from the client longest silent to the latest.
    internal Session? Older { get; set; }

    internal Session? Newer { get; set; }

    /// <summary>What the table has already counted of <see cref="KernelDrops"/>.</summary>
    internal uint KernelDropsCounted { get; set; }

    /// <summary>The socket's losses so far, as the kernel counts them. The forwarding thread's.</summary>
    internal uint ReadKernelDrops() => KernelDrops.Read(_socket);

    /// <summary>Begins to receive replies.</summary>
    internal void Start()
    {
        bool pending;
        lock (_gate)
        {
            pending = _socket.ReceiveAsync(_wait);
        }

        if (!pending)
        {
            OnReadable(_wait.SocketError);
        }
    }

    /// <summary>Sends to the upstream without waiting.</summary>
    internal SocketError Send(ReadOnlySpan<byte> datagram)
    {
        _socket.Send(datagram, SocketFlags.None, out SocketError error);
        return error;
    }

    /// <summary>Waits until the socket takes more, at most <paramref name="limit"/>.</summary>
    internal bool WaitWritable(TimeSpan limit) => _socket.Poll(limit, SelectMode.SelectWrite);

    /// <summary>Takes note that the upstream's host answered "port unreachable".</summary>
    internal void MarkRefused()
    {
        Volatile.Write(ref _refused, true);
        Upstream.Refused();
    }

    /// <summary>True when replies have arrived that no pool thread has come to read yet.</summary>
    internal bool HasUnread => _socket.Available > 0;

    /// <summary>
    /// True when at <paramref name="now"/> nothing had come either way for so many milliseconds. Unread replies are not silence: the process may have been
    /// stopped for a while. The forwarding thread's.
    /// </summary>
    internal bool IsIdle(long now, long milliseconds)
    {
        if (IsSilent())
        {
            // Under the gate no reply is on its way from the socket to its mark.
            lock (_gate)
            {
                return IsSilent() && !HasUnread;
            }
        }

        return false;

        bool IsSilent() => now - Math.Max(LastQuery, LastReply) >= milliseconds;
    }

    /// <summary>
    /// Closes the socket, which ends the receiving, which gives up the wait. What has arrived is read first (up to
    /// <see cref="LastBursts"/>), and what is queued is still delivered.
    /// </summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (!_closed)
            {
                for (int i = 0; i < LastBursts && HasUnread; i++)
                {
                    _receiver.Drain(this);
                }

                _closed = true;
                _socket.Dispose();
            }
        }
    }

    /// <summary>Reads one datagram into <paramref name="buffer"/>; <see cref="SocketError.WouldBlock"/> when there is none. Called under the gate.</summary>
    internal int Receive(Span<byte> buffer, out SocketError error) => _socket.Receive(buffer, SocketFlags.None, out error);

    /// <summary>Takes note of a reply at <paramref name="now"/>.</summary>
    internal void MarkReplied(long now)
    {
        Volatile.Write(ref _lastReply, now);
        if (Volatile.Read(ref _refused))
        {
            Volatile.Write(ref _refused, false);
        }

        Upstream.Replied();
    }

    private void OnReadable(SocketError result)
    {
        try
        {
            if (ReadUntilPending(result))
            {
                return;
            }
        }
        catch (Exception exception)
        {
            // On a thread of the pool it would end the process with nothing said; this way the relay stops and says it.
            _receiver.Failed(exception);
        }

        _wait.Dispose();
        _receiver.SessionEnded();
    }

    /// <summary>Reads and waits again; true when a wait is pending, false when this session receives no more.</summary>
    private bool ReadUntilPending(SocketError result)
    {
        int errors = 0;
        while (true)
        {
            lock (_gate)
            {
                // A completion that comes on another thread waits for the gate, so the state it finds is settled.
                if (_closed)
                {
                    return false;
                }

                // Windows answers a peek of zero bytes with "message size": it is there, and more than zero long.
                errors = result is SocketError.Success or SocketError.MessageSize ? 0 : errors + 1;
                _receiver.NoteError(this, result);
                if (errors == ErrorsInARow)
                {
                    Volatile.Write(ref _broken, true);
                    return false;
                }

                _receiver.Drain(this);
                if (_socket.ReceiveAsync(_wait))
                {
                    return true;
                }

                result = _wait.SocketError;
            }
        }
    }
}
