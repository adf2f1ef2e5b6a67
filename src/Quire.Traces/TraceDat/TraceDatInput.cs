using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire.Traces;

/// <summary>A trace.dat of version 6 or 7, of a kernel of either byte order and word size, or made of a recording of Quire.</summary>
internal sealed unsafe class TraceDatInput : TraceInput
{
    /// <summary>Events of a file that are looked at to see on which side their stacks stand.</summary>
    private const int SampledEvents = 1 << 15;

    /// <summary>What newer kernels put for a frame in ftrace's own generated code: the highest positive number of a long.</summary>
    private const string Trampoline = "[FTRACE TRAMPOLINE]";

    private readonly FileMap _map;
    private readonly DatFile _file;
    private readonly TraceEventFormat?[] _formats;
    private readonly List<DatCursor> _cursors = [];
    private readonly TimeHeap<DatCursor> _heap;
    private readonly DatCursor.Counters _counters = new();
    private readonly TextCache _texts = new();
    private readonly TraceCounter _lost;
    private readonly TraceCounter _lostUnknown;
    private readonly TraceCounter _unknownEvents;
    private readonly TraceCounter _stacksAlone;
    private readonly TraceCounter _backwards;
    private readonly TraceCounter _damaged;
    private readonly TraceField? _callers;
    private readonly TraceField? _frames;
    private ulong[] _stack = new ulong[64];
    private readonly long _carriedLost;
    private readonly long _carriedUnknownEvents;
    private readonly long _carriedDamage;
    private readonly long _carriedBackwards;
    private bool _isFilled;

    internal TraceDatInput(FileMap map)
    {
        _map = map;
        _lost = Quality.Counter(TraceCounter.Lost, TraceDoubt.Loss, "Events overwritten or lost, as the pages say.");
        _lostUnknown = Quality.Counter(TraceCounter.LostUnknown, TraceDoubt.Loss, "Places where events were lost, and the page does not say how many.");
        _unknownEvents = Quality.Counter(TraceCounter.UnknownEvent, TraceDoubt.Damage, "Events whose kind has no format text in the file.");
        _stacksAlone = Quality.Counter(TraceCounter.StackAlone, TraceDoubt.Note, "Stacks whose event is not there.");
        _backwards = Quality.Counter(TraceCounter.TimeBackwards, TraceDoubt.Damage, "Events whose time lies before that of the event before on the same CPU.");
        _damaged = Quality.Counter(TraceCounter.Damaged, TraceDoubt.Damage, "Pages of events that contradict themselves, and were left out from there on.");
        _file = new DatFile(map, Quality);
        IsBigEndian = _file.IsBigEndian;
        Layout = _file.Layout;
        _formats = new TraceEventFormat?[_file.Formats.Count == 0 ? 0 : _file.Formats.Max(static format => format.Id) + 1];
        foreach (TraceEventFormat format in _file.Formats)
        {
            _formats[format.Id] ??= format;
        }

        TraceEventFormat? stack = _file.Formats.Find(static format => format.System == "ftrace" && format.Name == "kernel_stack");
        _callers = stack?.Find("caller");
        _frames = stack?.Find("size");
        DatStackKind stacks = StacksOf(stack);
        List<TraceCpu> cpus = [];
        List<TraceSnapshotInfo> snapshots = [];
        foreach (DatBuffer buffer in _file.Buffers)
        {
            foreach (DatCpuData data in buffer.Cpus)
            {
                TraceSnapshotInfo? snapshot = _file.IsQuire ? DatProperties.SnapshotOf(data.Number, _file.Properties) : null;
                if (snapshot is not null)
                {
                    snapshots.Add(snapshot);
                }

                (long overrun, long dropped) = _file.CpuStats.GetValueOrDefault((buffer.Name, data.Number));
                _cursors.Add(new DatCursor(new DatPages(map, _file, buffer, data), _file.Layout, IsBigEndian, stacks, _counters)
                {
                    Cpu = snapshot is null ? data.Number : -1,
                    Stream = snapshot is null ? cpus.Count : -1,
                    Snapshot = snapshot?.Which ?? TraceSnapshot.None,
                    Rank = snapshot?.Which switch { null => cpus.Count, TraceSnapshot.Start => -1, _ => int.MaxValue },
                    TimeOffset = _file.TimeOffset,
                    Clock = _file.Times.Of(data.Number),
                });
                if (snapshot is null)
                {
                    cpus.Add(new TraceCpu(data.Number, buffer.Name, overrun, dropped));
                }
            }
        }

        if (_file.Clock is "x86-tsc" or "counter" or "uptime" or "ppc-tb" && _file.Times.Cycles.Multiplier == 0)
        {
            Quality.Counter("times_not_ns", TraceDoubt.Note, "1: the trace's clock counts no ns, and the file does not say what it counts; its numbers are shown as if they were ns.").Value = 1;
        }

        _heap = new TimeHeap<DatCursor>(_cursors.Count);
        Quality.Counter(TraceCounter.Dropped, TraceDoubt.Loss, "Events dropped because the ring, which stops when full, was full.").Value = cpus.Sum(static cpu => cpu.Dropped);
        Dictionary<string, string> properties = new(StringComparer.Ordinal);
        foreach ((string key, string value) in _file.Properties)
        {
            if (_file.IsQuire && key.StartsWith(DatProperties.CounterPrefix, StringComparison.Ordinal))
            {
                Carry(key[DatProperties.CounterPrefix.Length..], value);
            }
            else if (!key.StartsWith(DatProperties.SnapshotPrefix, StringComparison.Ordinal))
            {
                properties[key] = value;
            }
        }

        _carriedLost = _lost.Value;
        _carriedUnknownEvents = _unknownEvents.Value;
        _carriedDamage = _damaged.Value;
        _carriedBackwards = _backwards.Value;
        Source = new TraceSource(map.Path, $"trace.dat {_file.Version}", !_file.IsQuire, _file.Clock, cpus, properties, snapshots);
    }

    public override TraceSource Source { get; }

    public override IReadOnlyList<TraceEventFormat> Formats => _file.Formats;

    internal override IReadOnlyDictionary<int, string> Comms => _file.Comms;

    internal override bool HasDictionary => false;

    /// <summary>Reads the file's events; of a file that has none but the text of a latency tracer, that text.</summary>
    internal static TraceInput Of(FileMap map)
    {
        TraceDatInput input = new(map);
        if (input._file.LatencyTexts.Count == 0 || input._cursors.Count > 0)
        {
            return input;
        }

        try
        {
            // Of several instances' texts the main one, which comes first.
            FileMap text = DatLatency.Open(map, input._file, input._file.LatencyTexts[0]);
            try
            {
                TextTraceInput read = new(text);
                input.Dispose();
                return read;
            }
            catch
            {
                text.Dispose();
                throw;
            }
        }
        catch (TraceFormatException)
        {
            // Empty, or no text that can be read: what the file says otherwise is all there is.
            return input;
        }
    }

    internal static bool Knows(ReadOnlySpan<byte> start) => start.StartsWith(DatFile.Magic);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool TryRead(out TraceRecord record)
    {
        if (!_isFilled)
        {
            _isFilled = true;
            foreach (DatCursor cursor in _cursors)
            {
                if (cursor.TryMove())
                {
                    _heap.Add(cursor);
                }
            }
        }
        else if (!_heap.IsEmpty)
        {
            MoveTop();
        }

        while (!_heap.IsEmpty)
        {
            DatCursor cursor = _heap.Top;
            ref readonly DatEvent current = ref cursor.Current;
            if (current.Lost != 0)
            {
                _ = current.Lost < 0 ? _lostUnknown.Value++ : _lost.Value += current.Lost;
            }

            if (current.Type < _formats.Length && _formats[current.Type] is { } format)
            {
                int pid = *(int*)(current.Payload + 4);
                pid = IsBigEndian == BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(pid) : pid;
                record = new TraceRecord(this, format, current.Time, cursor.Cpu, pid, new ReadOnlySpan<byte>(current.Payload, current.Length), StackOf(cursor),
                    current.Lost, cursor.Snapshot, cursor.Stream);
                return true;
            }

            _unknownEvents.Value++;
            MoveTop();
        }

        PublishCounters();
        record = default;
        return false;
    }

    public override void Rewind()
    {
        RewindCounters();
        _heap.Clear();
        _isFilled = false;
        _cursors.ForEach(static cursor => cursor.Rewind());
        _counters.Damaged = _counters.StacksAlone = _counters.Backwards = 0;
        _lost.Value = _carriedLost;
        _unknownEvents.Value = _carriedUnknownEvents;
        _lostUnknown.Value = 0;
        PublishCounters();
    }

    public override string SymbolOf(ulong address) =>
        address == (_file.Layout.LongBytes == 8 ? (ulong)long.MaxValue : int.MaxValue) ? Trampoline : _file.Symbols.NameOf(address) ?? $"0x{address:x}";

    public override string CommOf(int pid) => _file.Comms.TryGetValue(pid, out string? comm) ? comm : pid == 0 && Source.IsKernel ? "<idle>" : UnknownComm;

    public override void Dispose()
    {
        _heap.Clear();
        _cursors.ForEach(static cursor => cursor.Dispose());
        _cursors.Clear();
        _file.Dispose();
        _map.Dispose();
    }

    internal override string TextOf(TraceRecord record, TraceField field)
    {
        if (field.IsArray && !field.IsDataLoc && !field.Type.Contains("char", StringComparison.Ordinal))
        {
            return Convert.ToHexStringLower(record.Bytes(field));
        }

        // An array without a length takes what is left of the event: the text of trace_marker.
        ReadOnlySpan<byte> bytes = field is { Size: 0, IsDataLoc: false } && field.Offset <= record.Payload.Length ? record.Payload[field.Offset..] : record.Bytes(field);
        int nul = bytes.IndexOf((byte)0);
        return _texts.Of(nul < 0 ? bytes : bytes[..nul]);
    }

    /// <summary>Which events are stacks, and, from a look at the first events of each CPU, where they stand.</summary>
    private DatStackKind StacksOf(TraceEventFormat? stack)
    {
        if (_callers is null)
        {
            return new DatStackKind(-1, -1, DatStackOrder.After);
        }

        int user = _file.Formats.Find(static format => format.System == "ftrace" && format.Name == "user_stack")?.Id ?? -1;
        int each = Math.Clamp(SampledEvents / Math.Max(1, _file.Buffers.Sum(static buffer => buffer.Cpus.Count)), 64, SampledEvents / 8);
        DatStackSide side = new();
        foreach (DatBuffer buffer in _file.Buffers)
        {
            foreach (DatCpuData data in buffer.Cpus)
            {
                side.Break();
                using DatCursor cursor = new(new DatPages(_map, _file, buffer, data), _file.Layout, IsBigEndian, new DatStackKind(-1, -1, DatStackOrder.After), new DatCursor.Counters())
                {
                    Clock = _file.Times.Of(data.Number),
                    TimeOffset = 0,
                };
                for (int at = 0; at < each && cursor.TryMove(); at++)
                {
                    if (cursor.Current.Type != user)
                    {
                        side.Add(in cursor.Current, cursor.Current.Type == stack!.Id);
                    }
                }
            }
        }

        return new DatStackKind(stack!.Id, user, side.Order);
    }

    private void MoveTop()
    {
        if (_heap.Top.TryMove())
        {
            _heap.TopMoved();
        }
        else
        {
            _heap.RemoveTop();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ReadOnlySpan<ulong> StackOf(DatCursor cursor)
    {
        if (cursor.StackPayload is null || cursor.StackLength < _callers!.Offset)
        {
            return default;
        }

        // The field says how many there are at most, but the event is as long as there are.
        ReadOnlySpan<byte> bytes = new(cursor.StackPayload + _callers.Offset, cursor.StackLength - _callers.Offset);
        int word = _file.Layout.LongBytes;
        int count = bytes.Length / word;
        if (_frames is { Size: 4 } frames && frames.Offset + 4 <= _callers.Offset)
        {
            ReadOnlySpan<byte> size = new(cursor.StackPayload + frames.Offset, 4);
            int said = IsBigEndian ? BinaryPrimitives.ReadInt32BigEndian(size) : BinaryPrimitives.ReadInt32LittleEndian(size);
            count = said > 0 ? Math.Min(said, count) : count;
        }

        // Kernels before 5.2 end a stack with a number of ones.
        while (count > 0 && bytes.Slice((count - 1) * word, word).IndexOfAnyExcept((byte)0xff) < 0)
        {
            count--;
        }

        if (word == 8 && !IsBigEndian && BitConverter.IsLittleEndian)
        {
            return MemoryMarshal.Cast<byte, ulong>(bytes)[..count];
        }

        if (_stack.Length < count)
        {
            _stack = new ulong[count];
        }

        for (int at = 0; at < count; at++)
        {
            ReadOnlySpan<byte> address = bytes[(at * word)..];
            _stack[at] = (word, IsBigEndian) switch
            {
                (8, true) => BinaryPrimitives.ReadUInt64BigEndian(address),
                (8, false) => BinaryPrimitives.ReadUInt64LittleEndian(address),
                (_, true) => BinaryPrimitives.ReadUInt32BigEndian(address),
                _ => BinaryPrimitives.ReadUInt32LittleEndian(address),
            };
        }

        return _stack.AsSpan(0, count);
    }

    private void PublishCounters()
    {
        _damaged.Value = _carriedDamage + _counters.Damaged;
        _stacksAlone.Value = _counters.StacksAlone;
        _backwards.Value = _carriedBackwards + _counters.Backwards;
    }

    /// <summary>A counter of the recording that the file was made of.</summary>
    private void Carry(string name, string value)
    {
        int space = value.IndexOf(' ', StringComparison.Ordinal);
        int second = space < 0 ? -1 : value.IndexOf(' ', space + 1);
        if (second > 0 && long.TryParse(value.AsSpan(0, space), out long count) && Enum.TryParse(value.AsSpan(space + 1, second - space - 1), out TraceDoubt doubt))
        {
            Quality.Counter(name, doubt, value[(second + 1)..]).Value += count;
        }
    }
}
