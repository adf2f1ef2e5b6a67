namespace Quire;

/// <summary>Writes what is so at one moment: the holders on record, the pages that somebody holds. One thread at a time.</summary>
/// <remarks>
/// As many segments as it takes, all with the snapshot's time. Until <see cref="Complete"/> a reader sees that it is not the whole; a snapshot left without it stays so.
/// </remarks>
internal sealed unsafe class TraceSnapshot
{
    private const long SegmentBytes = 256 << 10;

    private readonly TraceFile _file;
    private readonly SnapshotKind _kind;
    private readonly int _thread;
    private readonly long _time = TraceClock.Now;
    private readonly List<TraceSegment> _segments = [];
    private bool _hasLost;

    internal TraceSnapshot(TraceFile file, SnapshotKind kind, int thread)
    {
        (_file, _kind, _thread) = (file, kind, thread);
        using (Uninterrupted.Enter(file.Gate))
        {
            _ = AddSegment();
        }
    }

    /// <summary>
    /// Adds a record, stamped with the snapshot's time: before anything was looked at, so that the events of what changed while it was written come after it. Never throws; what finds no room, or comes after the recording's end, is lost and counted.
    /// </summary>
    internal void Write<T>(Tracepoint id, ref T e)
        where T : unmanaged
    {
        using (Uninterrupted.Enter(_file.Gate))
        {
            TraceSegment? segment = _file.IsClosed || _segments.Count == 0 ? null : _segments[^1];
            if (segment is not null && ((long)segment.Header->CommittedRecords + 1) * TraceLayout.SlotBytes > segment.DataBytes)
            {
                segment = AddSegment();
            }

            if (segment is null)
            {
                _hasLost = true;
                _file.CountLost(texts: 0, snapshotRecords: 1);
                return;
            }

            ref ulong committed = ref segment.Header->CommittedRecords;
            TraceRing.Fill(segment.Data + (committed * TraceLayout.SlotBytes), id, _thread, ref e, _time);

            // Happens before: a record below the commit is complete.
            Atomic.StoreRelease(ref committed, committed + 1);
        }
    }

    /// <summary>All is written. Does nothing where records were lost.</summary>
    internal void Complete()
    {
        using (Uninterrupted.Enter(_file.Gate))
        {
            if (!_file.IsClosed && !_hasLost)
            {
                foreach (TraceSegment segment in _segments)
                {
                    // Happens before: a segment that says so has all its records.
                    Atomic.StoreRelease(ref segment.Header->IsComplete, 1);
                }
            }
        }
    }

    private TraceSegment? AddSegment()
    {
        TraceSegment? segment = _hasLost ? null : _file.Add(TraceSegmentKind.Snapshot, SegmentBytes, segment =>
        {
            segment.Header->Which = _kind;
            segment.Header->Time = _time;
        });
        if (segment is not null)
        {
            _segments.Add(segment);
        }

        return segment;
    }
}
