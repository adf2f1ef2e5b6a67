using System.Globalization;
using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>A trace as text: of the kernel itself (<c>trace</c>, <c>trace_pipe</c>, a dump in its log), of <c>trace-cmd report</c>, of <c>perf script</c>, or any of them out of a mail.</summary>
/// <remarks>
/// One pass over the file's bytes, a line at a time (<see cref="Step"/>); the way in which a line begins tells what it is, so files may be mixed. An event is
/// given out when its stack is complete, or when it is known that it has none, in the order of the text, which is that of time. Memory is that of the distinct
/// names, functions and forms of events, and of the events that wait (<see cref="TextQueue"/>).
/// </remarks>
internal sealed unsafe partial class TextTraceInput : TraceInput
{
    /// <summary>Events that are read to see what the file is.</summary>
    private const int Probed = 400;

    private readonly FileMap _map;
    private readonly TextLineReader _lines;
    private readonly TextCounters _counters;
    private readonly TextKinds _kinds;
    private readonly TextSymbols _symbols = new();
    private readonly TextQueue _queue = new();
    private readonly TextCpus _cpus;
    private readonly TextCache _texts = new();
    private readonly TextComms _comms = new();
    private readonly bool _isOwner;
    private bool _isAtEnd;
    private long _time = long.MinValue;

    internal TextTraceInput(FileMap map)
        : this(map, isOwner: true)
    {
    }

    private TextTraceInput(FileMap map, bool isOwner)
    {
        _map = map;
        _isOwner = isOwner;
        _lines = new TextLineReader(map);
        _counters = new TextCounters(Quality);
        _kinds = new TextKinds(_counters);
        _cpus = new TextCpus(ReadAll);
        int events = 0;
        while (events < Probed && TryRead(out _))
        {
            events++;
        }

        if (events == 0)
        {
            throw new TraceFormatException(map.Path, 0, $"no event of any known form (ftrace text, trace-cmd report, perf script) in {_lines.Number} lines; the first line is '{FirstLine()}'.");
        }

        Dictionary<string, string> properties = new(StringComparer.Ordinal);
        if (_uname is not null)
        {
            properties["uname"] = _uname;
        }

        if (_tracer is not null)
        {
            properties["tracer"] = _tracer;
        }

        bool isTicks = _digits < 0;
        if (!isTicks)
        {
            properties["time_resolution_ns"] = Math.Pow(10, 9 - (_digits == 0 ? 6 : _digits)).ToString(CultureInfo.InvariantCulture);
        }

        if (_style == TextStyle.Latency && _digits == 0)
        {
            properties["time_begins_at"] = "first event";
        }

        string format = _style == TextStyle.Perf ? "perf script" : _reportSigns > 0 ? "trace-cmd report" : "ftrace text";
        Source = new TraceSource(map.Path, format, isKernel: true, isTicks ? "counter" : _style == TextStyle.Perf ? "perf" : "local", _cpus, properties);
        Rewind();
    }

    public override TraceSource Source { get; }

    public override IReadOnlyList<TraceEventFormat> Formats => _kinds.Formats;

    internal override IReadOnlyDictionary<int, string> Comms => _comms.All;

    internal override bool HasDictionary => false;

    /// <summary>Whether a file that begins like this is text.</summary>
    internal static bool Knows(ReadOnlySpan<byte> start)
    {
        foreach (byte c in start)
        {
            if (c < ' ' && c is not ((byte)'\t' or (byte)'\r' or (byte)'\n' or (byte)'\f' or 0x1b))
            {
                return false;
            }
        }

        // A character may be cut where the start ends.
        for (int cut = 0; cut < 4 && cut < start.Length; cut++)
        {
            if (System.Text.Unicode.Utf8.IsValid(start[..^cut]))
            {
                return true;
            }
        }

        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool TryRead(out TraceRecord record)
    {
        while (!_queue.IsReady && !_isAtEnd)
        {
            Step();
        }

        if (_queue.Count == 0)
        {
            _cpus.IsRead();
            _counters.Publish();
            record = default;
            return false;
        }

        TextEvent taken = _queue.Take();
        if (ReferenceEquals(taken, _target))
        {
            _target = null;
        }

        if (taken.Time < _time)
        {
            _counters.Backwards++;
        }

        _time = taken.Time;
        record = new TraceRecord(this, taken.Format, taken.Time, taken.Cpu.Number, taken.Pid, taken.Payload, taken.Stack, taken.LostBefore, TraceSnapshot.None, taken.Cpu.Stream);
        return true;
    }

    public override void Rewind()
    {
        RewindCounters();
        _counters.Rewind();
        _queue.Clear();
        _lines.Rewind();
        foreach (TextCpu cpu in _cpus.Seen)
        {
            cpu.Rewind();
        }

        _isAtEnd = false;
        _time = long.MinValue;
        RewindLines();
    }

    public override string SymbolOf(ulong address) => _symbols.NameOf(address);

    public override string CommOf(int pid) => _comms.Of(pid) ?? (pid == 0 ? "<idle>" : UnknownComm);

    public override void Dispose()
    {
        if (_isOwner)
        {
            _map.Dispose();
        }
    }

    internal override string TextOf(TraceRecord record, TraceField field)
    {
        ReadOnlySpan<byte> bytes = record.Bytes(field);
        int nul = bytes.IndexOf((byte)0);
        return _texts.Of(nul < 0 ? bytes : bytes[..nul]);
    }

    /// <summary>Reads the whole text with a reader of its own, so that every CPU is known.</summary>
    private void ReadAll()
    {
        using TextTraceInput other = new(_map, isOwner: false);
        while (other.TryRead(out _))
        {
        }

        foreach (TextCpu cpu in other._cpus.Seen)
        {
            _cpus.Of(cpu.Instance, cpu.Number);
        }
    }

    private string FirstLine()
    {
        _lines.Rewind();
        while (_lines.TryMove())
        {
            ReadOnlySpan<byte> line = new ReadOnlySpan<byte>(_lines.Line, Math.Min(_lines.Length, 80)).Trim((byte)' ');
            if (!line.IsEmpty)
            {
                string text = TextNames.StringOf(line);
                return string.Concat(text.Select(static c => char.IsControl(c) ? '?' : c));
            }
        }

        return "";
    }
}
