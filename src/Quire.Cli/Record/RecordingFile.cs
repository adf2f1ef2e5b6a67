using System.Buffers.Binary;

namespace Quire.Cli.Record;

/// <summary>What a recording's file says of itself, without its events: for the summary, also where the process was killed.</summary>
/// <param name="Events">Events written, those overwritten since included.</param>
/// <param name="Lost">Events that are not in the file.</param>
/// <param name="Threads">Threads that wrote events.</param>
/// <param name="Span">From the beginning to the end; null where nobody noted the end.</param>
/// <param name="IsStopped">Whether the recording was stopped in order.</param>
internal sealed record RecordingFile(long Events, long Lost, int Threads, TimeSpan? Span, bool IsStopped)
{
    private const int HeaderBytes = 4096;
    private const uint SegmentMagic = 0x47455351;
    private const int ThreadText = 4;

    private static ReadOnlySpan<byte> Magic => [0x89, 0x51, 0x52, 0x49, 0x4E, 0x47, 0x0A, 0x01];

    /// <summary>Null where it is no recording, or can't be read from here.</summary>
    internal static RecordingFile? TryRead(string path)
    {
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return Read(file);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static RecordingFile? Read(FileStream file)
    {
        byte[] header = new byte[HeaderBytes];
        if (file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) < HeaderBytes || !header.AsSpan().StartsWith(Magic))
        {
            return null;
        }

        bool isStopped = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(20)) == 2;
        ulong start = U64(header, 24);
        ulong stop = U64(header, 56);
        long end = Math.Min((long)U64(header, 40), file.Length);
        long events = 0;
        long lost = (long)U64(header, 48);
        HashSet<uint> threads = [];
        byte[] segment = new byte[HeaderBytes];
        for (long at = HeaderBytes; at + HeaderBytes <= end;)
        {
            file.Position = at;
            file.ReadExactly(segment);
            long length = (long)U64(segment, 8);
            if (BinaryPrimitives.ReadUInt32LittleEndian(segment) != SegmentMagic || length < HeaderBytes || length > end - at)
            {
                break;
            }

            switch (BinaryPrimitives.ReadUInt32LittleEndian(segment.AsSpan(4)))
            {
                case 1:
                    AddThreads(file, (long)Math.Min(U64(segment, 24), (ulong)(length - HeaderBytes)), threads);
                    break;
                case 2:
                    long head = (long)U64(segment, 32);
                    long dropped = (long)U64(segment, 48);
                    events += head;
                    lost += Math.Max(0, head - (long)U64(segment, 40)) + dropped;
                    break;
            }

            at += length;
        }

        return new RecordingFile(events, lost, threads.Count, stop > start ? TimeSpan.FromMicroseconds((stop - start) / 1000.0) : null, isStopped);
    }

    private static void AddThreads(FileStream file, long bytes, HashSet<uint> threads)
    {
        byte[] text = new byte[bytes];
        file.ReadExactly(text);
        for (int at = 0; at + 16 <= text.Length;)
        {
            uint payload = BinaryPrimitives.ReadUInt32LittleEndian(text.AsSpan(at));
            if (BinaryPrimitives.ReadUInt16LittleEndian(text.AsSpan(at + 4)) == ThreadText)
            {
                threads.Add(BinaryPrimitives.ReadUInt32LittleEndian(text.AsSpan(at + 8)));
            }

            if (payload > text.Length - at - 16)
            {
                break;
            }

            at += (int)((16 + payload + 7) & ~7u);
        }
    }

    private static ulong U64(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(offset));
}
