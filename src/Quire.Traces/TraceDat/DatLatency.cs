using Quire.Traces.Sources;

namespace Quire.Traces;

/// <summary>The text that a latency tracer left in a trace.dat, as a file of its own.</summary>
internal static class DatLatency
{
    internal static unsafe FileMap Open(FileMap map, DatFile file, DatLatencyText text)
    {
        if (!text.IsPacked)
        {
            using UnmanagedMemoryStream bytes = new(map.At(text.Offset, text.Size), text.Size);
            return Spool.Fill(map.Path, bytes);
        }

        if (file.Codec is null)
        {
            throw new TraceFormatException(map.Path, text.Offset, "the text is packed, but the file names no way to unpack it.");
        }

        // Packed as events are, in chunks; each is given as one piece of text, whatever the size of a page.
        DatBuffer buffer = new(text.Name, "", 1, IsPacked: true, []);
        using DatPages pages = new(map, file, buffer, new DatCpuData(0, text.Offset, text.Size));
        using MemoryStream unpacked = new();
        while (pages.TryNextChunk(out byte* chunk, out long length))
        {
            unpacked.Write(new ReadOnlySpan<byte>(chunk, (int)length));
        }

        unpacked.Position = 0;
        return Spool.Fill(map.Path, unpacked);
    }
}
