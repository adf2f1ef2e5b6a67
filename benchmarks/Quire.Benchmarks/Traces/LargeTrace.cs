using System.Buffers.Binary;
using Quire.Traces;

namespace Quire.Benchmarks.Traces;

/// <summary>
/// Makes a large trace of a small one: its pages again and again, each time later, all else as it was recorded. Of a version 6 file of a little-endian machine, in
/// which pages stand as the kernel wrote them.
/// </summary>
internal static class LargeTrace
{
    private const int PageBytes = 4096;
    private const int DataOffset = 16;
    private const uint UsedMask = (1 << 27) - 1;

    /// <summary>Nanoseconds between the last event and its first repetition.</summary>
    private const long Gap = 1_000_000;

    /// <summary>Repeats <paramref name="source"/> until at least <paramref name="bytes"/> bytes are in <paramref name="target"/>.</summary>
    /// <returns>How often it stands there.</returns>
    public static int Repeat(string source, string target, long bytes)
    {
        byte[] file = File.ReadAllBytes(source);
        long first = long.MaxValue;
        long last = 0;
        int cpus;
        using (TraceInput input = TraceInput.Open(source))
        {
            cpus = input.Source.Cpus.Count;
            while (input.TryRead(out TraceRecord record))
            {
                first = Math.Min(first, record.Time);
                last = Math.Max(last, record.Time);
            }
        }

        int table = file.AsSpan().LastIndexOf("flyrecord\0"u8) + 10;
        (int Offset, int Size)[] data = new (int, int)[cpus];
        for (int cpu = 0; cpu < cpus; cpu++)
        {
            data[cpu] = ((int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(table + (16 * cpu))), (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(table + (16 * cpu) + 8)));
        }

        int head = data.Where(static cpu => cpu.Size > 0).Min(static cpu => cpu.Offset);
        int times = (int)Math.Max(1, ((bytes - head) / data.Sum(static cpu => (long)cpu.Size)) + 1);
        long place = head;
        for (int cpu = 0; cpu < cpus; cpu++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(table + (16 * cpu)), place);
            BinaryPrimitives.WriteInt64LittleEndian(file.AsSpan(table + (16 * cpu) + 8), (long)data[cpu].Size * times);
            place += (long)data[cpu].Size * times;
        }

        using FileStream output = new(target, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        output.Write(file.AsSpan(0, head));
        foreach ((int offset, int size) in data)
        {
            for (int time = 0; time < times; time++)
            {
                for (int at = offset; at < offset + size; at += PageBytes)
                {
                    Shift(file.AsSpan(at, PageBytes), time == 0 ? 0 : last - first + Gap);
                }

                output.Write(file.AsSpan(offset, size));
            }
        }

        return times;
    }

    /// <summary>Moves a page's time, and the whole times among its events, which the kernel writes where two events are far apart.</summary>
    private static void Shift(Span<byte> page, long by)
    {
        BinaryPrimitives.WriteInt64LittleEndian(page, BinaryPrimitives.ReadInt64LittleEndian(page) + by);
        int end = DataOffset + (int)(BinaryPrimitives.ReadUInt32LittleEndian(page[8..]) & UsedMask);
        for (int at = DataOffset; at + 4 <= Math.Min(end, page.Length);)
        {
            uint header = BinaryPrimitives.ReadUInt32LittleEndian(page[at..]);
            uint type = header & 31;
            if (type is 29 && header >> 5 == 0)
            {
                return;
            }

            int word = at + 8 <= page.Length ? BinaryPrimitives.ReadInt32LittleEndian(page[(at + 4)..]) : 0;
            if (type == 31)
            {
                long time = (((long)(uint)word << 27) | (header >> 5)) + by;
                BinaryPrimitives.WriteUInt32LittleEndian(page[at..], type | ((uint)(time & UsedMask) << 5));
                BinaryPrimitives.WriteUInt32LittleEndian(page[(at + 4)..], (uint)(time >> 27));
            }

            at += type switch
            {
                0 => 4 + ((word + 3) & ~3),
                29 => 4 + word,
                30 or 31 => 8,
                _ => 4 + ((int)type * 4),
            };
        }
    }
}
