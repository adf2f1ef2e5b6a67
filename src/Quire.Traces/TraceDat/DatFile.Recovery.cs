namespace Quire.Traces;

/// <content>
/// Version 7 files without their end. trace-cmd writes where a buffer's data lies behind the data: a file cut short, or left by a trace-cmd that was killed, does not
/// say it. But sections stand one behind another, so they are found, and pages tell by themselves where a CPU ends.
/// </content>
internal sealed partial class DatFile
{
    private const int MinimumChunkBytes = 8;

    /// <summary>Finds the sections that the options do not name, from the file's head on.</summary>
    private void Recover(long at, Dictionary<DatOption, long> sections, HashSet<long> optionsRead, List<long> data)
    {
        while (at <= _map.Length - SectionHeaderBytes)
        {
            DatReader header = new(_map.Span(at, SectionHeaderBytes), _map.Path, at, IsBigEndian);
            DatOption id = (DatOption)header.U16();
            header.U16();
            header.U32();
            ulong size = header.U64();
            ulong left = (ulong)(_map.Length - at - SectionHeaderBytes);
            if (id is DatOption.Buffer or DatOption.BufferText)
            {
                // Its size is written when it is whole; until then it is 0.
                if (id == DatOption.Buffer)
                {
                    data.Add(at);
                }

                if (size == 0)
                {
                    return;
                }
            }
            else if (size <= left && id is >= DatOption.HeaderInfo and <= DatOption.Cmdlines)
            {
                sections.TryAdd(id, at);
            }
            else if (size <= left && id == DatOption.Done && optionsRead.Add(at))
            {
                try
                {
                    ReadOptions(at, sections, []);
                }
                catch (TraceFormatException)
                {
                    Truncated();
                }
            }
            else if (id is not (DatOption.Done or DatOption.Strings) && id > DatOption.Modules)
            {
                return;
            }

            if (size > left)
            {
                return;
            }

            at += SectionHeaderBytes + (long)size;
        }
    }

    /// <summary>A buffer whose option is missing: the pages or chunks behind its section's head, up to the next section or the file's end.</summary>
    private void RecoverBuffer(long at)
    {
        DatReader header = new(_map.Span(at, SectionHeaderBytes), _map.Path, at, IsBigEndian);
        header.U16();
        bool isPacked = (header.U16() & 1) != 0;
        header.U32();
        ulong size = header.U64();
        long end = size == 0 || size > (ulong)(_map.Length - at - SectionHeaderBytes) ? _map.Length : at + SectionHeaderBytes + (long)size;
        List<DatCpuData> cpus = [];
        long start = Align(at + SectionHeaderBytes);
        if (!isPacked)
        {
            RecoverPages(start, end, cpus);
        }
        else if (Codec is not null)
        {
            RecoverChunks(start, end, cpus);
        }

        _quality.Counter("buffers_recovered", TraceDoubt.Damage, "Buffers of events that the file does not describe, but has; their CPUs are numbered in the order of the file.").Value++;
        Buffers.Add(new DatBuffer(Buffers.Count == 0 ? "" : $"recovered {Buffers.Count}", Clock, PageSize, isPacked, cpus));
    }

    /// <summary>A CPU's pages go forward in time: where they go back, the next CPU's begin.</summary>
    private void RecoverPages(long start, long end, List<DatCpuData> cpus)
    {
        ulong before = 0;
        long from = start;
        long at = start;
        for (; at < end; at += PageSize)
        {
            int length = (int)Math.Min(PageSize, end - at);
            if (length < Layout.Data || Layout.TimeOf(_map.Span(at, length), IsBigEndian) is var time && !Layout.IsPlausible(_map.Span(at, length), PageSize, IsBigEndian))
            {
                break;
            }

            if (time < before)
            {
                Add(cpus, (uint)cpus.Count, from, at - from);
                from = at;
            }

            before = time;
        }

        at = Math.Min(at, end);
        if (at > from)
        {
            Add(cpus, (uint)cpus.Count, from, at - from);
        }
    }

    /// <summary>A CPU's chunks follow each other; the next CPU's begin at a page's start.</summary>
    private void RecoverChunks(long start, long end, List<DatCpuData> cpus)
    {
        for (long at = start; at <= end - 4 - MinimumChunkBytes;)
        {
            uint chunks = new DatReader(_map.Span(at, 4), _map.Path, at, IsBigEndian).U32();
            uint found = 0;
            long next = at + 4;

            // How many chunks there are is written behind the last, too.
            for (; (chunks == 0 || found < chunks) && next <= end - MinimumChunkBytes; found++)
            {
                DatReader chunk = new(_map.Span(next, MinimumChunkBytes), _map.Path, next, IsBigEndian);
                uint packed = chunk.U32();
                uint unpacked = chunk.U32();
                if (packed == 0 || unpacked == 0 || unpacked % PageSize != 0 || packed > end - next - MinimumChunkBytes || !DatCodec.IsBelievable(packed, unpacked))
                {
                    break;
                }

                next += MinimumChunkBytes + packed;
            }

            if (found == 0)
            {
                return;
            }

            Add(cpus, (uint)cpus.Count, at, next - at - 4);
            cpus[^1] = cpus[^1] with { Chunks = found };
            at = Align(next);
        }
    }

    private long Align(long at) => (at + PageSize - 1) / PageSize * PageSize;
}
