namespace Quire.Traces.Analysis;

/// <summary>
/// The contiguous allocations of a recording of Quire, with the pages that made each fail and who held them then; and, as the trace goes on, whether and when those
/// let go.
/// </summary>
/// <remarks>The busy pages are told by the allocation's own thread, before the finish or just after it.</remarks>
internal sealed class ContiguousAttempts(OriginTable origins, HolderReplay replay, TraceQuality quality) : AttemptTracker(quality), IHolderListener
{
    private readonly Dictionary<int, ContiguousAttempt> _failed = [];
    private readonly Dictionary<uint, List<BusyHolder>> _watched = [];

    internal TraceEventFormat? BusyFormat { get; private set; }

    internal void Observe(in TraceRecord record, EventShape shape)
    {
        switch (shape.Kind)
        {
            case EventKind.ContiguousStart:
                Start(record, shape).Origin = origins.Of(record, shape);
                _failed.Remove(record.Pid);
                break;
            case EventKind.ContiguousRetry when TryOpen(record.Pid, out ContiguousAttempt attempt):
                Retried(attempt);
                break;
            case EventKind.PagesIsolated when TryOpen(record.Pid, out ContiguousAttempt attempt):
                Tested(attempt, record, shape);
                break;
            case EventKind.MigratePages when TryOpen(record.Pid, out ContiguousAttempt attempt):
                Migrated(attempt, record, shape);
                break;
            case EventKind.ContiguousFinish:
                ContiguousAttempt ended = End(record, shape);
                ended.Origin = ended.LacksStart ? origins.Of(record, shape) : ended.Origin;
                if (ended.Result != AttemptResult.Success)
                {
                    _failed[record.Pid] = ended;
                }

                break;
            case EventKind.PageBusy:
                BusyFormat ??= record.Format;
                Busy(record, shape);
                break;
        }
    }

    public void Began(in Holding holding, long time)
    {
    }

    public void Changed(in Holding before, in Holding after, long time)
    {
    }

    public void Reduced(in Holding after, in HolderLeave leave)
    {
    }

    public void Ended(in Holding last, in HolderLeave leave)
    {
        if (!last.IsWatched || !_watched.Remove(last.Ticket, out List<BusyHolder>? holders))
        {
            return;
        }

        foreach (BusyHolder holder in holders)
        {
            holder.IsGoneUnseen = leave.Pid == 0;
            holder.Released = holder.IsGoneUnseen ? null : leave.Time;
            holder.ReleasedPid = leave.Pid;
            holder.ReleasedOrigin = leave.Origin;
        }
    }

    private protected override ContiguousAttempt Make(int index, in TraceRecord record, bool lacksStart) =>
        new() { Index = index, Pid = record.Pid, Start = record.Time, LacksStart = lacksStart };

    private void Busy(in TraceRecord record, EventShape shape)
    {
        if (!TryOpen(record.Pid, out ContiguousAttempt? attempt) && !_failed.TryGetValue(record.Pid, out attempt))
        {
            Orphans.Value++;
            return;
        }

        if (attempt.Busy.Count >= PagesLimit)
        {
            NotKept.Value++;
            return;
        }

        BusyPage busy = new()
        {
            Page = shape.Page(record),
            Time = record.Time,
            Count = shape.Int(record, EventField.Count),
            Expected = shape.Int(record, EventField.Expected),
            Reason = shape.Int(record, EventField.Reason),
        };
        attempt.Busy.Add(busy);
        foreach (Holding holding in replay.Of(busy.Page))
        {
            BusyHolder holder = new() { Holding = holding };
            busy.Holders.Add(holder);
            if (!_watched.TryGetValue(holding.Ticket, out List<BusyHolder>? watchers))
            {
                _watched.Add(holding.Ticket, watchers = []);
            }

            watchers.Add(holder);
        }

        foreach (BusyHolder holder in busy.Holders)
        {
            replay.Watch(holder.Holding.Ticket);
        }
    }
}
