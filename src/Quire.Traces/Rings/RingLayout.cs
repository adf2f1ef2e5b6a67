namespace Quire.Traces;

/// <summary>Places in a <c>.qring</c> file, version 1, little endian; <c>docs/tracing.md</c> has the whole picture.</summary>
internal static class RingLayout
{
    internal const int HeaderBytes = 4096;
    internal const int SlotBytes = 96;
    internal const int SlotPayload = 8;
    internal const int PayloadBytes = SlotBytes - SlotPayload;

    internal const int Pid = 16;
    internal const int State = 20;
    internal const int StateStopped = 2;
    internal const int Begin = 24;
    internal const int BeginDate = 32;
    internal const int SegmentsEnd = 40;
    internal const int LostNoRing = 48;
    internal const int End = 56;
    internal const int SnapshotsLost = 64;

    internal const uint SegmentMagic = 0x4745_5351;
    internal const int SegmentHeaderBytes = 4096;
    internal const int SegmentKind = 4;
    internal const int SegmentBytes = 8;

    internal const int TextCommitted = 24;

    internal const int RingHead = 32;
    internal const int RingCapacity = 40;
    internal const int RingLost = 48;

    internal const int SnapshotCommitted = 24;
    internal const int SnapshotWhich = 32;
    internal const int SnapshotComplete = 36;
    internal const int SnapshotTime = 40;

    internal const int EntryHeaderBytes = 16;

    /// <summary>What a recording begins with; its last byte is the version.</summary>
    internal static ReadOnlySpan<byte> Magic => [0x89, (byte)'Q', (byte)'R', (byte)'I', (byte)'N', (byte)'G', 0x0a];

    internal enum Segment : uint
    {
        Text = 1,
        Ring = 2,
        Snapshot = 3,
    }

    internal enum Entry : ushort
    {
        Format = 1,
        Text = 2,
        Stack = 3,
        Thread = 4,
        Property = 5,
    }
}
