using System.Buffers.Binary;
using System.Text;
using Quire.Tests;

namespace Quire.Traces.Tests;

/// <summary>
/// Makes a <c>.qring</c> file byte by byte as the format says, without the library's writer: what both agree on is tested, not what one of them does. Events
/// are given by field names; the places come from the format texts.
/// </summary>
public sealed class RecordingBuilder
{
    private const int Page = 4096;
    private const int SlotBytes = 96;

    private readonly Dictionary<string, TraceEventFormat> _formats = new(StringComparer.Ordinal);
    private readonly Dictionary<string, uint> _texts = new(StringComparer.Ordinal);
    private readonly MemoryStream _entries = new();
    private readonly List<Ring> _rings = [];
    private readonly List<Snapshot> _snapshots = [];
    private uint _lastSite;
    private uint _lastText = 0x4000_0000;
    private uint _lastStack;

    /// <summary>A recording that describes the events given.</summary>
    /// <param name="formats">System and format text of each; the library's own table where null.</param>
    public RecordingBuilder(IEnumerable<(string System, string Text)>? formats = null)
    {
        foreach ((string system, string text) in formats ?? TracepointTable.All.Select(static definition => (definition.System, definition.FormatText())))
        {
            TraceEventFormat format = TraceEventFormat.Parse(system, text);
            _formats.Add(format.Name, format);
            Entry(1, (uint)format.Id, Encoding.UTF8.GetBytes($"{system}\0{text}"));
        }

        Property("clock", "mono");
        Property("stacks", "frames");
    }

    /// <summary>The process's number.</summary>
    public uint Pid { get; set; } = 4711;

    /// <summary>Whether the recording was stopped in order.</summary>
    public bool IsStopped { get; set; } = true;

    /// <summary>ns of the trace's clock at the start.</summary>
    public ulong Begin { get; set; } = 1_000_000_000;

    /// <summary>ns since 1970 at the start.</summary>
    public ulong BeginDate { get; set; } = 1_767_225_600_000_000_000;

    /// <summary>ns of the trace's clock at the stop.</summary>
    public ulong End { get; set; } = 9_000_000_000;

    /// <summary>Events of threads without a ring.</summary>
    public ulong LostNoRing { get; set; }

    /// <summary>Snapshot records that found no room.</summary>
    public ulong SnapshotsLost { get; set; }

    /// <summary>The formats by event name.</summary>
    public IReadOnlyDictionary<string, TraceEventFormat> Formats => _formats;

    /// <summary>A ring, which becomes the next CPU.</summary>
    /// <param name="capacity">Slots.</param>
    /// <param name="stopWhenFull">Drop events when full, rather than overwrite the oldest.</param>
    public Ring AddRing(int capacity = 64, bool stopWhenFull = false)
    {
        Ring ring = new(this, capacity, stopWhenFull);
        _rings.Add(ring);
        return ring;
    }

    /// <summary>A snapshot: 1 of the start, 2 of the end.</summary>
    public Snapshot AddSnapshot(int which, ulong time, bool isComplete = true)
    {
        Snapshot snapshot = new(this, which, time, isComplete);
        _snapshots.Add(snapshot);
        return snapshot;
    }

    /// <summary>The number of a call site's text.</summary>
    public uint Site(string text) => Number(text, ref _lastSite);

    /// <summary>The number of another text: an allocator's name, a frame.</summary>
    public uint Text(string text) => Number(text, ref _lastText);

    /// <summary>The number of a new stack, innermost frame first.</summary>
    public uint Stack(bool isPartial, params string[] frames)
    {
        byte[] numbers = new byte[frames.Length * 4];
        for (int at = 0; at < frames.Length; at++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(numbers.AsSpan(at * 4), Text(frames[at]));
        }

        Entry(3, ++_lastStack, numbers, isPartial ? (ushort)1 : (ushort)0);
        return _lastStack;
    }

    /// <summary>Names a thread.</summary>
    public void Thread(int pid, uint managedId, string name) =>
        Entry(4, (uint)pid, [.. BitConverter.GetBytes(managedId), .. Encoding.UTF8.GetBytes(name)]);

    /// <summary>Says something about the recording.</summary>
    public void Property(string key, string value) => Entry(5, 0, Encoding.UTF8.GetBytes($"{key}\0{value}"));

    /// <summary>An entry of the dictionary as it stands, for hostile ones.</summary>
    public void Entry(ushort kind, uint number, byte[] payload, ushort flags = 0)
    {
        Span<byte> head = stackalloc byte[16];
        head.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(head, (uint)payload.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(head[4..], kind);
        BinaryPrimitives.WriteUInt16LittleEndian(head[6..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], number);
        _entries.Write(head);
        _entries.Write(payload);
        _entries.Write(new byte[(8 - (payload.Length % 8)) % 8]);
    }

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes()
    {
        MemoryStream file = new();
        file.Write(new byte[Page]);
        uint number = 0;
        byte[] entries = _entries.ToArray();

        // Two text segments, with the rings between them: a reader must take the texts of both.
        int half = EntryBoundary(entries);
        Segment(file, 1, number++, entries[..half], head => BinaryPrimitives.WriteUInt64LittleEndian(head[24..], (ulong)half));
        foreach (Ring ring in _rings)
        {
            Segment(file, 2, number++, ring.Slots, head =>
            {
                BinaryPrimitives.WriteUInt32LittleEndian(head[28..], ring.StopWhenFull ? 1u : 0);
                BinaryPrimitives.WriteUInt64LittleEndian(head[32..], ring.Head);
                BinaryPrimitives.WriteUInt64LittleEndian(head[40..], (ulong)ring.Capacity);
                BinaryPrimitives.WriteUInt64LittleEndian(head[48..], ring.Dropped);
            });
        }

        foreach (Snapshot snapshot in _snapshots)
        {
            Segment(file, 3, number++, [.. snapshot.Slots], head =>
            {
                BinaryPrimitives.WriteUInt64LittleEndian(head[24..], (ulong)(snapshot.Slots.Count / SlotBytes));
                BinaryPrimitives.WriteUInt32LittleEndian(head[32..], (uint)snapshot.Which);
                BinaryPrimitives.WriteUInt32LittleEndian(head[36..], snapshot.IsComplete ? 1u : 0);
                BinaryPrimitives.WriteUInt64LittleEndian(head[40..], snapshot.Time);
            });
        }

        Segment(file, 1, number, entries[half..], head => BinaryPrimitives.WriteUInt64LittleEndian(head[24..], (ulong)(entries.Length - half)));

        byte[] bytes = file.ToArray();
        new byte[] { 0x89, (byte)'Q', (byte)'R', (byte)'I', (byte)'N', (byte)'G', 0x0a, 1 }.CopyTo(bytes, 0);
        Span<byte> header = bytes.AsSpan(0, Page);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Page);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], SlotBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Pid);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], IsStopped ? 2u : 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], Begin);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], BeginDate);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], (ulong)bytes.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], LostNoRing);
        BinaryPrimitives.WriteUInt64LittleEndian(header[56..], IsStopped ? End : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(header[64..], SnapshotsLost);
        return bytes;
    }

    /// <summary>Writes the file, where no path is given into a folder of its own, and answers its path.</summary>
    public string Save(string? path = null)
    {
        path ??= Scratch.FreshPath("run.qring");
        File.WriteAllBytes(path, ToBytes());
        return path;
    }

    internal byte[] Slot(string name, ulong time, int pid, ReadOnlySpan<(string Field, object Value)> fields)
    {
        TraceEventFormat format = _formats[name];
        byte[] slot = new byte[SlotBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(slot, time);
        BinaryPrimitives.WriteUInt16LittleEndian(slot.AsSpan(8), (ushort)format.Id);
        BinaryPrimitives.WriteInt32LittleEndian(slot.AsSpan(12), pid);
        foreach ((string key, object value) in fields)
        {
            TraceField field = format.Find(key) ?? throw new ArgumentException($"{name} has no field {key}.");
            ulong number = value is string text ? (field.Name.Contains("site", StringComparison.Ordinal) ? Site(text) : Text(text))
                : unchecked((ulong)Convert.ToInt64(value is ulong big ? unchecked((long)big) : value));
            BitConverter.GetBytes(number).AsSpan(0, field.Size).CopyTo(slot.AsSpan(8 + field.Offset));
        }

        return slot;
    }

    private static int EntryBoundary(byte[] entries)
    {
        int at = 0;
        while (at < entries.Length / 2)
        {
            at += 16 + ((BinaryPrimitives.ReadInt32LittleEndian(entries.AsSpan(at)) + 7) & ~7);
        }

        return Math.Min(at, entries.Length);
    }

    private static void Segment(MemoryStream file, uint kind, uint number, byte[] data, Filler fill)
    {
        byte[] head = new byte[Page];
        int padding = (Page - (data.Length % Page)) % Page;
        BinaryPrimitives.WriteUInt32LittleEndian(head, 0x4745_5351);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), kind);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(8), (ulong)(Page + data.Length + padding));
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(16), number);
        fill(head);
        file.Write(head);
        file.Write(data);
        file.Write(new byte[padding]);
    }

    private delegate void Filler(Span<byte> head);

    private uint Number(string text, ref uint last)
    {
        if (!_texts.TryGetValue(text, out uint number))
        {
            number = ++last;
            _texts.Add(text, number);
            Entry(2, number, Encoding.UTF8.GetBytes(text));
        }

        return number;
    }

    /// <summary>A ring's events.</summary>
    public sealed class Ring
    {
        private readonly RecordingBuilder _recording;

        internal Ring(RecordingBuilder recording, int capacity, bool stopWhenFull)
        {
            _recording = recording;
            Capacity = capacity;
            StopWhenFull = stopWhenFull;
            Slots = new byte[capacity * SlotBytes];
        }

        internal int Capacity { get; }

        internal bool StopWhenFull { get; }

        internal byte[] Slots { get; }

        /// <summary>Events ever completed.</summary>
        public ulong Head { get; set; }

        /// <summary>Events dropped because it was full.</summary>
        public ulong Dropped { get; set; }

        /// <summary>Writes an event as the library would: over the oldest, or not at all, where it is full.</summary>
        public Ring Write(string name, ulong time, int pid, params ReadOnlySpan<(string Field, object Value)> fields)
        {
            if (StopWhenFull && Head == (ulong)Capacity)
            {
                Dropped++;
                return this;
            }

            _recording.Slot(name, time, pid, fields).CopyTo(Slots.AsSpan((int)(Head % (ulong)Capacity) * SlotBytes));
            Head++;
            return this;
        }
    }

    /// <summary>A snapshot's records.</summary>
    public sealed class Snapshot
    {
        private readonly RecordingBuilder _recording;

        internal Snapshot(RecordingBuilder recording, int which, ulong time, bool isComplete)
        {
            _recording = recording;
            Which = which;
            Time = time;
            IsComplete = isComplete;
        }

        internal int Which { get; }

        internal ulong Time { get; }

        internal bool IsComplete { get; }

        internal List<byte> Slots { get; } = [];

        /// <summary>Adds a record, at the snapshot's time.</summary>
        public Snapshot Write(string name, int pid, params ReadOnlySpan<(string Field, object Value)> fields)
        {
            Slots.AddRange(_recording.Slot(name, Time, pid, fields));
            return this;
        }
    }
}
