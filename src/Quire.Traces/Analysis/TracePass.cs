using System.Globalization;

namespace Quire.Traces.Analysis;

/// <summary>One reading of a trace from its first event to its last: every tracker sees every event once, in the order of time.</summary>
/// <remarks>Memory is bounded by live pages, live holders and distinct call sites and stacks, not by the trace's length.</remarks>
internal sealed class TracePass
{
    private const int ProgressMask = (1 << 16) - 1;

    private readonly Dictionary<int, long> _threads = [];
    private readonly TraceCounter _withoutFields;
    private int _lastPid;
    private long _lastPidEvents;

    internal TracePass(TraceInput input, PageFocus? focus = null)
    {
        Input = input;
        Focus = focus;
        TraceSource source = input.Source;
        Sample = Math.Max(1, (int)Math.Min(int.MaxValue, Number(source, "sample") ?? 1));
        Filter = source.Properties.GetValueOrDefault("filter", "");
        _withoutFields = Quality.Counter("events_without_fields", TraceDoubt.Damage, "Events of a known kind that lack a field without which they mean nothing.");
        Lives = new PageLives(Origins, Quality, checksCounts: !IsPartial);
        List<IHolderListener> listeners = [Activity];
        Replay = new HolderReplay(Origins, Quality, listeners);
        Attempts = new ContiguousAttempts(Origins, Replay, Quality);
        listeners.Add(Attempts);
        if (focus is not null)
        {
            listeners.Add(focus);
        }
    }

    internal TraceInput Input { get; }

    /// <summary>What this reading found to doubt; the input has its own.</summary>
    internal TraceQuality Quality { get; } = new();

    internal OriginTable Origins { get; } = new();

    internal EventShapes Shapes { get; } = new();

    internal PageLives Lives { get; }

    internal HolderReplay Replay { get; }

    internal SiteActivity Activity { get; } = new();

    internal ContiguousAttempts Attempts { get; }

    internal PageFocus? Focus { get; }

    /// <summary>One reference in so many was recorded; 1: all.</summary>
    internal int Sample { get; }

    /// <summary>What the recording was restricted to; empty for nothing.</summary>
    internal string Filter { get; }

    /// <summary>Not every reference was recorded, so counts can't be followed and remainders mean nothing.</summary>
    internal bool IsPartial => Sample > 1 || Filter.Length > 0;

    /// <summary>Events read, snapshots' records included.</summary>
    internal long Events { get; private set; }

    /// <summary>Time of the first and the last event that happened; null where there is none.</summary>
    internal long? First { get; private set; }

    internal long? Last { get; private set; }

    /// <summary>When the recording began and ended, as it says itself, else as its events do.</summary>
    internal long Begin { get; private set; }

    internal long End { get; private set; }

    /// <summary>Whether a complete snapshot of the end says who held what.</summary>
    internal bool HasEndSnapshot { get; private set; }

    /// <summary>Whether any event may be missing.</summary>
    internal bool MayLackEvents { get; private set; }

    /// <summary>What the numbers of holders' kinds mean.</summary>
    internal SymbolicNames Kinds { get; private set; } = new(null, "kind");

    /// <summary>What the numbers of busy pages' reasons mean.</summary>
    internal SymbolicNames Reasons { get; private set; } = new(null, "reason");

    /// <summary>Events a thread.</summary>
    internal IReadOnlyDictionary<int, long> Threads => _threads;

    /// <summary>Reads the whole trace. Call it once.</summary>
    /// <param name="progress">Told now and then how many events have been read; null for nobody.</param>
    /// <exception cref="TraceFormatException">The trace can't be read on.</exception>
    internal void Run(IProgress<long>? progress)
    {
        TraceSource source = Input.Source;
        SnapshotRecords atEnd = new();
        long? begin = Number(source, "begin");
        Activity.Start = begin ?? 0;
        while (Input.TryRead(out TraceRecord record))
        {
            if (Events == 0 && begin is null)
            {
                Activity.Start = record.Time;
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
                continue;
            }

            if (record.Snapshot == TraceSnapshot.End)
            {
                Lives.EndBegan = Replay.EndBegan = Math.Min(Replay.EndBegan, record.Time);
                atEnd.Add(record);
                continue;
            }

            Lives.Observe(record, shape);
            Replay.Observe(record, shape);
            Attempts.Observe(record, shape);
        }

        for (int i = 0; i < atEnd.Count; i++)
        {
            TraceRecord record = atEnd[i, Input];
            EventShape shape = Shapes.Of(record.Format);
            Lives.Observe(record, shape);
            Replay.Observe(record, shape);
        }

        CountThread(-1);
        _threads.Remove(-1);
        Begin = begin ?? First ?? 0;
        End = Math.Max(Number(source, "end") ?? Begin, Last ?? Begin);
        // An empty snapshot says that nobody held anything; none at all says nothing.
        HasEndSnapshot = source.Snapshots.Any(static snapshot => snapshot.Which == TraceSnapshot.End)
            && source.Snapshots.All(static snapshot => snapshot.Which != TraceSnapshot.End || snapshot.IsComplete)
            && !MayLackSnapshot;
        MayLackEvents = HasLoss(Input.Quality) || HasLoss(Quality);
        ReadNames();
        Lives.Finish(HasEndSnapshot, MayLackEvents, End);
        Replay.Finish(HasEndSnapshot, End, Lives.IsOver);
        Attempts.Finish();
    }

    // A trace.dat says in its head that there is a snapshot, whose records are events like others: where the file is cut or damaged they may be gone. A recording's
    // snapshot is a part of its own, which says itself whether it is whole.
    private bool MayLackSnapshot =>
        Input.Quality[TraceCounter.Truncated] > 0 || (Input.Source.Format.StartsWith("trace.dat", StringComparison.Ordinal) && Input.Quality[TraceCounter.Damaged] > 0);

    internal string KindOf(in Holding holding) => Kinds[holding.Kind];

    internal TraceTask Task(int pid) => new(Input.CommOf(pid), pid);

    internal static long? Number(TraceSource source, string property) =>
        source.Properties.TryGetValue(property, out string? text) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
            ? number
            : null;

    private static bool HasLoss(TraceQuality quality) => quality.Counters.Any(static counter => counter.Value != 0 && counter.Doubt == TraceDoubt.Loss);

    private void ReadNames()
    {
        foreach (TraceEventFormat format in Input.Formats)
        {
            switch (format.Name)
            {
                case "holder_take":
                    Kinds = new SymbolicNames(format, "kind");
                    break;
                case "page_busy":
                    Reasons = new SymbolicNames(format, "reason");
                    break;
            }
        }
    }

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
