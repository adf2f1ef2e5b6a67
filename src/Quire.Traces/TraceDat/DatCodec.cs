using System.IO.Compression;
using System.Runtime.InteropServices;

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
        "zstd" => new Zstd(file, place),
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

    private sealed unsafe class Zstd : DatCodec
    {
        private static readonly string[] s_names = ["libzstd.so.1", "libzstd.1.dylib", "libzstd.dll", "zstd"];
        private readonly nint _library;
        private readonly delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint> _decompress;
        private readonly delegate* unmanaged<nuint, uint> _isError;
        private readonly delegate* unmanaged<nint, nuint> _free;
        private nint _context;

        internal Zstd(string file, long place)
        {
            foreach (string name in s_names)
            {
                if (NativeLibrary.TryLoad(name, typeof(DatCodec).Assembly, DllImportSearchPath.SafeDirectories, out _library))
                {
                    break;
                }
            }

            if (_library == 0 || !NativeLibrary.TryGetExport(_library, "ZSTD_decompressDCtx", out nint decompress)
                || !NativeLibrary.TryGetExport(_library, "ZSTD_isError", out nint isError)
                || !NativeLibrary.TryGetExport(_library, "ZSTD_createDCtx", out nint create)
                || !NativeLibrary.TryGetExport(_library, "ZSTD_freeDCtx", out nint free))
            {
                throw new TraceFormatException(file, place,
                    "the file is packed with zstd, and the system has no libzstd. Install it (Debian: libzstd1), or write the file with 'trace-cmd convert --compression none' or '--compression zlib'.");
            }

            _decompress = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint>)decompress;
            _isError = (delegate* unmanaged<nuint, uint>)isError;
            _free = (delegate* unmanaged<nint, nuint>)free;
            _context = ((delegate* unmanaged<nint>)create)();
            if (_context == 0)
            {
                throw new InsufficientMemoryException("libzstd has no memory to unpack with.");
            }
        }

        internal override bool TryUnpack(ReadOnlySpan<byte> packed, Span<byte> target)
        {
            fixed (byte* from = packed, to = target)
            {
                nuint size = _decompress(_context, to, (nuint)target.Length, from, (nuint)packed.Length);
                return _isError(size) == 0 && size == (nuint)target.Length;
            }
        }

        public override void Dispose()
        {
            if (_context != 0)
            {
                _free(_context);
                _context = 0;
                NativeLibrary.Free(_library);
            }

            base.Dispose();
        }
    }
}
