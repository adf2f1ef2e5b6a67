using System.Buffers.Binary;
using System.Text;

namespace Quire.Cli.Record;

/// <summary>Reads numbers and texts from bytes, front to back.</summary>
/// <remarks>Past the end it throws <see cref="InvalidDataException"/>: what is read comes from another process.</remarks>
internal ref struct SpanReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    internal readonly bool IsAtEnd => _rest.IsEmpty;

    internal byte Byte() => Take(1)[0];

    internal ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    internal int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

    internal long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    internal double Double() => BinaryPrimitives.ReadDoubleLittleEndian(Take(8));

    internal byte[] Bytes(uint count) => Take(count).ToArray();

    internal void Skip(int count) => Take(count);

    /// <summary>Seven bits a byte, the lowest first; the highest bit says that more follow.</summary>
    internal ulong Variable()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte b = Byte();
            value |= (ulong)(b & 0x7f) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("A number of the nettrace stream has more than 64 bits.");
    }

    /// <summary>UTF-16 up to a NUL.</summary>
    internal string Text()
    {
        int length = 0;
        while (length + 1 < _rest.Length && (_rest[length] | _rest[length + 1]) != 0)
        {
            length += 2;
        }

        string text = Encoding.Unicode.GetString(Take(length));
        Take(2);
        return text;
    }

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count < 0 || count > _rest.Length)
        {
            throw new InvalidDataException("A block of the nettrace stream ends in the midst of an event.");
        }

        ReadOnlySpan<byte> taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}
