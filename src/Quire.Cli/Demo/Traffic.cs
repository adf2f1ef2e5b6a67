using System.Net;
using System.Net.Sockets;

namespace Quire.Cli.Demo;

/// <summary>
/// A UDP relay on loopback with its clients and its upstream. The relay receives each datagram into a page fragment; two more
/// threads share it, one sends it on, one keeps a copy of its payload; each drops its own reference.
/// </summary>
internal sealed class Traffic : IDisposable
{
    private const int Clients = 2;

    /// <summary>Bytes under way at once for each client: what a socket's default buffer surely takes.</summary>
    private const int Window = 24 * 1024;

    private readonly PageAllocator _allocator;
    private readonly RecentPayloads _recent;
    private readonly Socket _relay = Listener();
    private readonly Socket _upstream = Listener();
    private readonly FragmentQueue _toForward = new();
    private readonly FragmentQueue _toKeep = new();
    private readonly List<Thread> _threads = [];
    private readonly long[] _sentBytes = new long[Clients];
    private readonly long[] _arrivedBytes = new long[Clients];
    private Exception? _fault;
    private int _stopping;
    private long _received;
    private long _receivedBytes;
    private long _forwarded;
    private long _verified;
    private long _fragments;
    private long _dropped;
    private long _notKept;
    private long _taken;
    private long _droppedByForwarder;
    private long _droppedByKeeper;

    internal Traffic(PageAllocator allocator, RecentPayloads recent)
    {
        _allocator = allocator;
        _recent = recent;
    }

    internal long Received => Volatile.Read(ref _received);
    internal long ReceivedBytes => Volatile.Read(ref _receivedBytes);
    internal long Forwarded => Volatile.Read(ref _forwarded);
    internal long Verified => Volatile.Read(ref _verified);
    internal long Fragments => Volatile.Read(ref _fragments);

    /// <summary>Datagrams that found the forwarder's queue full.</summary>
    internal long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Payloads that found the keeper's queue full: it waits while the page it writes to is being taken back.</summary>
    internal long NotKept => Volatile.Read(ref _notKept);

    /// <summary>References to fragments taken, by allocation and by get; read once the threads have ended.</summary>
    internal long ReferencesTaken => _taken;

    /// <summary>References to fragments dropped, on whatever thread; read once the threads have ended.</summary>
    internal long ReferencesDropped => _droppedByForwarder + _droppedByKeeper + _dropped + _notKept;

    internal Exception? Fault => Volatile.Read(ref _fault);

    private bool Stopping => Volatile.Read(ref _stopping) != 0;

    internal void Start()
    {
        Begin("relay-receive", Receive);
        Begin("relay-forward", Forward);
        Begin("payload-keeper", Keep);
        Begin("upstream", Verify);
        for (int i = 0; i < Clients; i++)
        {
            int client = i;
            Begin($"client-{client}", () => Send(client));
        }
    }

    /// <summary>Stops the clients first, lets the rest run dry, and joins all threads.</summary>
    internal void Stop()
    {
        Volatile.Write(ref _stopping, 1);
        _threads.ForEach(static thread => thread.Join());
    }

    public void Dispose()
    {
        _relay.Dispose();
        _upstream.Dispose();
        _toForward.Dispose();
        _toKeep.Dispose();
    }

    private void Send(int client)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(_relay.LocalEndPoint!);
        Random random = new(client + 1);
        byte[] bytes = new byte[Datagram.MaxLength];
        for (uint sequence = 0; !Stopping; sequence++)
        {
            // Mostly small, sometimes large, as on a real network.
            int length = random.Next(8) == 0 ? random.Next(Datagram.MinLength, Datagram.MaxLength + 1) : random.Next(Datagram.MinLength, 1473);
            long patience = Environment.TickCount64 + 100;
            while (_sentBytes[client] - Volatile.Read(ref _arrivedBytes[client]) > Window - length && !Stopping)
            {
                Thread.Sleep(0);
                if (Environment.TickCount64 > patience)
                {
                    // Lost on the way: UDP may. Forget what is under way.
                    Volatile.Write(ref _arrivedBytes[client], _sentBytes[client]);
                }
            }

            Datagram.Write(bytes.AsSpan(0, length), client, sequence);
            socket.Send(bytes.AsSpan(0, length));
            _sentBytes[client] += length;
        }
    }

    private void Receive()
    {
        using PageFragmentCache cache = new(_allocator);
        SocketAddress from = new(AddressFamily.InterNetwork);
        byte[] landing = GC.AllocateUninitializedArray<byte>(Datagram.MaxLength, pinned: true);
        while (TryReceive(_relay, landing, from, out int length))
        {
            PageFragment fragment = cache.Allocate(length, out Span<byte> bytes);
            landing.AsSpan(0, length).CopyTo(bytes);
            _fragments++;
            _received++;
            _receivedBytes += length;

            PageFragment shared = fragment.Get();
            _taken += 2;
            if (!_toForward.TryAdd(fragment))
            {
                cache.Free(fragment);
                _dropped++;
            }

            if (!_toKeep.TryAdd(shared))
            {
                cache.Free(shared);
                _notKept++;
            }
        }
    }

    private void Forward()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(_upstream.LocalEndPoint!);
        Span<PageFragment> batch = stackalloc PageFragment[32];
        for (int count = _toForward.Take(batch); count != 0 || !IsDry(); count = _toForward.Take(batch))
        {
            foreach (PageFragment fragment in batch[..count])
            {
                socket.Send(fragment.Span);
                _forwarded++;
            }

            PageFragment.Free(batch[..count]);
            _droppedByForwarder += count;
        }
    }

    private void Keep()
    {
        Span<PageFragment> batch = stackalloc PageFragment[32];
        for (int count = _toKeep.Take(batch); count != 0 || !IsDry(); count = _toKeep.Take(batch))
        {
            foreach (PageFragment fragment in batch[..count])
            {
                _recent.Keep(fragment.Span);
                fragment.Free();
                _droppedByKeeper++;
            }
        }
    }

    private void Verify()
    {
        SocketAddress from = new(AddressFamily.InterNetwork);
        byte[] landing = new byte[Datagram.MaxLength];
        while (TryReceive(_upstream, landing, from, out int length))
        {
            if (!Datagram.IsIntact(landing.AsSpan(0, length)))
            {
                throw new InvalidDataException($"A datagram of {length} bytes arrived at the upstream with other content than was sent.");
            }

            _verified++;
            int client = BitConverter.ToInt32(landing, 4);
            Interlocked.Add(ref _arrivedBytes[client], length);
        }
    }

    /// <summary>False once the demo is stopping and nothing has come for a while.</summary>
    private bool TryReceive(Socket socket, byte[] landing, SocketAddress from, out int length)
    {
        while (!(Stopping && !socket.Poll(50_000, SelectMode.SelectRead)))
        {
            if (socket.Poll(50_000, SelectMode.SelectRead))
            {
                length = socket.ReceiveFrom(landing, SocketFlags.None, from);
                return true;
            }
        }

        length = 0;
        return false;
    }

    /// <summary>True once the receiver has ended, so that nothing more can come.</summary>
    private bool IsDry() => !_threads[0].IsAlive;

    private void Begin(string name, Action body)
    {
        Thread thread = new(() =>
        {
            try
            {
                body();
            }
            catch (Exception fault)
            {
                Interlocked.CompareExchange(ref _fault, fault, null);
                Volatile.Write(ref _stopping, 1);
            }
        })
        {
            Name = name,
            IsBackground = true,
        };
        _threads.Add(thread);
        thread.Start();
    }

    private static Socket Listener()
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 1 << 20 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }
}
