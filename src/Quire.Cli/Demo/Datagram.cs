using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Quire.Cli.Demo;

/// <summary>What the clients send: length, client, sequence number, filling, and a CRC-32C over all of it at the end, so that every hop can check the bytes.</summary>
internal static class Datagram
{
    internal const int MinLength = 64;
    internal const int MaxLength = 8192;
    private const int Overhead = 16 + sizeof(uint);

    internal static void Write(Span<byte> bytes, int client, uint sequence)
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], client);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], sequence * 2654435761u);
        bytes[16..^4].Fill((byte)(sequence ^ (uint)client));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[^4..], Checksum(bytes[..^4]));
    }

    internal static bool IsIntact(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= Overhead
        && BinaryPrimitives.ReadInt32LittleEndian(bytes) == bytes.Length
        && BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]) == Checksum(bytes[..^4]);

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (byte rest in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, rest);
        }

        return crc;
    }
}
