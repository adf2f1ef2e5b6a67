namespace Quire.Traces.Sources;

/// <summary>A stream whose first bytes were looked at already, and are given again.</summary>
internal sealed class Peeked : Stream
{
    private readonly Stream _rest;
    private readonly byte[] _start = new byte[Unpacking.MagicBytes];
    private readonly int _length;
    private int _at;

    internal Peeked(Stream source)
    {
        _rest = source;
        _length = source.ReadAtLeast(_start, _start.Length, throwOnEndOfStream: false);
    }

    /// <summary>The first bytes; fewer where there are no more.</summary>
    internal ReadOnlySpan<byte> Start => _start.AsSpan(0, _length);

    /// <summary>Bytes given so far.</summary>
    internal long Given { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        int read = Math.Min(_length - _at, buffer.Length);
        if (read > 0)
        {
            _start.AsSpan(_at, read).CopyTo(buffer);
            _at += read;
        }
        else
        {
            read = _rest.Read(buffer);
        }

        Given += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rest.Dispose();
        }

        base.Dispose(disposing);
    }
}
