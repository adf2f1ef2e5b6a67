using System.Globalization;

namespace Quire.Traces;

/// <summary>One CPU's data in the file: pages of the ring buffer, as they are or packed in chunks.</summary>
/// <param name="Number">The CPU.</param>
/// <param name="Offset">Where its data begins.</param>
/// <param name="Size">Bytes in the file.</param>
/// <param name="Chunks">How many chunks it is packed in; -1: the data itself says so, before the first.</param>
internal readonly record struct DatCpuData(int Number, long Offset, long Size, long Chunks = -1);

/// <summary>One ring buffer: the main one, or an instance.</summary>
internal sealed record DatBuffer(string Name, string Clock, int PageSize, bool IsPacked, List<DatCpuData> Cpus);

/// <summary>The text of a latency tracer's buffer: what the kernel's <c>trace</c> file said.</summary>
internal sealed record DatLatencyText(string Name, long Offset, long Size, bool IsPacked);

/// <summary>Everything in a trace.dat but the events: version, byte order, formats, symbols, names, options, and where each CPU's pages lie.</summary>
/// <remarks>
/// Written after <c>trace-cmd.dat.v6(5)</c> and <c>v7(5)</c>, and what trace-cmd does where they say nothing. What can be left out is left out and counted
/// when it is damaged; without the pages' layout and the places of the data nothing can be read, so that throws.
/// </remarks>
internal sealed partial class DatFile : IDisposable
{
    private const int MaximumPageSize = 16 << 20;
    private const int SectionHeaderBytes = 16;

    private readonly FileMap _map;
    private readonly TraceQuality _quality;
    private readonly Dictionary<int, string> _comms = [];
    private readonly List<(string Name, long Offset)> _instances = [];
    private long _dataBytes;
    private uint _cpuCount;
    private bool _hasClockText;
    private string _statBuffer = "";
    private int _statCpu = -1;

    internal DatFile(FileMap map, TraceQuality quality)
    {
        _map = map;
        _quality = quality;
        int start = (int)Math.Min(map.Length, 4096);
        DatReader reader = new(map.Span(0, start), map.Path, 0, false);
        reader.Tag(Magic);
        long place = reader.Place;
        string version = reader.Text();
        Version = int.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;
        if (Version is not (6 or 7))
        {
            throw new TraceFormatException(map.Path, place, $"a trace.dat of version '{version}'; this program reads versions 6 and 7.");
        }

        ReadOnlySpan<byte> machine = reader.Bytes(2);
        IsBigEndian = machine[0] switch { 0 => false, 1 => true, _ => throw new TraceFormatException(map.Path, reader.Place - 2, $"byte order must be 0 or 1, not {machine[0]}.") };
        reader = new DatReader(map.Span(reader.Position, start - reader.Position), map.Path, reader.Position, IsBigEndian);
        PageSize = CheckPageSize(reader.U32(), reader.Place - 4);
        if (Version == 7)
        {
            place = reader.Place;
            string codec = reader.Text();
            reader.Text();
            long options = reader.Size();
            Codec = DatCodec.Of(codec, map.Path, place);
            try
            {
                ReadSections(options, reader.Place);
            }
            catch
            {
                Dispose();
                throw;
            }
        }
        else
        {
            ReadVersion6(reader.Place);
        }
    }

    internal static ReadOnlySpan<byte> Magic => [0x17, 0x08, 0x44, (byte)'t', (byte)'r', (byte)'a', (byte)'c', (byte)'i', (byte)'n', (byte)'g'];

    internal int Version { get; }

    internal bool IsBigEndian { get; }

    internal int PageSize { get; }

    internal DatCodec? Codec { get; }

    internal DatPageLayout Layout { get; private set; } = DatPageLayout.Common;

    internal List<TraceEventFormat> Formats { get; } = [];

    internal KernelSymbols Symbols { get; private set; } = new([]);

    internal IReadOnlyDictionary<int, string> Comms => _comms;

    internal List<DatBuffer> Buffers { get; } = [];

    internal Dictionary<string, string> Properties { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether Quire made the file out of a recording of its own.</summary>
    internal bool IsQuire { get; private set; }

    /// <summary>The main buffer's clock.</summary>
    internal string Clock { get; private set; } = "local";

    /// <summary>ns to add to every time (options DATE and OFFSET).</summary>
    internal long TimeOffset { get; private set; }

    /// <summary>Shifts of a guest's clock, and cycles to ns (options TIME_SHIFT, TSC2NSEC).</summary>
    internal DatClock Times { get; } = new();

    /// <summary>Texts that latency tracers left in place of events.</summary>
    internal List<DatLatencyText> LatencyTexts { get; } = [];

    /// <summary>Texts of option CPUSTAT by buffer ("" the main one) and CPU: what the kernel counted.</summary>
    internal Dictionary<(string Buffer, int Cpu), (long Overrun, long Dropped)> CpuStats { get; } = [];

    public void Dispose() => Codec?.Dispose();

    private void ReadVersion6(long at)
    {
        // One after another, with no way to jump: the whole head must be readable.
        int length = (int)Math.Min(_map.Length - at, int.MaxValue);
        DatReader reader = new(_map.Span(at, length), _map.Path, at, IsBigEndian);
        ReadHeaderInfo(ref reader);
        ReadFtraceFormats(ref reader);
        ReadFormats(ref reader);
        Symbols = new KernelSymbols(reader.Bytes(reader.U32()).ToArray());
        reader.Bytes(reader.U32());
        ReadComms(reader.Text(reader.Size()));
        _cpuCount = reader.U32();
        ReadOptionsAndData(ref reader, isMain: true, "");
        uint cpus = _cpuCount;
        foreach ((string name, long offset) in _instances.ToArray())
        {
            // An instance may say how many CPUs it has; what it says is for itself.
            _cpuCount = cpus;
            if (offset >= _map.Length)
            {
                Truncated();
                continue;
            }

            DatReader instance = new(_map.Span(offset, (int)Math.Min(_map.Length - offset, int.MaxValue)), _map.Path, offset, IsBigEndian);
            ReadOptionsAndData(ref instance, isMain: false, name);
        }
    }

    private void ReadOptionsAndData(ref DatReader reader, bool isMain, string name)
    {
        ReadOnlySpan<byte> tag = reader.Bytes(10);
        if (tag.StartsWith("options"u8))
        {
            for (ushort id = reader.U16(); id != (ushort)DatOption.Done; id = reader.U16())
            {
                uint size = reader.U32();
                long place = reader.Place;
                TakeOption((DatOption)id, reader.Bytes(size), place);
            }

            tag = reader.Bytes(10);
        }

        if (tag.StartsWith("latency"u8))
        {
            LatencyTexts.Add(new DatLatencyText(name, reader.Place, reader.Remaining, IsPacked: false));
            LatencyText();
            return;
        }

        if (!tag.StartsWith("flyrecord"u8))
        {
            throw new TraceFormatException(_map.Path, reader.Place - 10, "'flyrecord' or 'latency' should stand here.");
        }

        if (_cpuCount > reader.Remaining / 16)
        {
            throw new TraceFormatException(_map.Path, reader.Place, $"the file is too short for {_cpuCount} CPUs.");
        }

        List<DatCpuData> cpus = [];
        for (int cpu = 0; cpu < _cpuCount; cpu++)
        {
            Add(cpus, (uint)cpu, reader.Size(), reader.Size());
        }

        if (isMain && _hasClockText)
        {
            Clock = SelectedClock(reader.Text(reader.Size())) ?? Clock;
        }

        Buffers.Add(new DatBuffer(name, Clock, PageSize, IsPacked: false, cpus));
    }

    private void ReadSections(long options, long first)
    {
        // The order of options is that of writing, not of need: first all are taken, then the sections they name are read.
        Dictionary<DatOption, long> sections = [];
        HashSet<long> optionsRead = [];
        List<(long Place, byte[] Data, DatOption Id)> buffers = [];
        bool isWhole = options != 0;
        while (options != 0)
        {
            if (!optionsRead.Add(options))
            {
                throw new TraceFormatException(_map.Path, options, "the chain of option sections goes in a circle.");
            }

            if (options > _map.Length - SectionHeaderBytes)
            {
                isWhole = false;
                break;
            }

            options = ReadOptions(options, sections, buffers);
        }

        List<long> data = [];
        if (!isWhole || buffers.Count == 0)
        {
            Recover(first, sections, optionsRead, data);
            data.RemoveAll(place => buffers.Exists(buffer => new DatReader(buffer.Data, _map.Path, buffer.Place, IsBigEndian).Size() == place));
            if (!isWhole || data.Count > 0)
            {
                Truncated();
            }
        }

        ReadSection(sections, DatOption.HeaderInfo, static (DatFile file, ref DatReader reader) => file.ReadHeaderInfo(ref reader));
        ReadSection(sections, DatOption.FtraceEvents, static (DatFile file, ref DatReader reader) => file.ReadFtraceFormats(ref reader));
        ReadSection(sections, DatOption.EventFormats, static (DatFile file, ref DatReader reader) => file.ReadFormats(ref reader));
        ReadSection(sections, DatOption.Kallsyms, static (DatFile file, ref DatReader reader) => file.Symbols = new KernelSymbols(reader.Bytes(reader.U32()).ToArray()));
        ReadSection(sections, DatOption.Cmdlines, static (DatFile file, ref DatReader reader) => file.ReadComms(reader.Text(reader.Size())));
        foreach ((long place, byte[] option, DatOption id) in buffers)
        {
            DatReader reader = new(option, _map.Path, place, IsBigEndian);
            if (id == DatOption.Buffer)
            {
                ReadBuffer(reader);
            }
            else
            {
                ReadLatencyBuffer(reader);
            }
        }

        data.ForEach(RecoverBuffer);
    }

    /// <summary>Takes one section of options; answers where the next is.</summary>
    private long ReadOptions(long place, Dictionary<DatOption, long> sections, List<(long Place, byte[] Data, DatOption Id)> buffers)
    {
        byte[]? unpacked = Section(place, DatOption.Done, out ReadOnlySpan<byte> bytes);
        DatReader reader = new(unpacked ?? bytes, _map.Path, place + SectionHeaderBytes, IsBigEndian);
        while (reader.Remaining > 0)
        {
            DatOption id = (DatOption)reader.U16();
            uint size = reader.U32();
            long at = reader.Place;
            ReadOnlySpan<byte> data = reader.Bytes(size);
            if (id is DatOption.Buffer or DatOption.BufferText)
            {
                buffers.Add((at, data.ToArray(), id));
            }
            else if (id is DatOption.Done or (>= DatOption.HeaderInfo and <= DatOption.Cmdlines))
            {
                long section = new DatReader(data, _map.Path, at, IsBigEndian).Size();
                if (id == DatOption.Done)
                {
                    return section;
                }

                sections[id] = section;
            }
            else
            {
                TakeOption(id, data, at);
            }
        }

        return 0;
    }

    private delegate void SectionReader(DatFile file, ref DatReader reader);

    private void ReadSection(Dictionary<DatOption, long> sections, DatOption id, SectionReader read)
    {
        if (!sections.TryGetValue(id, out long offset))
        {
            return;
        }

        if (offset > _map.Length - SectionHeaderBytes)
        {
            Truncated();
            return;
        }

        byte[]? unpacked = Section(offset, id, out ReadOnlySpan<byte> bytes);
        DatReader reader = new(unpacked ?? bytes, _map.Path, offset + SectionHeaderBytes, IsBigEndian);
        read(this, ref reader);
    }

    /// <summary>A section's bytes: unpacked (answered), or as they are (<paramref name="bytes"/>).</summary>
    private byte[]? Section(long offset, DatOption id, out ReadOnlySpan<byte> bytes)
    {
        DatReader header = new(_map.Span(offset, SectionHeaderBytes), _map.Path, offset, IsBigEndian);
        ushort found = header.U16();
        ushort flags = header.U16();
        header.U32();
        long size = header.Size();
        if (found != (ushort)id)
        {
            throw new TraceFormatException(_map.Path, offset, $"section {(ushort)id} should stand here, not {found}.");
        }

        if (size > int.MaxValue)
        {
            throw new TraceFormatException(_map.Path, offset, $"a section of {size} bytes.");
        }

        bytes = _map.Span(offset + SectionHeaderBytes, (int)size);
        if ((flags & 1) == 0)
        {
            return null;
        }

        DatReader packed = new(bytes, _map.Path, offset + SectionHeaderBytes, IsBigEndian);
        uint packedBytes = packed.U32();
        uint unpackedBytes = packed.U32();
        if (!DatCodec.IsBelievable(packedBytes, unpackedBytes))
        {
            throw new TraceFormatException(_map.Path, offset, $"{packedBytes} packed bytes can't be {unpackedBytes} bytes of a trace.");
        }

        ReadOnlySpan<byte> content = packed.Bytes(packedBytes);
        byte[] unpacked = new byte[unpackedBytes];
        return Codec is not null && Codec.TryUnpack(content, unpacked) ? unpacked
            : throw new TraceFormatException(_map.Path, offset + SectionHeaderBytes, "the section can't be unpacked.");
    }
}
