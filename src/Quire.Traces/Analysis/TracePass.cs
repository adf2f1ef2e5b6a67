namespace Quire.Traces.Analysis;

/// <summary>One reading of a recording of Quire: holders are replayed by their tickets.</summary>
/// <remarks>Memory is bounded by live pages, live holders and distinct call sites and stacks, not by the trace's length.</remarks>
internal sealed class TracePass : EventPass
{
    private readonly SnapshotRecords _atEnd = new();
    private bool _hasEndSnapshot;

    internal TracePass(TraceInput input, PageFocus? focus = null)
        : base(input)
    {
        Focus = focus;
        Sample = Math.Max(1, (int)Math.Min(int.MaxValue, Number(input.Source, "sample") ?? 1));
        Filter = input.Source.Properties.GetValueOrDefault("filter", "");
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

    internal OriginTable Origins { get; } = new();

    internal PageLives Lives { get; }

    internal HolderReplay Replay { get; }

    internal SiteActivity Activity { get; } = new();

    internal override ContiguousAttempts Attempts { get; }

    internal PageFocus? Focus { get; }

    internal override int Sample { get; }

    internal override string Filter { get; }

    /// <summary>Not every reference was recorded, so counts can't be followed and remainders mean nothing.</summary>
    internal bool IsPartial => Sample > 1 || Filter.Length > 0;

    internal override bool HasEndSnapshot => _hasEndSnapshot;

    internal override PageCounts PageCounts => new(
        Lives.Seen,
        Lives.Allocated,
        Lives.Freed,
        Lives.ReusedInPlace,
        // Pages of which nothing is known but that somebody holds them are held as well, as blame counts.
        Lives.Live.Where(static page => !page.Value.Count.IsBegun || page.Value.Count.Current > 0).Select(static page => page.Key)
            .Concat(Replay.All().Select(static holding => holding.Page).Where(page => !Lives.IsOver(page))).Distinct().Count(),
        Quality["pages_seen_mid_life"]);

    internal override long HoldersAtEnd => Replay.Count;

    /// <summary>What the numbers of holders' kinds mean.</summary>
    internal SymbolicNames Kinds { get; private set; } = new(null, "kind");

    /// <summary>What the numbers of busy pages' reasons mean.</summary>
    internal SymbolicNames Reasons { get; private set; } = new(null, "reason");

    internal string KindOf(in Holding holding) => Kinds[holding.Kind];

    private protected override void Starts(long time) => Activity.Start = time;

    private protected override void Observe(in TraceRecord record, EventShape shape)
    {
        if (shape.Kind == EventKind.Other)
        {
            return;
        }

        if (record.Snapshot == TraceSnapshot.End)
        {
            Lives.EndBegan = Replay.EndBegan = Math.Min(Replay.EndBegan, record.Time);
            _atEnd.Add(record);
            return;
        }

        Lives.Observe(record, shape);
        Replay.Observe(record, shape);
        Attempts.Observe(record, shape);
    }

    private protected override void Finish()
    {
        for (int i = 0; i < _atEnd.Count; i++)
        {
            TraceRecord record = _atEnd[i, Input];
            EventShape shape = Shapes.Of(record.Format);
            Lives.Observe(record, shape);
            Replay.Observe(record, shape);
        }

        // An empty snapshot says that nobody held anything; none at all says nothing.
        TraceSource source = Input.Source;
        _hasEndSnapshot = source.Snapshots.Any(static snapshot => snapshot.Which == TraceSnapshot.End)
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
}
