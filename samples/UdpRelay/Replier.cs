using System.Net.Sockets;

namespace Quire.Samples.UdpRelay;

/// <summary>The thread that sends replies to clients, through the socket they sent to, and frees them batch by batch.</summary>
internal sealed class Replier(Socket socket, RelayCounters counters, DatagramQueue<Reply> queue)
{
    private const int BatchSize = 64;

    private readonly Reply[] _batch = new Reply[BatchSize];
    private readonly DatagramBatch _done = new(BatchSize);

    /// <summary>Sends until the queue is closed and empty.</summary>
    internal void Run()
    {
        while (true)
        {
            int taken = queue.Take(_batch, Timeout.Infinite);
            if (taken == 0)
            {
                return;
            }

            SendBatch(taken);
        }
    }

    private void SendBatch(int count)
    {
        int next = 0;
        try
        {
            while (next < count)
            {
                Send(_batch[next]);
                _done.Add(_batch[next++].Datagram);
            }
        }
        finally
        {
            // Only after a fault is anything left here; it stops the relay, and keeps no memory.
            for (; next < count; next++)
            {
                counters.Drop(DropReason.ReplyStopped);
                _done.Add(_batch[next].Datagram);
            }

            _done.Free();
            Array.Clear(_batch, 0, count);
        }
    }

    private void Send(in Reply reply)
    {
        try
        {
            // Waits while the send buffer is full: then the network is behind, and the queue is where to wait.
            socket.SendTo(reply.Datagram.Span, SocketFlags.None, reply.Session.ReplyTo);
            counters.ToClients.Add(reply.Datagram.Length);
        }
        catch (SocketException exception)
        {
            counters.Drop(ReasonOf(exception.SocketErrorCode));
        }
        catch (ObjectDisposedException)
        {
            // The relay closed the socket because this thread did not end in time.
            counters.Drop(DropReason.ReplyStopped);
        }
    }

    private static DropReason ReasonOf(SocketError error) => error switch
    {
        SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.NetworkDown or SocketError.HostDown
            or SocketError.ConnectionRefused or SocketError.ConnectionReset => DropReason.ReplyUnreachable,
        SocketError.MessageSize => DropReason.ReplyTooLarge,
        _ => DropReason.ReplyError,
    };
}
