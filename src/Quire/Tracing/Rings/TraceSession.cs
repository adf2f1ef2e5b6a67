using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>One recording: its file, the rings of its threads, its dictionary. At most one runs in a process.</summary>
/// <remarks>All members are safe on any thread.</remarks>
internal sealed unsafe class TraceSession : IDisposable
{
    private static readonly object s_gate = new();
    private static volatile TraceSession? s_current;

    private readonly TraceFile _file;
    private readonly TraceFileOptions _options;
    private (long Written, long Lost) _counts;
    private bool _isStopped;

    private TraceSession(TraceFile file, TraceFileOptions options)
    {
        (_file, _options) = (file, options);
        Texts = new TraceTexts(file);
    }

    /// <summary>The recording that runs; null where there is none.</summary>
    internal static TraceSession? Current => s_current;

    /// <summary>The file, with its whole path.</summary>
    internal string Path => _file.Path;

    /// <summary>The dictionary.</summary>
    internal TraceTexts Texts { get; }

    /// <summary>Events written, those too that were overwritten since.</summary>
    internal long Written => Counts.Written;

    /// <summary>Events lost: overwritten, or with no room in a ring that stops when full, or of threads that got no ring.</summary>
    internal long Lost => Counts.Lost;

    /// <summary>Records of snapshots that found no room.</summary>
    internal long LostSnapshotRecords => Header.LostSnapshotRecords;

    /// <summary>Entries of the dictionary that found no room.</summary>
    internal long LostTexts => Header.LostTexts;

    /// <summary>Where threads without a ring count what they lose.</summary>
    internal long* LostWithoutRing => _file.LostWithoutRing;

    private TraceFileHeader Header
    {
        get
        {
            using (Uninterrupted.Enter(_file.Gate))
            {
                return _file.Header;
            }
        }
    }

    private (long Written, long Lost) Counts
    {
        get
        {
            using (Uninterrupted.Enter(_file.Gate))
            {
                return _file.IsClosed ? _counts : _file.Count();
            }
        }
    }

    /// <summary>Makes the file and lets threads write to it. When this returns, every number known so far has its text in the file.</summary>
    /// <exception cref="TraceFileException">The file can't be made.</exception>
    /// <exception cref="InvalidOperationException">A recording runs already.</exception>
    /// <exception cref="PlatformNotSupportedException">There are recordings on Linux and macOS only, with 64 bits.</exception>
    internal static TraceSession Start(TraceFileOptions options) => Start(options, TraceFileCalls.Current);

    internal static TraceSession Start(TraceFileOptions options, TraceFileCalls? calls)
    {
        if (calls is null || OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("Recording into a file is there on 64-bit Linux and macOS only; the ledger (Holders) works everywhere.");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(options.RingBytes, TraceFileOptions.LeastRingBytes, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaximumBytes, TraceFileOptions.LeastMaximumBytes, nameof(options));
        using (Uninterrupted.Enter(s_gate))
        {
            if (s_current is { } other)
            {
                throw new InvalidOperationException($"A recording runs already, into '{other.Path}'. Stop it first.");
            }

            string path = System.IO.Path.GetFullPath(options.Path ?? TracePath.Default());

            // What is to be replaced stays until the new recording has begun, and whoever has it mapped keeps it.
            string first = options.Replace ? $"{path}.{Environment.ProcessId}.new" : path;
            if (options.Replace)
            {
                TracePath.Remove(first);
            }

            TraceFile file = TraceFile.Create(first, calls, options.MaximumBytes);
            TraceSession session = new(file, options);
            try
            {
                session.Describe();
                TextTable.Attach(session.Texts);
                if (options.Replace)
                {
                    file.Rename(path);
                }
            }
            catch
            {
                TextTable.Detach(session.Texts);
                file.Abandon();
                throw;
            }

            TraceThreads.Begin(session);
            s_current = session;
            return session;
        }
    }

    /// <summary>Begins a snapshot; a recording has at most one of each kind.</summary>
    internal TraceSnapshot BeginSnapshot(SnapshotKind kind) => new(_file, kind, _file.Calls.ThreadId);

    /// <summary>Ends the recording: waits for the threads that are writing an event, and closes the file in order. A second call does nothing.</summary>
    internal void Stop()
    {
        using (Uninterrupted.Enter(s_gate))
        {
            if (_isStopped || OperatingSystem.IsWindows())
            {
                return;
            }

            _isStopped = true;

            // 1. No more events; then nobody can name a new text. 2. No more texts. 3. The file.
            long missed = TraceThreads.End();
            TextTable.Detach(Texts);
            *_file.LostWithoutRing += missed;
            s_current = null;
            _file.Close(counts => _counts = counts);
        }
    }

    /// <summary>As <see cref="Stop"/>.</summary>
    public void Dispose() => Stop();

    /// <summary>A ring in the file; null where there is no room.</summary>
    internal TraceSegment? AddRing()
    {
        TraceSegment? segment = _file.Add(TraceSegmentKind.Ring, _options.RingBytes, segment =>
        {
            segment.Header->Mode = _options.Overflow;
            segment.Header->Capacity = (ulong)(segment.DataBytes / TraceLayout.SlotBytes);
        });
        if (segment is not null)
        {
            _file.Calls.Populate(segment.Data, segment.DataBytes);
        }

        return segment;
    }

    /// <summary>What a reader must know before the first event.</summary>
    private void Describe()
    {
        foreach (TracepointDefinition definition in TracepointTable.All)
        {
            Texts.Format(definition);
        }

        using Process process = Process.GetCurrentProcess();
        Texts.Property("process", process.ProcessName);
        Texts.Property("pid", $"{Environment.ProcessId}");
        Texts.Property("command", Environment.CommandLine);
        Texts.Property("runtime", RuntimeInformation.FrameworkDescription);
        Texts.Property("os", RuntimeInformation.OSDescription);
        Texts.Property("clock", "mono");
        Texts.Property("overflow", _options.Overflow == TraceOverflow.StopWhenFull ? "stop" : "overwrite");
        foreach ((string key, string value) in _options.Properties)
        {
            Texts.Property(key, value);
        }

        if (LostTexts != 0)
        {
            throw TracePath.Refused(_file.Path, TracePath.ENOSPC);
        }
    }
}
