using System.Runtime.InteropServices;

namespace Quire.Traces.Sources;

/// <summary>The system's libzstd. Loaded when first needed, and kept.</summary>
internal static unsafe class Zstd
{
    /// <summary>What a user is told where it is missing.</summary>
    internal const string Missing = "packed with zstd, and the system has no libzstd. Install it (Debian: libzstd1; Fedora: libzstd)";

    private static readonly string[] s_names = ["libzstd.so.1", "libzstd.1.dylib", "libzstd.dll", "zstd"];
    private static readonly Calls? s_calls = Load();

    /// <summary>One room of bytes that libzstd reads from or writes to: its <c>ZSTD_inBuffer</c> and <c>ZSTD_outBuffer</c>.</summary>
    internal struct Room
    {
        internal byte* Bytes;
        internal nuint Length;
        internal nuint At;
    }

    internal static bool IsThere => s_calls is not null;

    /// <summary>A context to unpack with. <see cref="Free"/> ends it.</summary>
    internal static nint Create()
    {
        nint context = s_calls!.Create();
        return context != 0 ? context : throw new InsufficientMemoryException("libzstd has no memory to unpack with.");
    }

    internal static void Free(nint context) => s_calls!.Free(context);

    /// <summary>Unpacks one frame into exactly <paramref name="target"/>, or answers false.</summary>
    internal static bool TryUnpack(nint context, ReadOnlySpan<byte> packed, Span<byte> target)
    {
        fixed (byte* from = packed, to = target)
        {
            nuint size = s_calls!.Decompress(context, to, (nuint)target.Length, from, (nuint)packed.Length);
            return s_calls.IsError(size) == 0 && size == (nuint)target.Length;
        }
    }

    /// <summary>Unpacks what it can. False: the bytes are damaged. <paramref name="isFrameEnd"/>: a frame was finished, and nothing of another begun.</summary>
    internal static bool TryUnpack(nint context, ref Room packed, ref Room target, out bool isFrameEnd)
    {
        fixed (Room* from = &packed, to = &target)
        {
            nuint left = s_calls!.DecompressStream(context, to, from);
            isFrameEnd = left == 0;
            return s_calls.IsError(left) == 0;
        }
    }

    private static Calls? Load()
    {
        foreach (string name in s_names)
        {
            if (NativeLibrary.TryLoad(name, typeof(Zstd).Assembly, DllImportSearchPath.SafeDirectories, out nint library))
            {
                return Calls.Of(library);
            }
        }

        return null;
    }

    private sealed class Calls
    {
        internal required delegate* unmanaged<nint> Create { get; init; }

        internal required delegate* unmanaged<nint, nuint> Free { get; init; }

        internal required delegate* unmanaged<nuint, uint> IsError { get; init; }

        internal required delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint> Decompress { get; init; }

        internal required delegate* unmanaged<nint, Room*, Room*, nuint> DecompressStream { get; init; }

        internal static Calls? Of(nint library) =>
            NativeLibrary.TryGetExport(library, "ZSTD_createDCtx", out nint create) && NativeLibrary.TryGetExport(library, "ZSTD_freeDCtx", out nint free)
                && NativeLibrary.TryGetExport(library, "ZSTD_isError", out nint isError) && NativeLibrary.TryGetExport(library, "ZSTD_decompressDCtx", out nint decompress)
                && NativeLibrary.TryGetExport(library, "ZSTD_decompressStream", out nint stream)
                ? new Calls
                {
                    Create = (delegate* unmanaged<nint>)create,
                    Free = (delegate* unmanaged<nint, nuint>)free,
                    IsError = (delegate* unmanaged<nuint, uint>)isError,
                    Decompress = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint>)decompress,
                    DecompressStream = (delegate* unmanaged<nint, Room*, Room*, nuint>)stream,
                }
                : null;
    }
}
