using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire.Traces;

/// <summary>Numbers byte strings by first sight: the same bytes have the same number. Looking up allocates nothing; memory is that of the distinct ones.</summary>
internal sealed unsafe class ByteTable
{
    private const ulong Multiplier = 0x9e37_79b9_7f4a_7c15;

    private int[] _buckets = new int[256];
    private Entry[] _entries = new Entry[128];
    private byte[] _bytes = new byte[4096];
    private int _used;

    internal int Count { get; private set; }

    /// <summary>The number of these bytes, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal int Find(byte* bytes, int length)
    {
        uint hash = Hash(bytes, length);
        for (int at = _buckets[hash & (uint)(_buckets.Length - 1)]; at != 0; at = _entries[at - 1].Next)
        {
            ref Entry entry = ref _entries[at - 1];
            if (entry.Hash == hash && entry.Length == length && new ReadOnlySpan<byte>(bytes, length).SequenceEqual(_bytes.AsSpan(entry.Start, length)))
            {
                return at - 1;
            }
        }

        return -1;
    }

    /// <summary>Adds bytes that are not there yet; returns their number.</summary>
    internal int Add(byte* bytes, int length)
    {
        if (Count == _entries.Length)
        {
            Array.Resize(ref _entries, Count * 2);
            _buckets = new int[_buckets.Length * 2];
            for (int at = 0; at < Count; at++)
            {
                Link(at);
            }
        }

        if (_bytes.Length - _used < length)
        {
            Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(_bytes.Length * 2L, _used + (long)length)));
        }

        new ReadOnlySpan<byte>(bytes, length).CopyTo(_bytes.AsSpan(_used));
        _entries[Count] = new Entry { Hash = Hash(bytes, length), Start = _used, Length = length };
        _used += length;
        Link(Count);
        return Count++;
    }

    internal ReadOnlySpan<byte> this[int number] => _bytes.AsSpan(_entries[number].Start, _entries[number].Length);

    private void Link(int number)
    {
        ref int bucket = ref _buckets[_entries[number].Hash & (uint)(_buckets.Length - 1)];
        _entries[number].Next = bucket;
        bucket = number + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Hash(byte* bytes, int length)
    {
        ulong hash = (ulong)length * Multiplier;
        byte* end = bytes + length;
        for (; end - bytes >= 8; bytes += 8)
        {
            hash = Mix(hash, Unsafe.ReadUnaligned<ulong>(bytes));
        }

        ulong rest = 0;
        for (; bytes < end; bytes++)
        {
            rest = (rest << 8) | *bytes;
        }

        hash = Mix(hash, rest);
        return (uint)(hash >> 32) ^ (uint)hash;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong hash, ulong word)
    {
        hash = (hash ^ word) * Multiplier;
        return hash ^ (hash >> 29);
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Entry
    {
        internal uint Hash;
        internal int Start;
        internal int Length;

        /// <summary>The next entry of the bucket, plus 1; 0 at the end.</summary>
        internal int Next;
    }
}
