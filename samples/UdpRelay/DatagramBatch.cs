namespace Quire.Samples.UdpRelay;

/// <summary>Collects datagrams that are done with and frees them together: one atomic a page, not one a datagram.</summary>
/// <remarks>One owner at a time. Everything added is freed by the next <see cref="Free"/>; between batches it is empty.</remarks>
internal sealed class DatagramBatch(int capacity)
{
    private readonly PacketBuffer[] _packets = new PacketBuffer[capacity];
    private int _count;

    internal void Add(in Datagram datagram)
    {
        if (_count == _packets.Length)
        {
            Free();
        }

        _packets[_count++] = datagram.Packet;
    }

    internal void Free()
    {
        int count = _count;
        _count = 0;
        PacketBuffer.DisposeAll(_packets.AsSpan(0, count));
    }
}
