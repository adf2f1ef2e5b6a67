using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>The records of the snapshot at the end, kept until the last event was read.</summary>
/// <remarks>
/// That snapshot is taken while threads are still at work, and bears the moment before it began. What an event changed after that moment is newer than
/// the snapshot; so it is compared last, when it is known what changed. Memory: some 120 bytes for each holder and page held at the end.
/// </remarks>
internal sealed class SnapshotRecords
{
    private readonly List<Kept> _records = [];
    private readonly List<byte> _payloads = [];
    private readonly List<ulong> _stacks = [];

    /// <summary>Takes a copy: a record's bytes are the input's own.</summary>
    internal void Add(in TraceRecord record)
    {
        _records.Add(new Kept(record.Format, record.Time, record.Cpu, record.Pid, _payloads.Count, record.Payload.Length, _stacks.Count, record.Stack.Length));
        _payloads.AddRange(record.Payload);
        _stacks.AddRange(record.Stack);
    }

    internal int Count => _records.Count;

    internal TraceRecord this[int index, TraceInput input]
    {
        get
        {
            Kept kept = _records[index];
            return new TraceRecord(
                input,
                kept.Format,
                kept.Time,
                kept.Cpu,
                kept.Pid,
                CollectionsMarshal.AsSpan(_payloads).Slice(kept.Payload, kept.Length),
                CollectionsMarshal.AsSpan(_stacks).Slice(kept.Stack, kept.Frames),
                lostBefore: 0,
                TraceSnapshot.End,
                stream: -1);
        }
    }

    private readonly record struct Kept(TraceEventFormat Format, long Time, int Cpu, int Pid, int Payload, int Length, int Stack, int Frames);
}
