namespace Quire.Traces;

/// <content>The buffers of version 7, and where their CPUs' data lies.</content>
internal sealed partial class DatFile
{
    private void ReadBuffer(DatReader option)
    {
        long offset = option.Size();
        string name = option.Text();
        string clock = option.Text();
        int pageSize = CheckPageSize(option.U32(), option.Place - 4);
        if (offset > _map.Length - SectionHeaderBytes)
        {
            Truncated();
            return;
        }

        uint count = option.U32();
        DatReader section = new(_map.Span(offset, SectionHeaderBytes), _map.Path, offset, IsBigEndian);
        if (section.U16() != (ushort)DatOption.Buffer)
        {
            throw new TraceFormatException(_map.Path, offset, "a section of events should stand here.");
        }

        bool isPacked = (section.U16() & 1) != 0;
        if (isPacked && Codec is null)
        {
            throw new TraceFormatException(_map.Path, offset, "the events are packed, but the file names no way to unpack them.");
        }

        List<DatCpuData> cpus = [];
        for (uint at = 0; at < count; at++)
        {
            Add(cpus, option.U32(), option.Size(), option.Size());
        }

        Clock = name.Length == 0 ? clock : Clock;
        Buffers.Add(new DatBuffer(name, clock, pageSize, isPacked, cpus));
    }

    private void ReadLatencyBuffer(DatReader option)
    {
        long offset = option.Size();
        string name = option.Text();
        LatencyText();
        if (offset > _map.Length - SectionHeaderBytes)
        {
            Truncated();
            return;
        }

        DatReader section = new(_map.Span(offset, SectionHeaderBytes), _map.Path, offset, IsBigEndian);
        section.U16();
        bool isPacked = (section.U16() & 1) != 0;
        section.U32();
        long size = section.Size();
        long left = _map.Length - offset - SectionHeaderBytes;
        if (size > left)
        {
            Truncated();
        }

        LatencyTexts.Add(new DatLatencyText(name, offset + SectionHeaderBytes, Math.Min(size, left), isPacked));
    }

    private void Add(List<DatCpuData> cpus, uint cpu, long offset, long size)
    {
        if (size > 0 && (offset >= _map.Length || size > _map.Length - offset))
        {
            Truncated();
            size = Math.Max(0, _map.Length - offset);
        }

        // No byte belongs to two CPUs; a file that says so could make a reader read it without end.
        _dataBytes += size;
        if (_dataBytes > _map.Length)
        {
            throw new TraceFormatException(_map.Path, offset, "the CPUs' data together is longer than the file.");
        }

        cpus.Add(new DatCpuData((int)Math.Min(cpu, int.MaxValue), offset, size));
    }
}
