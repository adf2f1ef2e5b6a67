using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Quire.Traces;

/// <summary>
/// The pages of one CPU, one after another: straight out of the mapped file, or unpacked chunk by chunk. Pages of the two newest chunks stay
/// where they are, so that a reader can look ahead while it shows what it read.
/// </summary>
internal sealed unsafe class DatPages : IDisposable
{
    private readonly FileMap _map;
    private readonly DatFile _file;
    private readonly DatCpuData _data;
    private readonly int _pageSize;
    private readonly bool _isPacked;
    /// <summary>Bytes of the file that a reader may have behind it before they are given up.</summary>
    private const long MostKept = 4 << 20;
    private const long LeastKept = 128 << 10;
    private const long KeptByAll = 64 << 20;

    private readonly long _kept;
    private readonly byte*[] _chunks = new byte*[2];
    private readonly long[] _chunkSizes = new long[2];
    private long _next;
    private long _forgotten;
    private uint _chunksLeft;
    private byte* _chunk;
    private long _chunkLeft;
    private long _damage;

    internal DatPages(FileMap map, DatFile file, DatBuffer buffer, DatCpuData data)
    {
        _map = map;
        _file = file;
        _data = data;
        _pageSize = buffer.PageSize;
        _isPacked = buffer.IsPacked;
        _kept = Math.Clamp(KeptByAll / Math.Max(1, buffer.Cpus.Count), LeastKept, MostKept);
        Rewind();
    }

    /// <summary>Number of the chunk the newest page lies in, from 1; 0 where nothing is packed.</summary>
    internal long Chunk { get; private set; }

    /// <summary>Whether the next page needs a new chunk, which takes the room of the one before the newest.</summary>
    internal bool NeedsChunk => _isPacked && _chunkLeft < _pageSize && _chunksLeft > 0;

    /// <summary>The next page and how much of it is there; false at the end. Chunks that can't be unpacked are passed over (<see cref="TakeDamage"/>).</summary>
    internal bool TryNext(out byte* page, out int length)
    {
        if (!_isPacked)
        {
            long left = _data.Offset + _data.Size - _next;
            length = (int)Math.Min(_pageSize, left);
            page = left > 0 ? _map.At(_next, length) : null;
            _next += _pageSize;
            Forget();
            return left > 0;
        }

        while (_chunkLeft <= 0)
        {
            if (_chunksLeft == 0)
            {
                page = null;
                length = 0;
                return false;
            }

            Unpack();
        }

        page = _chunk;
        length = (int)Math.Min(_pageSize, _chunkLeft);
        _chunk += length;
        _chunkLeft -= length;
        return true;
    }

    /// <summary>The next chunk as a whole; false at the end.</summary>
    internal bool TryNextChunk(out byte* chunk, out long length)
    {
        while (_chunkLeft <= 0 && _chunksLeft > 0)
        {
            Unpack();
        }

        chunk = _chunk;
        length = _chunkLeft;
        _chunkLeft = 0;
        return length > 0;
    }

    /// <summary>Damaged chunks since it was last asked.</summary>
    internal long TakeDamage()
    {
        long damage = _damage;
        _damage = 0;
        return damage;
    }

    internal void Rewind()
    {
        _damage = 0;
        _next = _forgotten = _data.Offset;
        _chunkLeft = 0;
        _chunksLeft = 0;
        Chunk = 0;
        if (_isPacked && _data.Size >= 4)
        {
            _chunksLeft = _data.Chunks < 0 ? U32(_next) : (uint)_data.Chunks;
            _next += 4;
        }
    }

    public void Dispose()
    {
        for (int at = 0; at < 2; at++)
        {
            NativeMemory.Free(_chunks[at]);
            _chunks[at] = null;
            _chunkSizes[at] = 0;
        }
    }

    private void Unpack()
    {
        // trace-cmd's size of a CPU's data leaves out the count before the chunks.
        long end = Math.Min(_map.Length, _data.Offset + _data.Size + 4);
        uint packed = end - _next >= 8 ? U32(_next) : 0;
        uint unpacked = end - _next >= 8 ? U32(_next + 4) : 0;
        if (end - _next < 8 || packed > end - _next - 8 || !DatCodec.IsBelievable(packed, unpacked))
        {
            // Without a length there is no way to the chunk behind.
            _damage++;
            _chunksLeft = 0;
            return;
        }

        Chunk++;
        long at = Chunk & 1;
        if (_chunkSizes[at] < unpacked)
        {
            _chunkSizes[at] = 0;
            _chunks[at] = (byte*)NativeMemory.Realloc(_chunks[at], unpacked);
            _chunkSizes[at] = unpacked;
        }

        bool isUnpacked = _file.Codec!.TryUnpack(_map.Span(_next + 8, (int)packed), new Span<byte>(_chunks[at], (int)unpacked));
        _damage += isUnpacked ? 0 : 1;
        _next += 8 + packed;
        _chunksLeft--;
        _chunk = _chunks[at];
        _chunkLeft = isUnpacked ? unpacked : 0;
        Forget();
    }

    /// <summary>Gives up what lies well behind: not the newest part, where the events that are looked at and looked ahead for are.</summary>
    private void Forget()
    {
        if (_next - _forgotten > _kept)
        {
            long until = _next - (_kept / 2);
            _map.Forget(_forgotten, until - _forgotten);
            _forgotten = until;
        }
    }

    private uint U32(long offset)
    {
        ReadOnlySpan<byte> bytes = _map.Span(offset, 4);
        return _file.IsBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }
}
