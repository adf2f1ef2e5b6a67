using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Quire.Traces;

/// <summary>Writes a trace.dat of version 6 or 7 out of any trace, as trace-cmd writes it: pages of a ring buffer for each CPU behind a head that describes them.</summary>
/// <remarks>
/// Two passes over the input: the first measures each CPU's pages and collects the frames of stacks, so that the head can be written before the events; the second writes the
/// pages to their places. So memory holds a page a CPU and the distinct frames, however long the trace is. Snapshots become CPUs behind the real
/// ones, one for each, and so do instances of a kernel: in an instance of its own, trace-cmd would print each line with the instance's name, and version 6 readers other than
/// trace-cmd know nothing of instances.
/// </remarks>
internal sealed class TraceDatWriter
{
    private const int PageBytes = DatPageWriter.PageBytes;

    /// <summary>Numbers from here on are taken for damage, not for CPUs.</summary>
    private const int MaximumCpu = 1 << 14;

    private readonly TraceInput _input;
    private readonly Stream _output;
    private readonly int _version;
    private readonly bool _isBigEndian;
    private readonly DatEventWriter _events;
    private readonly DatPageWriter[] _cpus;
    private readonly int[] _places;
    private readonly List<(TraceSnapshotInfo Info, int Cpu)> _snapshots = [];

    internal TraceDatWriter(TraceInput input, Stream output, int version)
    {
        _input = input;
        _output = output;
        _version = version;
        _isBigEndian = input.IsBigEndian;
        _events = new DatEventWriter(input);

        // A CPU keeps its number, unless two of different instances have the same.
        int[] numbers = [.. input.Source.Cpus.Select(static cpu => cpu.Number)];
        bool areUnique = numbers.Distinct().Count() == numbers.Length && numbers.All(static number => number is >= 0 and < MaximumCpu);
        _places = areUnique ? numbers : [.. Enumerable.Range(0, numbers.Length)];
        int cpus = _places.Length == 0 ? 0 : _places.Max() + 1;
        foreach (IGrouping<TraceSnapshot, TraceSnapshotInfo> snapshots in input.Source.Snapshots.GroupBy(static snapshot => snapshot.Which))
        {
            TraceSnapshotInfo first = snapshots.First();
            _snapshots.Add((first with { IsComplete = snapshots.All(static snapshot => snapshot.IsComplete) }, cpus + _snapshots.Count));
        }

        _cpus = [.. Enumerable.Range(0, cpus + _snapshots.Count).Select(_ => new DatPageWriter(input.Layout, _isBigEndian))];
    }

    internal TraceConversion Write()
    {
        long start = _output.Position;
        long lost = Pass();
        long extraLost = Math.Max(0, _input.Quality[TraceCounter.Lost] - lost);
        DatBytes head = Head(extraLost, out int table);

        // The pages, one CPU behind the other, each beginning at a whole page.
        long[] offsets = new long[_cpus.Length];
        long at = Align(head.Length);
        for (int cpu = 0; cpu < _cpus.Length; cpu++)
        {
            offsets[cpu] = at;
            at += _cpus[cpu].Pages * PageBytes;
            _cpus[cpu].WriteTo(_output, start + offsets[cpu]);
        }

        long end = at;
        _events.Rewind();
        _input.Rewind();
        Pass();

        byte[] bytes = head.Written.ToArray();
        for (int cpu = 0; cpu < _cpus.Length; cpu++)
        {
            // Of a recording that runs on, events may be overwritten between the passes: then less was written than measured.
            int entry = table + (cpu * (_version == 7 ? 20 : 16)) + (_version == 7 ? 4 : 0);
            DatBytes.Put(bytes.AsSpan(entry, 8), (ulong)offsets[cpu], _isBigEndian);
            DatBytes.Put(bytes.AsSpan(entry + 8, 8), (ulong)(_cpus[cpu].Pages * PageBytes), _isBigEndian);
        }

        if (_version == 7)
        {
            // The section of events ends with the file; its header is the head's last part.
            DatBytes.Put(bytes.AsSpan(bytes.Length - 8), (ulong)(end - bytes.Length), _isBigEndian);
        }

        _output.SetLength(start + end);
        _output.Position = start;
        _output.Write(bytes);
        _output.Position = start + end;
        _output.Flush();
        return new TraceConversion(_cpus.Sum(static cpu => cpu.Events) - _events.Stacks, _events.Stacks, _events.Cut, _cpus.Sum(static cpu => cpu.TimesMoved));
    }

    private long Pass()
    {
        long lost = 0;
        while (_input.TryRead(out TraceRecord record))
        {
            lost += Math.Max(0, record.LostBefore);
            _events.Write(record, _cpus[CpuOf(record)]);
        }

        foreach (DatPageWriter cpu in _cpus)
        {
            cpu.Flush();
        }

        return lost;
    }

    private int CpuOf(in TraceRecord record)
    {
        if (record.Stream >= 0)
        {
            return _places[record.Stream];
        }

        TraceSnapshot which = record.Snapshot;
        return _snapshots.Find(snapshot => snapshot.Info.Which == which).Cpu;
    }

    private DatBytes Head(long extraLost, out int table)
    {
        DatBytes head = new(_isBigEndian);
        head.Raw(DatFile.Magic).Text(_version == 7 ? "7" : "6").U8((byte)(_isBigEndian ? 1 : 0)).U8((byte)_input.Layout.LongBytes).U32(PageBytes);
        if (_version == 7)
        {
            Sections(head, extraLost, out table);
            return head;
        }

        HeaderInfo(head);
        FtraceFormats(head);
        Formats(head);
        byte[] symbols = Symbols();
        head.U32((uint)symbols.Length).Raw(symbols);
        head.U32(0);
        head.Sized(Comms());
        head.U32((uint)_cpus.Length);
        head.Raw("options  \0"u8);
        Options(head, extraLost);
        head.U16((ushort)DatOption.Done);
        head.Raw("flyrecord\0"u8);
        table = head.Length;
        foreach (DatPageWriter _ in _cpus)
        {
            head.U64(0).U64(0);
        }

        head.Sized($"[{_input.Source.Clock}]");
        return head;
    }

    private void Sections(DatBytes head, long extraLost, out int table)
    {
        head.Text("none").Text("");
        int optionsPlace = head.Length + 8;
        DatBytes sections = new(_isBigEndian);
        DatBytes options = new(_isBigEndian);
        void Section(DatOption id, Action<DatBytes> fill)
        {
            DatBytes section = new(_isBigEndian);
            fill(section);
            DatBytes place = new(_isBigEndian);
            place.U64((ulong)(optionsPlace + sections.Length));
            options.Option(id, place.Written);
            sections.U16((ushort)id).U16(0).U32(uint.MaxValue).U64((ulong)section.Length).Raw(section.Written);
        }

        Section(DatOption.HeaderInfo, HeaderInfo);
        Section(DatOption.FtraceEvents, FtraceFormats);
        Section(DatOption.EventFormats, Formats);
        byte[] symbols = Symbols();
        Section(DatOption.Kallsyms, section => section.U32((uint)symbols.Length).Raw(symbols));
        Section(DatOption.Printk, static section => section.U32(0));
        Section(DatOption.Cmdlines, section => section.Sized(Comms()));
        Options(options, extraLost);

        // The buffer's option, whose table of CPUs is filled in at the end, and the end of options.
        int bufferBytes = 8 + 1 + Encoding.UTF8.GetByteCount(_input.Source.Clock) + 1 + 4 + 4;
        int optionsBytes = options.Length + 6 + bufferBytes + (20 * _cpus.Length) + 6 + 8;
        int events = optionsPlace + sections.Length + 16 + optionsBytes;
        head.U64((ulong)(optionsPlace + sections.Length)).Raw(sections.Written);
        head.U16((ushort)DatOption.Done).U16(0).U32(uint.MaxValue).U64((ulong)optionsBytes).Raw(options.Written);
        head.U16((ushort)DatOption.Buffer).U32((uint)(bufferBytes + (20 * _cpus.Length)));
        head.U64((ulong)events).Text("").Text(_input.Source.Clock).U32(PageBytes).U32((uint)_cpus.Length);
        table = head.Length;
        for (int cpu = 0; cpu < _cpus.Length; cpu++)
        {
            head.U32((uint)cpu).U64(0).U64(0);
        }

        head.U16((ushort)DatOption.Done).U32(8).U64(0);
        head.U16((ushort)DatOption.Buffer).U16(0).U32(uint.MaxValue).U64(0);
    }

    private void HeaderInfo(DatBytes head)
    {
        DatPageLayout layout = _input.Layout;
        head.Raw("header_page\0"u8).Sized(
            $"\tfield: u64 timestamp;\toffset:{layout.Timestamp};\tsize:8;\tsigned:0;\n" +
            $"\tfield: local_t commit;\toffset:{layout.Commit};\tsize:{layout.LongBytes};\tsigned:1;\n" +
            $"\tfield: int overwrite;\toffset:{layout.Commit};\tsize:1;\tsigned:1;\n" +
            $"\tfield: char data;\toffset:{layout.Data};\tsize:{PageBytes - layout.Data};\tsigned:1;\n");
        head.Raw("header_event\0"u8).Sized(
            "# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n" +
            "\tpadding     : type == 29\n\ttime_extend : type == 30\n\ttime_stamp : type == 31\n\tdata max type_len  == 28\n");
    }

    private void FtraceFormats(DatBytes head)
    {
        List<string> formats = [.. _input.Formats.Where(static format => format.System == "ftrace").Select(static format => format.FormatText)];
        if (_events.NeedsStackFormat)
        {
            formats.Add(_events.StackFormat);
        }

        head.U32((uint)formats.Count);
        formats.ForEach(text => head.Sized(text));
    }

    private void Formats(DatBytes head)
    {
        List<IGrouping<string, TraceEventFormat>> systems = [.. _input.Formats.Where(static format => format.System != "ftrace").GroupBy(static format => format.System)];
        head.U32((uint)systems.Count);
        foreach (IGrouping<string, TraceEventFormat> system in systems)
        {
            head.Text(system.Key).U32((uint)system.Count());
            foreach (TraceEventFormat format in system)
            {
                head.Sized(format.FormatText);
            }
        }
    }

    private byte[] Symbols()
    {
        StringBuilder text = new();
        foreach ((ulong frame, ulong address) in _events.Addresses.OrderBy(static pair => pair.Value))
        {
            string name = Symbol(_input.SymbolOf(frame));
            text.Append(CultureInfo.InvariantCulture, $"{address:x16} t {name}\n");
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // A symbol ends with the first white space; a module stands behind a tab.
    private static string Symbol(string name)
    {
        int module = name.EndsWith(']') ? name.LastIndexOf(" [", StringComparison.Ordinal) : -1;
        string function = string.Concat((module > 0 ? name[..module] : name).Select(static c => char.IsWhiteSpace(c) ? '_' : c));
        return module > 0 ? $"{function}\t{name[(module + 1)..]}" : function;
    }

    private string Comms()
    {
        StringBuilder text = new();
        foreach ((int pid, string name) in _input.Comms.OrderBy(static pair => pair.Key))
        {
            text.Append(CultureInfo.InvariantCulture, $"{pid} {name.Replace('\n', ' ')}\n");
        }

        return text.ToString();
    }

    private void Options(DatBytes options, long extraLost)
    {
        TraceSource source = _input.Source;
        string clock = source.Clock;
        string[] clocks = ["local", "global", "counter", "uptime", "perf", "mono", "mono_raw", "boot", "tai"];
        string selection = string.Join(' ', (clocks.Contains(clock) ? clocks : [.. clocks, clock]).Select(name => name == clock ? $"[{name}]" : name));
        Option(options, DatOption.TraceClock, selection + "\n");
        Option(options, DatOption.Uname, source.Properties.GetValueOrDefault(source.IsKernel ? "uname" : "os", Environment.OSVersion.VersionString));
        if (source.IsKernel)
        {
            Option(options, DatOption.Version, source.Properties.GetValueOrDefault("version", ""));
        }
        else
        {
            string version = typeof(TraceDatWriter).Assembly.GetName().Version?.ToString(3) ?? "0";
            IEnumerable<KeyValuePair<string, string>> properties = source.Properties.Where(static pair => pair.Key is not ("uname" or "version"))
                .Concat(_snapshots.Select(static snapshot => DatProperties.Of(snapshot.Cpu, snapshot.Info)))
                .Concat(_input.Quality.Counters.Where(static counter => counter.Value != 0 && IsCarried(counter.Name)).Select(static counter => DatProperties.Of(counter, counter.Value)));
            if (extraLost > 0)
            {
                properties = properties.Append(DatProperties.Of(_input.Quality.Find(TraceCounter.Lost)!, extraLost));
            }

            options.Option(DatOption.Version, DatProperties.ToVersionOption(version, properties));
        }

        DatBytes id = new(_isBigEndian);
        options.Option(DatOption.TraceId, id.U64(BinaryPrimitives.ReadUInt64LittleEndian(Identity())).Written);
        for (int cpu = 0; cpu < _cpus.Length; cpu++)
        {
            DatPageWriter pages = _cpus[cpu];
            int stream = Array.IndexOf(_places, cpu);
            TraceCpu? from = stream >= 0 ? source.Cpus[stream] : null;
            Option(options, DatOption.CpuStat,
                $"CPU: {cpu}\nentries: 0\noverrun: {from?.Overrun ?? 0}\ncommit overrun: 0\nbytes: {pages.Bytes}\noldest event ts: {Seconds(pages.FirstTime)}\n" +
                $"now ts: {Seconds(pages.LastTime)}\ndropped events: {from?.Dropped ?? 0}\nread events: {pages.Events}\n");
        }

        DatBytes count = new(_isBigEndian);
        options.Option(DatOption.CpuCount, count.U32((uint)_cpus.Length).Written);
    }

    /// <summary>The same recording gives the same file, so the session's number follows from what it says about itself.</summary>
    private byte[] Identity()
    {
        StringBuilder text = new();
        foreach ((string key, string value) in _input.Source.Properties.OrderBy(static pair => pair.Key, StringComparer.Ordinal))
        {
            text.Append(key).Append('\0').Append(value).Append('\0');
        }

        return System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()));
    }

    /// <summary>Losses and drops have places of their own in the file: the pages, the CPUs' statistics.</summary>
    private static bool IsCarried(string counter) => counter is not (TraceCounter.Lost or TraceCounter.LostUnknown or TraceCounter.Dropped or TraceCounter.StackAlone);

    private static void Option(DatBytes options, DatOption id, string text) => options.Option(id, Encoding.UTF8.GetBytes(text + "\0"));

    private static string Seconds(long ns) => string.Create(CultureInfo.InvariantCulture, $"{ns / 1_000_000_000,5}.{ns / 1000 % 1_000_000:000000}");

    private static long Align(long offset) => (offset + PageBytes - 1) / PageBytes * PageBytes;
}
