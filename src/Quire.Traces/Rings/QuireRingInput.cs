using System.Buffers.Binary;
using System.Globalization;

namespace Quire.Traces;

/// <summary>
/// A recording of Quire (<c>.qring</c>): each ring is a CPU. Also one whose process was killed or still runs: then it is read up to the last event that was
/// complete when it was opened.
/// </summary>
internal sealed unsafe class QuireRingInput : TraceInput
{
    private readonly FileMap _map;
    private readonly RingDictionary _dictionary = new();
    private readonly TraceEventFormat?[] _formats;
    private readonly List<RingCursor> _cursors = [];
    private readonly TimeHeap<RingCursor> _heap;
    private readonly List<TraceSnapshotInfo> _snapshots = [];
    private readonly TraceCounter _lost;
    private readonly TraceCounter _unknownEvents;
    private readonly TraceCounter _unknownTexts;
    private readonly TraceCounter _backwards;
    private readonly long _lostAtOpen;
    private bool _isFilled;

    internal QuireRingInput(FileMap map)
    {
        _map = map;
        _lost = Quality.Counter(TraceCounter.Lost, TraceDoubt.Loss, "Events overwritten by newer ones before the recording ended.");
        _unknownEvents = Quality.Counter(TraceCounter.UnknownEvent, TraceDoubt.Damage, "Events whose kind has no format text in the file.");
        _unknownTexts = Quality.Counter(TraceCounter.UnknownText, TraceDoubt.Damage, "Numbers of texts or stacks that the file's dictionary lacks.");
        _backwards = Quality.Counter(TraceCounter.TimeBackwards, TraceDoubt.Damage, "Events whose time lies before that of the event before on the same ring.");
        ReadOnlySpan<byte> header = map.Span(0, RingLayout.HeaderBytes);
        byte version = header[RingLayout.Magic.Length];
        if (version != 1 || BinaryPrimitives.ReadUInt32LittleEndian(header[8..]) != RingLayout.HeaderBytes
            || BinaryPrimitives.ReadUInt32LittleEndian(header[12..]) != RingLayout.SlotBytes)
        {
            throw new TraceFormatException(map.Path, 7, $"a recording of version {version}; this program reads version 1 with slots of {RingLayout.SlotBytes} bytes.");
        }

        bool isStopped = BinaryPrimitives.ReadUInt32LittleEndian(header[RingLayout.State..]) == RingLayout.StateStopped;
        if (!isStopped)
        {
            Quality.Counter(TraceCounter.NotStopped, TraceDoubt.Note, "1: the recording was not stopped in order; the process was killed, or still runs.").Value = 1;
        }

        Quality.Counter(TraceCounter.NoRing, TraceDoubt.Loss, "Events of threads that could not get a ring.").Value = Signed(header, RingLayout.LostNoRing);
        TraceCounter incomplete = Quality.Counter(TraceCounter.SnapshotIncomplete, TraceDoubt.Loss, "Records that did not fit into a snapshot, and snapshots that were not finished.");
        incomplete.Value = Signed(header, RingLayout.SnapshotsLost);

        // Rings first, then the texts, of the file as it is by then: what names a number is written after the text of that number, so that no event of a
        // recording that still runs names a text that was not read.
        List<TraceCpu> cpus = [];
        EachSegment(map, isCounting: true, (at, usable) => TryTakeRing(at, usable, isStopped, cpus, incomplete));
        if (isStopped)
        {
            EachSegment(map, isCounting: false, (at, usable) => TryTakeTexts(map, at, usable));
        }
        else
        {
            using FileMap? now = map.AsItIsNow();
            FileMap texts = now ?? map;
            EachSegment(texts, isCounting: false, (at, usable) => TryTakeTexts(texts, at, usable));
        }

        if (_dictionary.Formats.Count == 0 && _dictionary.Damaged > 0)
        {
            // Every event would be of unknown kind, and "nothing is held" the answer.
            throw new TraceFormatException(map.Path, RingLayout.HeaderBytes, "not one format text of the recording's events can be understood.");
        }

        Damaged(_dictionary.Damaged);
        _formats = new TraceEventFormat?[_dictionary.Formats.Count == 0 ? 0 : _dictionary.Formats.Max(static format => format.Id) + 1];
        foreach (TraceEventFormat format in _dictionary.Formats)
        {
            _formats[format.Id] = format;
        }

        Dictionary<string, string> properties = _dictionary.Properties;
        properties["begin"] = Signed(header, RingLayout.Begin).ToString(CultureInfo.InvariantCulture);
        properties["date"] = Signed(header, RingLayout.BeginDate).ToString(CultureInfo.InvariantCulture);
        properties.TryAdd("pid", BinaryPrimitives.ReadUInt32LittleEndian(header[RingLayout.Pid..]).ToString(CultureInfo.InvariantCulture));
        if (Signed(header, RingLayout.End) is not 0 and long stop)
        {
            properties["end"] = stop.ToString(CultureInfo.InvariantCulture);
        }

        _heap = new TimeHeap<RingCursor>(_cursors.Count);
        _lostAtOpen = cpus.Sum(static cpu => cpu.Overrun);
        _lost.Value = _lostAtOpen;
        Quality.Counter(TraceCounter.Dropped, TraceDoubt.Loss, "Events dropped because the ring, which stops when full, was full.").Value = cpus.Sum(static cpu => cpu.Dropped);
        Source = new TraceSource(map.Path, "quire ring 1", isKernel: false, properties.GetValueOrDefault("clock", "mono"), cpus, properties, _snapshots);
    }

    public override TraceSource Source { get; }

    public override IReadOnlyList<TraceEventFormat> Formats => _dictionary.Formats;

    /// <summary>The names of all threads by their number.</summary>
    internal override IReadOnlyDictionary<int, string> Comms => _dictionary.Threads;

    internal override bool HasDictionary => true;

    internal static bool Knows(ReadOnlySpan<byte> start) => start.Length > RingLayout.Magic.Length && start.StartsWith(RingLayout.Magic);

    public override bool TryRead(out TraceRecord record)
    {
        if (!_isFilled)
        {
            _isFilled = true;
            foreach (RingCursor cursor in _cursors)
            {
                if (TryMove(cursor))
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
            RingCursor cursor = _heap.Top;
            ReadOnlySpan<byte> payload = new(cursor.Payload, RingLayout.PayloadBytes);
            int id = BinaryPrimitives.ReadUInt16LittleEndian(payload);
            int pid = BinaryPrimitives.ReadInt32LittleEndian(payload[4..]);
            if ((uint)id >= (uint)_formats.Length || _formats[id] is not { } format)
            {
                _unknownEvents.Value++;
                MoveTop();
                continue;
            }

            payload = payload[..format.Size];
            ReadOnlySpan<ulong> stack = default;
            if (format.Stack is { } field && BinaryPrimitives.ReadUInt32LittleEndian(payload[field.Offset..]) is not 0 and uint number)
            {
                ulong[]? frames = _dictionary.StackOf(number);
                _unknownTexts.Value += frames is null ? 1 : 0;
                stack = frames;
            }

            record = new TraceRecord(this, format, cursor.Time, cursor.Cpu, pid, payload, stack, cursor.Lost, cursor.Snapshot, cursor.Cpu);
            return true;
        }

        record = default;
        return false;
    }

    public override void Rewind()
    {
        RewindCounters();
        _heap.Clear();
        _isFilled = false;
        _cursors.ForEach(static cursor => cursor.Rewind());
        _lost.Value = _lostAtOpen;
        _unknownEvents.Value = 0;
        _unknownTexts.Value = 0;
        _backwards.Value = 0;
    }

    public override string SymbolOf(ulong address) =>
        address == RingDictionary.PartialAddress ? PartialFrame
        : address < uint.MaxValue && _dictionary.TextOf((uint)address) is { } text ? text
        : $"0x{address:x}";

    public override string CommOf(int pid) => _dictionary.ThreadOf(pid) ?? UnknownComm;

    public override void Dispose()
    {
        _cursors.ForEach(static cursor => cursor.Dispose());
        _cursors.Clear();
        _heap.Clear();
        _map.Dispose();
    }

    internal override string TextOf(TraceRecord record, TraceField field)
    {
        uint number = (uint)record.Unsigned(field);
        if (number == 0)
        {
            return "";
        }

        if (_dictionary.TextOf(number) is { } text)
        {
            return text;
        }

        _unknownTexts.Value++;
        return $"#{number}";
    }

    /// <summary>Calls for every segment with its place and the bytes of its data that the file has. What is amiss with the chain of segments is counted by the first of several passes.</summary>
    private void EachSegment(FileMap map, bool isCounting, Func<long, long, bool> take)
    {
        long end = (long)Math.Min(Volatile.Read(ref *(ulong*)map.At(RingLayout.SegmentsEnd, 8)), long.MaxValue);
        if (end > map.Length)
        {
            Truncated(isCounting);
            end = map.Length;
        }

        for (long at = RingLayout.HeaderBytes; at < end;)
        {
            if (end - at < RingLayout.SegmentHeaderBytes)
            {
                Truncated(isCounting);
                return;
            }

            ReadOnlySpan<byte> segment = map.Span(at, RingLayout.SegmentHeaderBytes);
            ulong bytes = BinaryPrimitives.ReadUInt64LittleEndian(segment[RingLayout.SegmentBytes..]);
            if (BinaryPrimitives.ReadUInt32LittleEndian(segment) != RingLayout.SegmentMagic || bytes < RingLayout.SegmentHeaderBytes || bytes % 4096 != 0)
            {
                // Without a length there is no way to the next one.
                Damaged(isCounting ? 1 : 0);
                return;
            }

            bool isWhole = bytes <= (ulong)(end - at);
            if (!isWhole)
            {
                Truncated(isCounting);
                bytes = (ulong)(end - at);
            }

            if (!take(at, (long)bytes - RingLayout.SegmentHeaderBytes))
            {
                Damaged(1);
            }

            at += (long)bytes;
        }
    }

    private bool TryTakeTexts(FileMap map, long at, long usable)
    {
        if ((RingLayout.Segment)(*(uint*)map.At(at + RingLayout.SegmentKind, 4)) != RingLayout.Segment.Text)
        {
            return true;
        }

        // Happens before: the entries' bytes were written before the writer's release store of this.
        ulong committed = Volatile.Read(ref *(ulong*)map.At(at + RingLayout.TextCommitted, 8));
        int length = (int)Math.Min(Math.Min(committed, (ulong)usable), int.MaxValue);
        return _dictionary.TryAdd(map.Span(at + RingLayout.SegmentHeaderBytes, length)) && (ulong)length == committed;
    }

    private bool TryTakeRing(long at, long usable, bool isStopped, List<TraceCpu> cpus, TraceCounter incomplete)
    {
        ReadOnlySpan<byte> segment = _map.Span(at, RingLayout.SegmentHeaderBytes);
        long data = at + RingLayout.SegmentHeaderBytes;
        switch ((RingLayout.Segment)BinaryPrimitives.ReadUInt32LittleEndian(segment[RingLayout.SegmentKind..]))
        {
            case RingLayout.Segment.Ring:
                ulong* headPlace = (ulong*)_map.At(at + RingLayout.RingHead, 8);
                ulong head = Volatile.Read(ref *headPlace);
                ulong capacity = BinaryPrimitives.ReadUInt64LittleEndian(segment[RingLayout.RingCapacity..]);
                if (capacity == 0 || capacity > (ulong)usable / RingLayout.SlotBytes || head > long.MaxValue)
                {
                    return false;
                }

                // Not stopped in order: the slot behind the head may be half overwritten.
                ulong kept = isStopped ? capacity : capacity - 1;
                ulong first = head > kept ? head - kept : 0;
                _cursors.Add(new RingCursor(_map.At(data, (long)capacity * RingLayout.SlotBytes), capacity, headPlace, first, head, !isStopped) { Cpu = cpus.Count });
                cpus.Add(new TraceCpu(cpus.Count, "", (long)first, Signed(segment, RingLayout.RingLost)));
                return true;
            case RingLayout.Segment.Snapshot:
                ulong records = Volatile.Read(ref *(ulong*)_map.At(at + RingLayout.SnapshotCommitted, 8));
                uint which = BinaryPrimitives.ReadUInt32LittleEndian(segment[RingLayout.SnapshotWhich..]);
                if (records > (ulong)usable / RingLayout.SlotBytes || which is not (1 or 2))
                {
                    return false;
                }

                bool isComplete = BinaryPrimitives.ReadUInt32LittleEndian(segment[RingLayout.SnapshotComplete..]) == 1;
                incomplete.Value += isComplete ? 0 : 1;
                TraceSnapshot snapshot = which == 1 ? TraceSnapshot.Start : TraceSnapshot.End;
                _snapshots.Add(new TraceSnapshotInfo(snapshot, Signed(segment, RingLayout.SnapshotTime), isComplete));
                _cursors.Add(new RingCursor(_map.At(data, (long)records * RingLayout.SlotBytes), Math.Max(records, 1), null, 0, records, mayBeWritten: false)
                {
                    Cpu = -1,
                    Snapshot = snapshot,
                });
                return true;
            default:
                // Texts come later; other kinds are a later version's.
                return true;
        }
    }

    private bool TryMove(RingCursor cursor)
    {
        bool isThere = cursor.TryMove();
        _lost.Value += cursor.LostNow;
        return isThere;
    }

    private void MoveTop()
    {
        RingCursor cursor = _heap.Top;
        long before = cursor.Time;
        if (!TryMove(cursor))
        {
            _heap.RemoveTop();
            return;
        }

        _backwards.Value += cursor.Time < before ? 1 : 0;
        _heap.TopMoved();
    }

    private void Truncated(bool isCounting)
    {
        if (isCounting)
        {
            Quality.Counter(TraceCounter.Truncated, TraceDoubt.Loss, "1: the file ends before it should; what is missing is not counted.").Value = 1;
        }
    }

    private void Damaged(long count) =>
        Quality.Counter(TraceCounter.Damaged, TraceDoubt.Damage, "Parts of the file that contradict themselves, and were left out.").Value += count;

    private static long Signed(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadInt64LittleEndian(bytes[offset..]);
}
