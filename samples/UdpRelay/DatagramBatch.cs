namespace Quire.Samples.UdpRelay;

/// <summary>Collects datagrams that are done with and frees them together: one atomic a page, not one a datagram.</summary>
/// <remarks>One owner at a time. Everything added is freed by the next <see cref="Free"/>; between batches it is empty.</remarks>
internal sealed class DatagramBatch(int capacity)
{
    private readonly PageFragment[] _fragments = new PageFragment[capacity];
    private int _count;

    internal void Add(in Datagram datagram)
    {
        if (datagram.Length == 0)
        {
            return;
        }

        if (_count == _fragments.Length)
        {
            Free();
        }

        _fragments[_count++] = datagram.Fragment;
    }

    internal void Free()
    {
        int count = _count;
        _count = 0;
        PageFragment.Free(_fragments.AsSpan(0, count));
    }
}
