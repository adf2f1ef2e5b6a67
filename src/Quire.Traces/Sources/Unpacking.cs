namespace Quire.Traces.Sources;

/// <summary>Unpacks a stream of bytes. At its end it says whether that was the end.</summary>
internal abstract class Unpacking : ForwardStream
{
    /// <summary>Bytes to look at to see how something is packed.</summary>
    internal const int MagicBytes = 4;

    /// <summary>Packed bytes end before what they pack does; what came before is whole.</summary>
    internal bool IsCut { get; private protected set; }

    /// <summary>Packed bytes contradict themselves; what came before is whole.</summary>
    internal bool IsDamaged { get; private protected set; }

    internal static bool IsPacked(ReadOnlySpan<byte> start) => IsGzip(start) || IsZstd(start);

    /// <summary>What unpacks a stream that begins so; null where it is not packed.</summary>
    internal static Unpacking? Of(Stream packed, ReadOnlySpan<byte> start, string path) =>
        IsGzip(start) ? new GzipUnpacking(packed) : IsZstd(start) ? new ZstdUnpacking(packed, path) : null;

    private static bool IsGzip(ReadOnlySpan<byte> start) => start.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b]);

    private static bool IsZstd(ReadOnlySpan<byte> start) => start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]);
}
