using System.Buffers;
using System.Text;

namespace Quire.Traces;

/// <summary>Numbers and texts of a trace.dat's head, one after another, in one byte order.</summary>
internal sealed class DatBytes(bool isBigEndian)
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    internal int Length => _bytes.WrittenCount;

    internal ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    internal DatBytes U8(byte value)
    {
        _bytes.Write([value]);
        return this;
    }

    internal DatBytes U16(ushort value)
    {
        Span<byte> bytes = stackalloc byte[2];
        Put(bytes, value, isBigEndian);
        _bytes.Write(bytes);
        return this;
    }

    internal DatBytes U32(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        Put(bytes, value, isBigEndian);
        _bytes.Write(bytes);
        return this;
    }

    internal DatBytes U64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        Put(bytes, value, isBigEndian);
        _bytes.Write(bytes);
        return this;
    }

    internal DatBytes Raw(ReadOnlySpan<byte> bytes)
    {
        _bytes.Write(bytes);
        return this;
    }

    /// <summary>A text and its NUL.</summary>
    internal DatBytes Text(string text) => Raw(Encoding.UTF8.GetBytes(text)).U8(0);

    /// <summary>A text without a NUL, its length before it in 8 bytes.</summary>
    internal DatBytes Sized(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return U64((ulong)bytes.Length).Raw(bytes);
    }

    internal DatBytes Option(DatOption id, ReadOnlySpan<byte> data) => U16((ushort)id).U32((uint)data.Length).Raw(data);

    /// <summary>A number of as many bytes as there is room for.</summary>
    internal static void Put(Span<byte> target, ulong value, bool isBigEndian)
    {
        for (int at = 0; at < target.Length; at++)
        {
            target[isBigEndian ? target.Length - 1 - at : at] = (byte)(value >> (8 * at));
        }
    }
}
