using System.IO.Compression;
using System.Security.Cryptography;

namespace Quire.Traces.Sources;

/// <summary>gzip, of one member or several. The runtime's reader says nothing of an end that comes too early, so this does.</summary>
/// <remarks>
/// Behind the last packed byte a member of our own is put, that packs a few random bytes. Where these come out again at the end, all before them was whole; where
/// the packed bytes were cut short, ours are taken for their continuation and become something else. The unpacker asks for more only once it has given
/// everything it had, so what came out before it first met ours is what the file holds.
/// </remarks>
internal sealed class GzipUnpacking : Unpacking
{
    private const int MarkBytes = 16;

    private readonly Source _source;
    private readonly GZipStream _unpacked;
    private bool _isAtEnd;

    internal GzipUnpacking(Stream packed)
    {
        _source = new Source(packed);
        _unpacked = new GZipStream(_source, CompressionMode.Decompress);
    }

    public override int Read(Span<byte> buffer)
    {
        if (_isAtEnd || buffer.IsEmpty)
        {
            return 0;
        }

        try
        {
            int read = _unpacked.Read(buffer);
            if (!_source.IsMarked)
            {
                // Nothing more before the mark was met: other bytes than gzip's follow, which gzip ignores too.
                _isAtEnd = read == 0;
                return read;
            }

            _isAtEnd = true;
            Span<byte> end = stackalloc byte[MarkBytes + 1];
            read = Math.Min(read, end.Length);
            buffer[..read].CopyTo(end);
            read += _unpacked.ReadAtLeast(end[read..], end.Length - read, throwOnEndOfStream: false);
            IsCut = !end[..read].SequenceEqual(_source.Mark);
        }
        catch (InvalidDataException)
        {
            _isAtEnd = true;
            IsCut = _source.IsMarked;
            IsDamaged = !_source.IsMarked;
        }

        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unpacked.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>The packed bytes, and the mark behind them.</summary>
    private sealed class Source : ForwardStream
    {
        private readonly Stream _packed;
        private readonly MemoryStream _marked = new();

        internal Source(Stream packed)
        {
            _packed = packed;
            Mark = RandomNumberGenerator.GetBytes(MarkBytes);
            using (GZipStream writer = new(_marked, CompressionLevel.NoCompression, leaveOpen: true))
            {
                writer.Write(Mark);
            }

            _marked.Position = 0;
        }

        internal byte[] Mark { get; }

        /// <summary>Whether the mark is being read.</summary>
        internal bool IsMarked { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            int read = IsMarked ? 0 : _packed.Read(buffer);
            if (read == 0)
            {
                IsMarked = true;
                read = _marked.Read(buffer);
            }

            return read;
        }

        protected override void Dispose(bool disposing)
        {
            _packed.Dispose();
            base.Dispose(disposing);
        }
    }
}
