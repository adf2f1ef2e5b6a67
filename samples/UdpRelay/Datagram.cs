namespace Quire.Samples.UdpRelay;

/// <summary>One datagram on its way through the relay: what arrived, and the fragment that carries it.</summary>
/// <remarks>
/// Invariant: an empty datagram (it is legal, and is relayed) has no fragment; any other has one, at least <see cref="Length"/> bytes long.
/// Whoever takes a datagram out of a queue frees it, on whatever thread that is; several at once through <see cref="DatagramBatch"/>.
/// </remarks>
internal readonly struct Datagram(PageFragment fragment, int length)
{
    /// <summary>What carries it; nothing where <see cref="Length"/> is 0.</summary>
    internal PageFragment Fragment { get; } = fragment;

    /// <summary>Bytes of payload, 0 to 65,535.</summary>
    internal int Length { get; } = length;

    internal ReadOnlySpan<byte> Span => Length == 0 ? default : Fragment.Span[..Length];

    /// <summary>Gives the memory back. Any thread; once.</summary>
    internal void Free()
    {
        if (Length != 0)
        {
            Fragment.Free();
        }
    }
}
