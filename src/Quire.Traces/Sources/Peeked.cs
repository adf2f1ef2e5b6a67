namespace Quire.Traces.Sources;

/// <summary>A stream whose first bytes were looked at already, and are given again.</summary>
internal sealed class Peeked : ForwardStream
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

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rest.Dispose();
        }

        base.Dispose(disposing);
    }
}
