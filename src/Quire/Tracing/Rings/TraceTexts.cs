using System.Runtime.InteropServices;
using System.Text;

namespace Quire;

/// <summary>The dictionary of one recording: format texts, properties, texts, stacks, threads, as entries in text segments.</summary>
/// <remarks>
/// An entry is complete before it is committed, and committed before its number is given out: see <see cref="TextTable"/>. All methods are safe on any thread, never
/// throw, and count what finds no room.
/// </remarks>
internal sealed unsafe class TraceTexts(TraceFile file) : ITextSink
{
    /// <summary>Threads that come and go without end must not fill the file with their names; those that come later are shown by number.</summary>
    internal const int MaximumThreads = 1 << 16;

    private const long SegmentBytes = 256 << 10;

    // All under the file's gate.
    private TraceSegment? _segment;
    private int _threads;

    public void Text(uint number, string text) => Add(TraceTextKind.Text, number, [], text);

    public void Stack(uint number, ReadOnlySpan<uint> frames, bool isPartial) =>
        Add(TraceTextKind.Stack, number, MemoryMarshal.AsBytes(frames), "", isPartial ? (ushort)1 : (ushort)0);

    internal void Format(TracepointDefinition definition) => Add(TraceTextKind.Format, (uint)definition.Id, [], $"{definition.System}\0{definition.FormatText()}");

    internal void Property(string key, string value) => Add(TraceTextKind.Property, 0, [], $"{key}\0{value}");

    internal void Thread(int id, int managedId, string? name)
    {
        using (Uninterrupted.Enter(file.Gate))
        {
            if (_threads == MaximumThreads)
            {
                file.CountLost(texts: 1, snapshotRecords: 0);
                return;
            }

            _threads++;
            Add(TraceTextKind.Thread, (uint)id, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in managedId)), name ?? "");
        }
    }

    private void Add(TraceTextKind kind, uint number, ReadOnlySpan<byte> head, string text, ushort flags = 0)
    {
        int payload = head.Length + Encoding.UTF8.GetByteCount(text);
        int bytes = (sizeof(TraceTextHeader) + payload + 7) & ~7;
        using (Uninterrupted.Enter(file.Gate))
        {
            if (file.IsClosed || !HasRoom(bytes))
            {
                file.CountLost(texts: 1, snapshotRecords: 0);
                return;
            }

            ref ulong committed = ref _segment!.Header->CommittedBytes;
            byte* entry = _segment.Data + committed;
            *(TraceTextHeader*)entry = new TraceTextHeader { PayloadBytes = (uint)payload, Kind = kind, Flags = flags, Number = number };
            Span<byte> space = new(entry + sizeof(TraceTextHeader), payload);
            head.CopyTo(space);
            Encoding.UTF8.GetBytes(text, space[head.Length..]);

            // Happens before: an entry below the commit is complete. And the number goes to its users after this, so an event that names it
            // is in the file only where the entry is.
            Atomic.StoreRelease(ref committed, committed + (ulong)bytes);
        }
    }

    private bool HasRoom(int bytes)
    {
        if (_segment is null || (long)_segment.Header->CommittedBytes + bytes > _segment.DataBytes)
        {
            // A text too long for a segment gets one of its own size; what is left of the last stays empty.
            TraceSegment? added = file.Add(TraceSegmentKind.Text, Math.Max(SegmentBytes, bytes + TraceLayout.HeaderBytes), static _ => { });
            if (added is null)
            {
                return false;
            }

            _segment = added;
        }

        return true;
    }
}
