using System.IO.Compression;
using Quire.Traces.Sources;

namespace Quire.Traces;

/// <summary>Unpacks the parts of a version 7 file: zlib with the runtime's own code, zstd with the system's library.</summary>
internal abstract class DatCodec : IDisposable
{
    /// <summary>No part of a real trace unpacks to more than this many times its size, and a little on top for pages of zeros: a file that claims so is not believed.</summary>
    private const long MaximumRatio = 1024;
    private const long Slack = 1 << 20;

    /// <summary>The codec by the file's name for it; null for <c>none</c>.</summary>
    internal static DatCodec? Of(string name, string file, long place) => name switch
    {
        "none" => null,
        "zlib" => new Zlib(),
        "zstd" => new Zstandard(file, place),
        _ => throw new TraceFormatException(file, place, $"the file is packed with '{name}'; this program knows none, zlib and zstd."),
    };

    /// <summary>Whether the unpacked size claimed can be true; asked before anything of that size is allocated.</summary>
    internal static bool IsBelievable(long packed, long unpacked) => unpacked <= Slack + (packed * MaximumRatio) && unpacked <= Array.MaxLength;

    /// <summary>Unpacks exactly <paramref name="target"/>'s length, or answers false.</summary>
    internal abstract bool TryUnpack(ReadOnlySpan<byte> packed, Span<byte> target);

    public virtual void Dispose()
    {
    }

    private sealed class Zlib : DatCodec
    {
        internal override unsafe bool TryUnpack(ReadOnlySpan<byte> packed, Span<byte> target)
        {
            if (packed.IsEmpty)
            {
                return target.IsEmpty;
            }

            fixed (byte* start = packed)
            {
                try
                {
                    using UnmanagedMemoryStream source = new(start, packed.Length);
                    using ZLibStream unpacked = new(source, CompressionMode.Decompress);
                    return unpacked.ReadAtLeast(target, target.Length, throwOnEndOfStream: false) == target.Length;
                }
                catch (InvalidDataException)
                {
                    return false;
                }
            }
        }
    }

    private sealed class Zstandard : DatCodec
    {
        private nint _context;

        internal Zstandard(string file, long place)
        {
            _context = Zstd.IsThere ? Zstd.Create() : throw new TraceFormatException(file, place,
                $"the file is {Zstd.Missing}, or write the file with 'trace-cmd convert --compression none' or '--compression zlib'.");
        }

        internal override bool TryUnpack(ReadOnlySpan<byte> packed, Span<byte> target) => Zstd.TryUnpack(_context, packed, target);

        public override void Dispose()
        {
            if (_context != 0)
            {
                Zstd.Free(_context);
                _context = 0;
            }

            base.Dispose();
        }
    }
}
