using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire.Samples.UdpRelay;

/// <summary>A client's socket address as a value: 32 bytes that compare and hash as four words and allocate nothing.</summary>
/// <remarks>
/// The receiver's <see cref="SocketAddress"/> is overwritten by each datagram, so the address travels with the
/// datagram as a copy. The first 28 bytes are the operating system's (<c>sockaddr_in</c> is 16 long,
/// <c>sockaddr_in6</c> 28), zero where it is shorter; the last byte is the length.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct ClientAddress : IEquatable<ClientAddress>
{
    private const int Longest = 28;

    private readonly ulong _first;
    private readonly ulong _second;
    private readonly ulong _third;
    private readonly ulong _fourth;

    internal ClientAddress(SocketAddress address)
    {
        Span<byte> bytes = stackalloc byte[Unsafe.SizeOf<ClientAddress>()];
        bytes.Clear();
        int size = Math.Min(address.Size, Longest);
        address.Buffer.Span[..size].CopyTo(bytes);
        bytes[^1] = (byte)size;
        this = MemoryMarshal.Read<ClientAddress>(bytes);
    }

    /// <summary>The address in the form that <c>SendTo</c> takes. Allocates; once a session.</summary>
    internal SocketAddress ToSocketAddress(AddressFamily family)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<ClientAddress>(in this));
        int size = bytes[^1];
        SocketAddress address = new(family, size);
        bytes[..size].CopyTo(address.Buffer.Span);
        return address;
    }

    public bool Equals(ClientAddress other) =>
        _first == other._first && _second == other._second && _third == other._third && _fourth == other._fourth;

    public override bool Equals(object? obj) => obj is ClientAddress other && Equals(other);

    /// <summary>Seeded anew in each process, so that nobody can choose addresses that collide.</summary>
    public override int GetHashCode() => HashCode.Combine(_first, _second, _third, _fourth);
}
