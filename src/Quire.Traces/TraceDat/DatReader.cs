using System.Buffers.Binary;
using System.Text;

namespace Quire.Traces;

/// <summary>Reads numbers and texts one after another out of a part of a trace.dat, in the file's byte order. What goes beyond the part's end throws.</summary>
internal ref struct DatReader
{
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _file;
    private readonly long _start;
    private readonly bool _isBigEndian;
    private int _at;

    /// <param name="bytes">The part.</param>
    /// <param name="file">The file's path, for errors.</param>
    /// <param name="start">Where the part begins in the file, for errors; of a compressed part, where that begins.</param>
    /// <param name="isBigEndian">The file's byte order.</param>
    internal DatReader(ReadOnlySpan<byte> bytes, string file, long start, bool isBigEndian)
    {
        _bytes = bytes;
        _file = file;
        _start = start;
        _isBigEndian = isBigEndian;
    }

    internal readonly int Position => _at;

    internal readonly int Remaining => _bytes.Length - _at;

    internal readonly long Place => _start + _at;

    internal ushort U16() => _isBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(Bytes(2)) : BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

    internal uint U32() => _isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(Bytes(4)) : BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    internal ulong U64() => _isBigEndian ? BinaryPrimitives.ReadUInt64BigEndian(Bytes(8)) : BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    /// <summary>A place or a size in the file: at most what a signed number holds.</summary>
    internal long Size()
    {
        long place = Place;
        ulong value = U64();
        return value <= long.MaxValue ? (long)value : throw new TraceFormatException(_file, place, $"no place or size in a file can be {value}.");
    }

    internal ReadOnlySpan<byte> Bytes(long count)
    {
        if (count < 0 || count > Remaining)
        {
            throw new TraceFormatException(_file, Place, $"{count} bytes should follow, but only {Remaining} are left of this part.");
        }

        ReadOnlySpan<byte> bytes = _bytes.Slice(_at, (int)count);
        _at += (int)count;
        return bytes;
    }

    /// <summary>A text up to its NUL.</summary>
    internal string Text()
    {
        int length = _bytes[_at..].IndexOf((byte)0);
        if (length < 0)
        {
            throw new TraceFormatException(_file, Place, "a text without an end.");
        }

        return Encoding.UTF8.GetString(Bytes(length + 1)[..^1]);
    }

    /// <summary>A text of so many bytes, with or without a NUL at its end.</summary>
    internal string Text(long bytes) => Encoding.UTF8.GetString(Bytes(bytes)).TrimEnd('\0');

    /// <summary>Passes over a tag, or throws.</summary>
    internal void Tag(ReadOnlySpan<byte> tag)
    {
        long place = Place;
        if (!Bytes(tag.Length).SequenceEqual(tag))
        {
            throw new TraceFormatException(_file, place, $"'{Encoding.ASCII.GetString(tag).TrimEnd('\0')}' should stand here.");
        }
    }
}
