namespace Quire.Traces.Sources;

/// <summary>Unpacks a stream of bytes. At its end it says whether that was the end.</summary>
internal abstract class Unpacking : Stream
{
    /// <summary>Bytes to look at to see how something is packed.</summary>
    internal const int MagicBytes = 4;

    /// <summary>Packed bytes end before what they pack does; what came before is whole.</summary>
    internal bool IsCut { get; private protected set; }

    /// <summary>Packed bytes contradict themselves; what came before is whole.</summary>
    internal bool IsDamaged { get; private protected set; }

    public sealed override bool CanRead => true;

    public sealed override bool CanSeek => false;

    public sealed override bool CanWrite => false;

    public sealed override long Length => throw new NotSupportedException();

    public sealed override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    internal static bool IsPacked(ReadOnlySpan<byte> start) => IsGzip(start) || IsZstd(start);

    /// <summary>What unpacks a stream that begins so; null where it is not packed.</summary>
    internal static Unpacking? Of(Stream packed, ReadOnlySpan<byte> start, string path) =>
        IsGzip(start) ? new GzipUnpacking(packed) : IsZstd(start) ? new ZstdUnpacking(packed, path) : null;

    public sealed override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public sealed override void Flush()
    {
    }

    public sealed override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public sealed override void SetLength(long value) => throw new NotSupportedException();

    public sealed override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private static bool IsGzip(ReadOnlySpan<byte> start) => start.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]);

    private static bool IsZstd(ReadOnlySpan<byte> start) => start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]);
}
