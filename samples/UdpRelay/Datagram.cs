namespace Quire.Samples.UdpRelay;

/// <summary>One datagram on its way through the relay: the packet that was built around it where it landed.</summary>
/// <remarks>
/// Whoever takes a datagram out of a queue frees it, on whatever thread that is; several at once through <see cref="DatagramBatch"/>. An empty one is legal, and is relayed.
/// </remarks>
internal readonly struct Datagram(PacketBuffer packet)
{
    internal PacketBuffer Packet { get; } = packet;

    /// <summary>Bytes of payload, 0 to 65,535.</summary>
    internal int Length => Packet.Length;

    internal ReadOnlySpan<byte> Span => Packet.Head;

    /// <summary>Gives the memory back. Any thread; once.</summary>
    internal void Free() => Packet.Dispose();
}
