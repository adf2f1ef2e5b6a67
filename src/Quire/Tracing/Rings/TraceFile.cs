using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace Quire;

/// <summary>The file of one recording: its header, and the segments that are added to its end.</summary>
/// <remarks>
/// Equation: <c>header.End == HeaderBytes + the bytes of all segments</c>, at most the maximum. Every segment has its blocks before it is mapped, for a hole
/// would end the process where the disk is full (SIGBUS); so does a truncation by others, hence a file of mode 0600.
/// <para>
/// Events, texts and counters are stores to the mappings, in the order in which a reader needs them, and nothing else: what a killed process stored is
/// in the file. A machine that loses power is another matter; nothing is flushed.
/// </para>
/// </remarks>
internal sealed unsafe class TraceFile
{
    private readonly TraceFileCalls _calls;
    private readonly FileStream _stream;
    private readonly SafeFileHandle _handle;
    private readonly List<TraceSegment> _segments = [];
    private readonly long _maximumBytes;
    private readonly TraceFileHeader* _header;
    private TraceFileHeader _atEnd;
    private long _end;

    private TraceFile(string path, FileStream stream, TraceFileCalls calls, long maximumBytes)
    {
        (Path, _stream, _handle, _calls, _maximumBytes) = (path, stream, stream.SafeFileHandle, calls, maximumBytes);
        int error = calls.Allocate(_handle, 0, TraceLayout.HeaderBytes);
        _header = error == 0 ? (TraceFileHeader*)calls.Map(_handle, 0, TraceLayout.HeaderBytes, out error) : null;
        if (error != 0)
        {
            throw TracePath.Refused(path, error);
        }

        _end = TraceLayout.HeaderBytes;
        _header->HeaderBytes = TraceLayout.HeaderBytes;
        _header->SlotBytes = TraceLayout.SlotBytes;
        _header->ProcessId = (uint)Environment.ProcessId;
        _header->State = TraceLayout.Running;
        _header->StartSinceEpoch = TraceClock.SinceEpoch;
        _header->Start = TraceClock.Now;
        _header->End = (ulong)_end;

        // Happens before: with its magic number the header is complete. What a process killed before leaves is no recording.
        Atomic.StoreRelease(ref _header->Magic, TraceLayout.Magic);
    }

    internal string Path { get; private set; }

    /// <summary>Held while a segment is added, and by those who write texts and snapshots. The rings need it only for a new segment.</summary>
    internal object Gate { get; } = new();

    /// <summary>Read and written under the gate: nothing is mapped any more.</summary>
    internal bool IsClosed { get; private set; }

    internal TraceFileCalls Calls => _calls;

    /// <summary>Under the gate. The header; after the end, what it was then.</summary>
    internal TraceFileHeader Header => IsClosed ? _atEnd : *_header;

    /// <summary>Where events of threads without a ring are counted, mapped as long as the rings are.</summary>
    internal long* LostWithoutRing => &_header->LostWithoutRing;

    /// <summary>Makes the file; it exists afterwards under <paramref name="path"/>, for its owner alone.</summary>
    /// <exception cref="TraceFileException">It can't be made; then it does not exist.</exception>
    [UnsupportedOSPlatform("windows")]
    internal static TraceFile Create(string path, TraceFileCalls calls, long maximumBytes)
    {
        FileStream stream = TracePath.Create(path);
        try
        {
            return new TraceFile(path, stream, calls, maximumBytes);
        }
        catch
        {
            stream.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Adds a segment, or answers null where it finds no room. <paramref name="prepare"/> fills its header before a reader can see it.</summary>
    internal TraceSegment? Add(TraceSegmentKind kind, long wantedBytes, Action<TraceSegment> prepare)
    {
        using (Uninterrupted.Enter(Gate))
        {
            long bytes = RoundUp(wantedBytes);
            if (IsClosed || bytes > ShareOf(kind) - _end || _calls.Allocate(_handle, _end, bytes) != 0)
            {
                return null;
            }

            byte* address = _calls.Map(_handle, _end, bytes, out int error);
            if (error != 0)
            {
                return null;
            }

            TraceSegment segment = new(this, address, bytes);
            segment.Header->Magic = TraceLayout.SegmentMagic;
            segment.Header->Kind = kind;
            segment.Header->Bytes = (ulong)bytes;
            segment.Header->Number = (uint)_segments.Count;
            prepare(segment);
            _segments.Add(segment);
            _end += bytes;

            // Happens before: who reads this end sees all headers before it complete.
            Atomic.StoreRelease(ref _header->End, (ulong)_end);
            return segment;
        }
    }

    /// <summary>Counts entries or records that found no room. Under the gate.</summary>
    internal void CountLost(long texts, long snapshotRecords)
    {
        if (!IsClosed)
        {
            _header->LostTexts += texts;
            _header->LostSnapshotRecords += snapshotRecords;
        }
    }

    /// <summary>The file takes another name, and the place of what had it.</summary>
    /// <exception cref="TraceFileException">The system refused.</exception>
    internal void Rename(string path)
    {
        try
        {
            File.Move(Path, path, overwrite: true);
            Path = path;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw TracePath.Explain(path, cause);
        }
    }

    /// <summary>Events completed, and events lost or overwritten. Under the gate, not closed.</summary>
    internal (long Written, long Lost) Count()
    {
        long written = 0;
        long lost = Atomic.LoadAcquire(ref _header->LostWithoutRing);
        foreach (TraceSegment segment in _segments)
        {
            if (segment.Header->Kind == TraceSegmentKind.Ring)
            {
                long head = (long)Atomic.LoadAcquire(ref segment.Header->Head);
                written += head;
                lost += segment.Header->Lost + Math.Max(0, head - (long)segment.Header->Capacity);
            }
        }

        return (written, lost);
    }

    /// <summary>Ends the file in order. No ring is open any more.</summary>
    internal void Close(Action<(long Written, long Lost)> keep)
    {
        using (Uninterrupted.Enter(Gate))
        {
            keep(Count());
            _header->Stop = TraceClock.Now;

            // Happens before: with this state all that was recorded is in the file, and no slot is half written.
            Atomic.StoreRelease(ref _header->State, TraceLayout.StoppedInOrder);
            _atEnd = *_header;
            Release();

            using (_stream)
            {
                // An allocation that failed half-way may have left blocks behind the end.
                RandomAccess.SetLength(_handle, _end);
            }
        }
    }

    /// <summary>Takes back a file whose recording never began.</summary>
    internal void Abandon()
    {
        using (Uninterrupted.Enter(Gate))
        {
            Release();
            _stream.Dispose();
            File.Delete(Path);
        }
    }

    /// <summary>Up to a multiple of a segment's header.</summary>
    internal static long RoundUp(long bytes) => (bytes + TraceLayout.HeaderBytes - 1) & -TraceLayout.HeaderBytes;

    // Texts last longest: an event without its text is half an event. And the last snapshot comes when the rings may have taken all.
    private long ShareOf(TraceSegmentKind kind) => kind switch
    {
        TraceSegmentKind.Ring => _maximumBytes - (_maximumBytes / 16) - (_maximumBytes / 8),
        TraceSegmentKind.Snapshot => _maximumBytes - (_maximumBytes / 16),
        _ => _maximumBytes,
    };

    private void Release()
    {
        IsClosed = true;
        foreach (TraceSegment segment in _segments)
        {
            segment.Unmap(_calls);
        }

        _calls.Unmap((byte*)_header, TraceLayout.HeaderBytes);
    }
}
