using System.Net;
using System.Net.Sockets;

namespace Quire.Samples.UdpRelay;

/// <summary>The thread that empties the listening socket: each datagram stays where it lands, and goes into the queue.</summary>
internal sealed class ClientReceiver : IDisposable
{
    /// <summary>Pause after a receive that failed for a reason unknown, so that a lasting fault costs no core.</summary>
    private static readonly TimeSpan s_pauseAfterError = TimeSpan.FromMilliseconds(10);

    private readonly Socket _socket;
    private readonly RelayCounters _counters;
    private readonly DatagramQueue<Query> _queue;
    private readonly PacketReceiveRing _ring;
    private bool _running;
    private bool _stopping;
    private long _stopBy;

    internal ClientReceiver(Socket socket, PageAllocator allocator, RelayCounters counters, DatagramQueue<Query> queue)
    {
        _socket = socket;
        _counters = counters;
        _queue = queue;
        _ring = ReceiveRings.ForClients(allocator);
    }

    /// <summary>How long a stopping receiver empties the socket, in milliseconds.</summary>
    internal int LongestDrain { get; init; } = 100;

    /// <summary>Receives until <see cref="Stop"/>.</summary>
    internal void Run()
    {
        Volatile.Write(ref _running, true);
        try
        {
            ReceiveUntilStopped();
        }
        finally
        {
            Volatile.Write(ref _running, false);
        }
    }

    private void ReceiveUntilStopped()
    {
        // Overwritten by each receive: no address is allocated.
        SocketAddress from = new(_socket.AddressFamily);
        while (true)
        {
            int length;
            try
            {
                length = _socket.ReceiveFrom(_ring.Buffer, SocketFlags.None, from);
            }
            catch (SocketException exception) when (!Volatile.Read(ref _stopping))
            {
                NoteError(exception.SocketErrorCode);
                continue;
            }
            catch (Exception exception) when (exception is (SocketException or ObjectDisposedException) && Volatile.Read(ref _stopping))
            {
                return;
            }

            // While it runs an empty datagram is one like any other; to one that stops it says that the socket is empty.
            bool stopping = Volatile.Read(ref _stopping);
            if (stopping && length == 0)
            {
                return;
            }

            Queue(length, new ClientAddress(from));

            // What the kernel still held is relayed too, but a flood must not keep the relay from stopping.
            if (stopping && Environment.TickCount64 >= _stopBy)
            {
                return;
            }
        }
    }

    /// <summary>Makes <see cref="Run"/> return, with what has been received queued. Any thread; the socket can still send.</summary>
    internal void Stop()
    {
        _stopBy = Environment.TickCount64 + LongestDrain;

        // Happens before: the thread that reads this true sees the deadline too.
        Volatile.Write(ref _stopping, true);
        Wake();
    }

    /// <summary>Gives the memory back; <see cref="Run"/> has returned.</summary>
    /// <exception cref="InvalidOperationException">It has not: the system may still write to the ring, so it stays held.</exception>
    public void Dispose()
    {
        if (Volatile.Read(ref _running))
        {
            throw new InvalidOperationException("the receiving thread is still running");
        }

        _ring.Dispose();
    }

    private void Queue(int length, in ClientAddress client)
    {
        _counters.FromClients.Add(length);
        if (!_ring.TryTake(length, out PacketBuffer packet))
        {
            _counters.Drop(DropReason.QueryNoMemory);
        }
        else if (!_queue.TryAdd(new Query(new Datagram(packet), client)))
        {
            packet.Dispose();
            _counters.Drop(DropReason.QueryQueueFull);
        }
    }

    private void NoteError(SocketError error)
    {
        _counters.ReceiveFailed();

        // Windows reports here that a reply found its client gone; that is the client's business and says nothing about the socket.
        if (error is not (SocketError.ConnectionReset or SocketError.Interrupted))
        {
            Thread.Sleep(s_pauseAfterError);
        }
    }

    /// <summary>Ends a blocking receive and leaves the socket able to send.</summary>
    private void Wake()
    {
        try
        {
            // Linux: says "not connected", and wakes whoever waits all the same.
            _socket.Shutdown(SocketShutdown.Receive);
        }
        catch (SocketException)
        {
        }

        if (!OperatingSystem.IsLinux())
        {
            WakeByDatagram();
        }
    }

    /// <summary>Elsewhere: an empty datagram to our own address.</summary>
    private void WakeByDatagram()
    {
        var own = (IPEndPoint)_socket.LocalEndPoint!;
        IPAddress to = own.Address.Equals(IPAddress.Any) ? IPAddress.Loopback
            : own.Address.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback
            : own.Address;
        try
        {
            using Socket waker = new(to.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            waker.SendTo([], new IPEndPoint(to, own.Port));
        }
        catch (SocketException)
        {
            // The relay closes the socket when the thread does not end in time.
        }
    }
}
