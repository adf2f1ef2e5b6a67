using System.Runtime.InteropServices;

namespace Quire;

/// <summary>The file of a recording, <c>.qring</c>, version 1, little endian: a header, then segments, each of them a header and data.</summary>
internal static class TraceLayout
{
    /// <summary>0x89, "QRING", LF, version.</summary>
    internal const ulong Magic = 0x010A474E49525189;

    /// <summary>Header of the file and of each segment; segments are multiples of it.</summary>
    internal const int HeaderBytes = 4096;

    /// <summary>A slot of a ring or a snapshot: the time, then the event.</summary>
    internal const int SlotBytes = 96;

    /// <summary>What an event has at most.</summary>
    internal const int PayloadBytes = SlotBytes - sizeof(ulong);

    internal const uint Running = 1;
    internal const uint StoppedInOrder = 2;

    /// <summary>"QSEG".</summary>
    internal const uint SegmentMagic = 0x47455351;
}

/// <summary>The file's header.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceFileHeader
{
    internal ulong Magic;
    internal uint HeaderBytes;
    internal uint SlotBytes;
    internal uint ProcessId;

    /// <summary><see cref="TraceLayout.Running"/>, also in the file of a process that was killed, or <see cref="TraceLayout.StoppedInOrder"/>.</summary>
    internal uint State;

    /// <summary>ns of the trace's clock.</summary>
    internal long Start;

    /// <summary>ns since 1970 at the same moment.</summary>
    internal long StartSinceEpoch;

    /// <summary>End of the last segment whose header is complete.</summary>
    internal ulong End;

    /// <summary>Events of threads that got no ring.</summary>
    internal long LostWithoutRing;

    /// <summary>ns of the trace's clock; 0 while it runs.</summary>
    internal long Stop;

    /// <summary>Records of snapshots that found no room.</summary>
    internal long LostSnapshotRecords;

    /// <summary>Entries of the dictionary that found no room: events may name their numbers.</summary>
    internal long LostTexts;
}

internal enum TraceSegmentKind : uint
{
    Text = 1,
    Ring = 2,
    Snapshot = 3,
}

/// <summary>A segment's header; what each field is for depends on its kind.</summary>
[StructLayout(LayoutKind.Explicit)]
internal struct TraceSegmentHeader
{
    [FieldOffset(0)] internal uint Magic;
    [FieldOffset(4)] internal TraceSegmentKind Kind;

    /// <summary>With the header.</summary>
    [FieldOffset(8)] internal ulong Bytes;
    [FieldOffset(16)] internal uint Number;

    /// <summary>Text: bytes of entries that are complete.</summary>
    [FieldOffset(24)] internal ulong CommittedBytes;

    /// <summary>Ring: the thread that writes to it now, or did last.</summary>
    [FieldOffset(24)] internal int ThreadId;

    /// <summary>Ring: what it does when it is full.</summary>
    [FieldOffset(28)] internal TraceOverflow Mode;

    /// <summary>Ring: events ever completed.</summary>
    [FieldOffset(32)] internal ulong Head;

    /// <summary>Ring: slots.</summary>
    [FieldOffset(40)] internal ulong Capacity;

    /// <summary>Ring that stops when full: events that came later.</summary>
    [FieldOffset(48)] internal long Lost;

    /// <summary>Snapshot: records that are complete.</summary>
    [FieldOffset(24)] internal ulong CommittedRecords;
    [FieldOffset(32)] internal SnapshotKind Which;

    /// <summary>Snapshot: 1 in each of its segments once all of it is written.</summary>
    [FieldOffset(36)] internal uint IsComplete;

    /// <summary>Snapshot: when it began, ns of the trace's clock.</summary>
    [FieldOffset(40)] internal long Time;
}

/// <summary>The header of an entry in a text segment; the payload follows, padded to 8 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceTextHeader
{
    internal uint PayloadBytes;
    internal TraceTextKind Kind;

    /// <summary>Of a stack: 1 where it is partial.</summary>
    internal ushort Flags;
    internal uint Number;
    internal uint Reserved;
}

internal enum TraceTextKind : ushort
{
    /// <summary>System, NUL, format text; the number is the event's.</summary>
    Format = 1,
    Text = 2,

    /// <summary>Numbers of texts, the top frame's first.</summary>
    Stack = 3,

    /// <summary>The runtime's number of the thread, then its name; the entry's number is the system's.</summary>
    Thread = 4,

    /// <summary>Key, NUL, value.</summary>
    Property = 5,
}
