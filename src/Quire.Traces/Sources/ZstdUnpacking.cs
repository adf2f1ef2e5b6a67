namespace Quire.Traces.Sources;

/// <summary>zstd, of one frame or several, with the system's library.</summary>
internal sealed unsafe class ZstdUnpacking : Unpacking
{
    private readonly Stream _packed;
    private readonly byte[] _buffer = new byte[1 << 17];
    private nint _context;
    private int _at;
    private int _length;
    private bool _isFrameEnd;
    private bool _isAtEnd;

    internal ZstdUnpacking(Stream packed, string path)
    {
        if (!Zstd.IsThere)
        {
            throw new TraceFormatException(path, 0, $"the file is {Zstd.Missing}, or unpack the file first.");
        }

        _packed = packed;
        _context = Zstd.Create();
    }

    public override int Read(Span<byte> buffer)
    {
        while (!_isAtEnd && !buffer.IsEmpty)
        {
            if (_at == _length)
            {
                _length = _packed.Read(_buffer);
                _at = 0;
            }

            fixed (byte* from = _buffer, to = buffer)
            {
                Zstd.Room packed = new() { Bytes = from, Length = (nuint)_length, At = (nuint)_at };
                Zstd.Room target = new() { Bytes = to, Length = (nuint)buffer.Length };
                bool isEnd = _length == 0;
                bool wasFrameEnd = _isFrameEnd;
                bool isSound = Zstd.TryUnpack(_context, ref packed, ref target, out _isFrameEnd);
                _at = (int)packed.At;
                if (!isSound)
                {
                    // What follows a whole frame and is none itself is no part of the file: zstd's own program calls it garbage too.
                    _isAtEnd = IsDamaged = true;
                }
                else if (target.At > 0)
                {
                    return (int)target.At;
                }
                else if (isEnd)
                {
                    _isAtEnd = true;
                    IsCut = !wasFrameEnd;
                }
            }
        }

        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (_context != 0)
        {
            Zstd.Free(_context);
            _context = 0;
        }

        if (disposing)
        {
            _packed.Dispose();
        }

        base.Dispose(disposing);
    }
}
