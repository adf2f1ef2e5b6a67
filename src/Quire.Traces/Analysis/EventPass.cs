using System.Globalization;

namespace Quire.Traces.Analysis;

/// <summary>One reading of a trace from its first event to its last: what every analysis counts, and the order in which trackers see the events.</summary>
internal abstract class EventPass
{
    private const int ProgressMask = (1 << 16) - 1;

    private readonly Dictionary<int, long> _threads = [];
    private readonly TraceCounter _withoutFields;
    private int _lastPid;
    private long? _earliest;
    private long _lastPidEvents;

    private protected EventPass(TraceInput input)
    {
        Input = input;
        _withoutFields = Quality.Counter("events_without_fields", TraceDoubt.Damage, "Events of a known kind that lack a field without which they mean nothing.");
    }

    internal TraceInput Input { get; }

    /// <summary>What this reading found to doubt; the input has its own.</summary>
    internal TraceQuality Quality { get; } = new();

    internal EventShapes Shapes { get; } = new();

    /// <summary>Events read, snapshots' records included.</summary>
    internal long Events { get; private set; }

    /// <summary>Time of the first and the last event that happened; null where there is none.</summary>
    internal long? First { get; private set; }

    internal long? Last { get; private set; }

    /// <summary>When the recording began and ended, as it says itself, else as its events do.</summary>
    internal long Begin { get; private set; }

    internal long End { get; private set; }

    /// <summary>Whether any event may be missing.</summary>
    internal bool MayLackEvents { get; private protected set; }

    /// <summary>Events a thread.</summary>
    internal IReadOnlyDictionary<int, long> Threads => _threads;

    /// <summary>One reference in so many was recorded; 1: all.</summary>
    internal virtual int Sample => 1;

    /// <summary>What the recording was restricted to; empty for nothing.</summary>
    internal virtual string Filter => "";

    /// <summary>Whether a complete snapshot of the end says who held what.</summary>
    internal virtual bool HasEndSnapshot => false;

    /// <summary>Counts for a table of what the trace holds.</summary>
    internal abstract PageCounts PageCounts { get; }

    /// <summary>Holders on record, or inferred, at the end.</summary>
    internal abstract long HoldersAtEnd { get; }

    internal abstract AttemptTracker Attempts { get; }

    /// <summary>Reads the whole trace. Call it once.</summary>
    /// <param name="progress">Told now and then how many events have been read; null for nobody.</param>
    /// <param name="until">Where to stop, in ns of the trace's clock: events after it are not looked at. Null for the end.</param>
    /// <exception cref="TraceFormatException">The trace can't be read on.</exception>
    /// <exception cref="TraceMomentException">The trace does not have that moment.</exception>
    internal void Run(IProgress<long>? progress, long? until = null)
    {
        TraceSource source = Input.Source;
        long? begin = Number(source, "begin");
        bool isBegun = false;
        bool hasMore = false;
        while (Input.TryRead(out TraceRecord record))
        {
            _earliest ??= record.Time;
            if (record.Time > until && record.Snapshot == TraceSnapshot.None)
            {
                hasMore = true;
                break;
            }

            if (!isBegun)
            {
                isBegun = true;
                Starts(begin ?? record.Time);
            }

            Events++;
            if ((Events & ProgressMask) == 0)
            {
                progress?.Report(Events);
            }

            EventShape shape = Shapes.Of(record.Format);
            shape.Events++;
            if (record.Snapshot == TraceSnapshot.None)
            {
                First ??= record.Time;
                Last = Math.Max(Last ?? record.Time, record.Time);
                CountThread(record.Pid);
            }

            if (shape.Kind == EventKind.Other)
            {
                _withoutFields.Value += shape.Lacking.Length > 0 ? 1 : 0;
            }

            Observe(record, shape);
        }

        if (until is { } moment && (First is null || (!hasMore && moment > Last)))
        {
            throw new TraceMomentException(moment, First ?? _earliest, Last);
        }

        CountThread(-1);
        _threads.Remove(-1);
        Begin = begin ?? First ?? 0;
        End = until ?? Math.Max(Number(source, "end") ?? Begin, Last ?? Begin);
        Finish();
    }

    internal TraceTask Task(int pid) => new(pid == 0 && Input.Source.IsKernel ? TraceTask.Idle : Input.CommOf(pid), pid);

    internal static long? Number(TraceSource source, string property) =>
        source.Properties.TryGetValue(property, out string? text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? number
            : null;

    /// <summary>The first event comes.</summary>
    private protected virtual void Starts(long time)
    {
    }

    /// <summary>An event comes, those of no known meaning too.</summary>
    private protected abstract void Observe(in TraceRecord record, EventShape shape);

    /// <summary>No more events come.</summary>
    private protected abstract void Finish();

    private protected static bool HasLoss(TraceQuality quality) => quality.Counters.Any(static counter => counter.Value != 0 && counter.Doubt == TraceDoubt.Loss);

    // Events of one thread come in runs.
    private void CountThread(int pid)
    {
        if (pid != _lastPid)
        {
            if (_lastPidEvents > 0)
            {
                _threads[_lastPid] = _threads.GetValueOrDefault(_lastPid) + _lastPidEvents;
            }

            _lastPid = pid;
            _lastPidEvents = 0;
        }

        _lastPidEvents++;
    }
}
