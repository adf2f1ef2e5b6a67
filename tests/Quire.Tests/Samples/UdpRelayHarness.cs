using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>A server that answers each datagram with itself, every byte changed by its own key, from the port it was asked on.</summary>
internal sealed class TestUpstream : IDisposable
{
    private readonly Socket _socket;
    private readonly Thread _thread;
    private volatile bool _stopping;
    private int _received;
    private int _replied;

    internal TestUpstream(byte key, int port = 0, IPAddress? address = null)
    {
        Key = key;
        address ??= IPAddress.Loopback;
        _socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 };
        Bind(address, port);
        EndPoint = (IPEndPoint)_socket.LocalEndPoint!;
        _thread = new Thread(Run) { IsBackground = true, Name = $"upstream {key}" };
        _thread.Start();
    }

    internal byte Key { get; }

    internal IPEndPoint EndPoint { get; }

    /// <summary>Replies sent for each datagram.</summary>
    internal int Replies { get; set; } = 1;

    internal int Received => Volatile.Read(ref _received);

    internal int Replied => Volatile.Read(ref _replied);

    /// <summary>Where the last datagram came from: the relay's socket for that client.</summary>
    internal SocketAddress? LastFrom { get; private set; }

    internal void SendTo(SocketAddress to, byte[] payload) => _socket.SendTo(payload, SocketFlags.None, to);

    public void Dispose()
    {
        _stopping = true;
        _socket.Dispose();
        _thread.Join();
    }

    /// <summary>Ends it, and waits until what is sent to it is refused.</summary>
    internal void GiveUp()
    {
        Dispose();

        // A process that another test starts meanwhile has a copy of the socket for a moment, which swallows what should be refused. Asked of the
        // system: a socket of our own would be copied just as well.
        Eventually.Holds(() => !IPGlobalProperties.GetIPGlobalProperties().GetActiveUdpListeners().Contains(EndPoint), () => $"{EndPoint} given up");
    }

    /// <summary>To a port that the system hands to nobody by itself: a test that gives it up for a while finds it free again, and what is sent to it meanwhile reaches no other test.</summary>
    private void Bind(IPAddress address, int port)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                _socket.Bind(new IPEndPoint(address, port != 0 ? port : Random.Shared.Next(10_000, 32_000)));
                return;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse && watch.Elapsed < Eventually.Limit)
            {
                // Another one; or the given one again, which somebody has for a moment.
                Thread.Sleep(1);
            }
        }
    }

    private void Run()
    {
        byte[] buffer = new byte[65536];
        SocketAddress from = new(_socket.AddressFamily);
        while (!_stopping)
        {
            try
            {
                int length = _socket.ReceiveFrom(buffer, SocketFlags.None, from);
                LastFrom = from;
                Interlocked.Increment(ref _received);
                foreach (ref byte value in buffer.AsSpan(0, length))
                {
                    value ^= Key;
                }

                for (int i = 0; i < Replies; i++)
                {
                    _socket.SendTo(buffer.AsSpan(0, length), SocketFlags.None, from);
                    Interlocked.Increment(ref _replied);
                }
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // Closed; or the client is gone, which is its own business.
            }
        }
    }
}

/// <summary>A client of the relay that knows what it asked and checks what comes back.</summary>
internal sealed class TestClient : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[65536];

    internal TestClient(EndPoint relay)
    {
        _socket = new Socket(relay.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 20_000, ReceiveBufferSize = 4 << 20 };
        _socket.Connect(relay);
    }

    internal void Send(ReadOnlySpan<byte> payload) => _socket.Send(payload);

    internal ReadOnlySpan<byte> Receive() => _buffer.AsSpan(0, _socket.Receive(_buffer));

    /// <summary>True when something comes within the time.</summary>
    internal bool Hears(TimeSpan within) => _socket.Poll(within, SelectMode.SelectRead);

    /// <summary>Sends and receives one reply, which must be the payload changed by the key of one of the upstreams; answers that upstream.</summary>
    internal TestUpstream Ask(byte[] payload, params TestUpstream[] upstreams)
    {
        Send(payload);
        return CheckReply(payload, Receive(), upstreams);
    }

    /// <summary>As <see cref="Ask"/>, but a query or a reply may be lost: asks again until an answer comes.</summary>
    internal TestUpstream AskUntilAnswered(byte[] payload, params TestUpstream[] upstreams)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < Eventually.Limit)
        {
            Send(payload);
            if (Hears(TimeSpan.FromMilliseconds(100)))
            {
                return CheckReply(payload, Receive(), upstreams);
            }
        }

        throw new TimeoutException("no answer came");
    }

    internal static TestUpstream CheckReply(byte[] asked, ReadOnlySpan<byte> reply, params TestUpstream[] upstreams)
    {
        Assert.Equal(asked.Length, reply.Length);
        TestUpstream upstream = upstreams[0];
        if (asked.Length > 0)
        {
            int key = asked[0] ^ reply[0];
            upstream = Assert.Single(upstreams, candidate => candidate.Key == key);
        }

        for (int i = 0; i < asked.Length; i++)
        {
            if ((asked[i] ^ upstream.Key) != reply[i])
            {
                Assert.Fail($"byte {i} of a reply of {reply.Length} is 0x{reply[i]:x2}, not 0x{asked[i] ^ upstream.Key:x2}");
            }
        }

        return upstream;
    }

    public void Dispose() => _socket.Dispose();
}

/// <summary>Starts relays as the tests need them, and holds what every one of them must hold at its end.</summary>
internal static class RelayHarness
{
    internal static RelayOptions Options(params TestUpstream[] upstreams) => new()
    {
        Listen = new IPEndPoint(IPAddress.Loopback, 0),
        Upstreams = [.. upstreams.Select(upstream => upstream.EndPoint)],
        Patience = Eventually.Limit,
    };

    /// <summary>Stops; nothing is held, nothing failed, and every datagram is accounted for.</summary>
    internal static RelayStatistics StopClean(this Relay relay)
    {
        RelayEnd end = relay.Stop();
        Assert.Null(end.Fault);
        Assert.Null(end.Holders);
        Assert.Equal(0, end.Statistics.PagesHeld);
        Assert.Equal(0, end.Statistics.SessionsOpen);
        end.Statistics.Verify();
        return end.Statistics;
    }
}

/// <summary>Waits for what another thread will do.</summary>
internal static class Eventually
{
    /// <summary>Long: it is reached by what never comes, and not by a machine with other work to do.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    internal static void Holds(Func<bool> condition, Func<string> otherwise)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!condition())
        {
            if (watch.Elapsed > Limit)
            {
                Assert.Fail($"after {Limit.TotalSeconds} s still not: {otherwise()}");
            }

            Thread.Sleep(5);
        }
    }
}

/// <summary>A thread whose failure is the test's.</summary>
internal sealed class TestThread
{
    private readonly Thread _thread;
    private Exception? _failure;

    internal TestThread(Action run)
    {
        _thread = new Thread(() =>
        {
            try
            {
                run();
            }
            catch (Exception exception)
            {
                _failure = exception;
            }
        })
        {
            IsBackground = true,
        };
        _thread.Start();
    }

    internal static TestThread[] Start(int count, Action<int> run) => [.. Enumerable.Range(0, count).Select(number => new TestThread(() => run(number)))];

    internal bool IsAlive => _thread.IsAlive;

    internal void Join()
    {
        Assert.True(_thread.Join(Eventually.Limit), "a thread of the test did not end");
        if (_failure is not null)
        {
            throw new InvalidOperationException("a thread of the test failed", _failure);
        }
    }
}
