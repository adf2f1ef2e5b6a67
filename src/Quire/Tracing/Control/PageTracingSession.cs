using System.Diagnostics;

namespace Quire;

/// <summary>A recording that runs, or has run. See <see cref="PageTracing"/>.</summary>
/// <remarks>
/// <para>
/// Beginning, in this order: the file; the ledger, so that there are tickets; the flags that hot paths test; the first snapshot. A holder that comes while the
/// snapshot is written is in it and among the events, under the same ticket, and a reader takes it once; one that goes has its release among
/// the events, all of which are later than the moment the snapshot bears. The other order, flags last, would have lost those that come between.
/// </para>
/// <para>
/// Ending: the last snapshot, while events still flow, for the same reason (what differs between it and the replay of the events is explained by events
/// later than it, or is a fault); then the flags, the writers' last events, the file, the ledger.
/// </para>
/// <para>All members may be called on any thread, at any time.</para>
/// </remarks>
public sealed class PageTracingSession : IDisposable
{
    private readonly Lock _gate = new();
    private readonly PageTracingOptions _options;
    private readonly TraceSession _file;
    private readonly long _start = Stopwatch.GetTimestamp();
    private long _written;
    private long _lost;
    private long _end;
    private bool _isStopped;

    private PageTracingSession(PageTracingOptions options, string request, TraceSession file, string path)
    {
        _options = options;
        _file = file;
        Request = request;
        Path = path;
    }

    /// <summary>The file's full path.</summary>
    public string Path { get; }

    /// <summary>Events written so far, those overwritten since included; after the end, all. Right to a few events while threads write.</summary>
    public long Written => Volatile.Read(ref _isStopped) ? _written : _file.Written;

    /// <summary>
    /// Events that are not, or no longer, in the file: overwritten by newer ones, or dropped because a ring or the file was full. Right to a few events while threads write.
    /// </summary>
    public long Lost => Volatile.Read(ref _isStopped) ? _lost : _file.Lost;

    /// <summary>How long it has run, or ran.</summary>
    public TimeSpan Duration => Stopwatch.GetElapsedTime(_start, Volatile.Read(ref _end) is not 0 and long end ? end : Stopwatch.GetTimestamp());

    /// <summary>False once it was stopped.</summary>
    public bool IsRunning => !Volatile.Read(ref _isStopped);

    /// <summary>Who asked for it, where it was a command.</summary>
    internal string Request { get; }

    /// <summary>
    /// Ends the recording: what happened before the call is in the file, the ledger as it is now too, and the file is closed. A second call does
    /// nothing; one that comes while another is at it waits for it.
    /// </summary>
    /// <exception cref="IOException">The file could not be closed in order. The recording has ended all the same, and what was written is in the file.</exception>
    public void Stop()
    {
        Exception? failure = null;
        long missing;
        lock (_gate)
        {
            if (_isStopped)
            {
                return;
            }

            AppDomain.CurrentDomain.ProcessExit -= AtExit;
            Try(() => RecordingSnapshot.Write(_file, SnapshotKind.End), ref failure);
            missing = _file.LostSnapshotRecords;
            Tracking.Recording = false;
            Tracking.Counting = false;
            Try(_file.Stop, ref failure);
            Try(Ledger.Stop, ref failure);
            ClearFlags();
            _written = _file.Written;
            _lost = _file.Lost;
            Volatile.Write(ref _end, Stopwatch.GetTimestamp());
            Volatile.Write(ref _isStopped, true);

            // Under the lock: whoever waited for this Stop may start the next recording.
            PageTracing.Ended(this);
        }

        // No lock is held from here on: listeners run.
        string error = failure?.Message.ReplaceLineEndings(" ")
            ?? (missing > 0 ? $"The snapshots of who holds what are not whole: {missing} records found no room in the file." : "");
        QuireEventSource.Log.RecordingStopped(Request, Path, _written, _lost, Duration.TotalMilliseconds, error);
        if (failure is not null)
        {
            throw failure as IOException ?? new IOException($"The recording to {Path} has ended, but not all of it could be written: {failure.Message}", failure);
        }
    }

    /// <summary>As <see cref="Stop"/>.</summary>
    public void Dispose() => Stop();

    /// <summary>Makes the file and sets everything going; undoes all of it where a step fails.</summary>
    internal static PageTracingSession Begin(PageTracingOptions options, string request)
    {
        if (options.IsSelective && Tracking.Active)
        {
            throw TrackedInFull();
        }

        string path = options.FullPath;
        TraceSession file = TraceSession.Start(FileOptions(options, path));
        PageTracingSession session = new(options, request, file, path);
        bool isTracking = false;
        try
        {
            TraceAdmission.Set(options.SampleEvery, options.Filter);
            Tracking.Stacks = options.Stacks;
            if (!options.IsSelective)
            {
                Ledger.Start();
            }
            else if (!Ledger.TryStartSelective())
            {
                throw TrackedInFull();
            }

            isTracking = true;
            Tracking.Counting = options.SampleEvery == 1 && options.Filter is null or { IsPagesOnly: true };
            Tracking.Recording = true;
            RecordingSnapshot.Write(file, SnapshotKind.Start);
            AppDomain.CurrentDomain.ProcessExit += session.AtExit;
            return session;
        }
        catch
        {
            Tracking.Recording = false;
            Tracking.Counting = false;
            session.Abandon(isTracking);
            throw;
        }
    }

    internal void TellStarted() => QuireEventSource.Log.RecordingStarted(
        Request, Path, _options.Stacks, _options.SampleEvery, _options.Filter?.ToString() ?? "", _start);

    private void Abandon(bool isTracking)
    {
        Exception? ignored = null;
        Try(_file.Stop, ref ignored);
        if (isTracking)
        {
            Ledger.Stop();
        }

        ClearFlags();
        Try(() => File.Delete(Path), ref ignored);
    }

    private static InvalidOperationException TrackedInFull() => new(
        "A sampled or filtered recording can't start while references are tracked in full (Holders.Track, PageLeakScope): what the ledger answers would no longer be complete. Record without a sample and a filter.");

    private static void ClearFlags()
    {
        Tracking.Selective = false;
        Tracking.Stacks = false;
        TraceAdmission.Clear();
    }

    private static void Try(Action step, ref Exception? failure)
    {
        try
        {
            step();
        }
        catch (Exception failed)
        {
            // The first is the one that matters; what stands behind it must happen all the same.
            failure ??= failed;
        }
    }

    private static TraceFileOptions FileOptions(PageTracingOptions options, string path) => new()
    {
        Path = path,
        Replace = options.Overwrite,
        RingBytes = options.RingBytes,
        MaximumBytes = options.MaximumBytes,
        Overflow = options.Overflow,
        Properties =
        [
            new("sample", $"{options.SampleEvery}"),
            new("filter", options.Filter?.ToString() ?? ""),
            new("stacks", !options.Stacks ? "call sites: stacks were not asked for" : StackCapture.IsAvailable ? "frames" : $"call sites: {StackCapture.WhyNot}"),
        ],
    };

    private void AtExit(object? sender, EventArgs arguments)
    {
        try
        {
            Stop();
        }
        catch (IOException)
        {
            // The process ends; what could be written is in the file.
        }
    }
}
