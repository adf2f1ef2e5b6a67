namespace Quire.Traces.Analysis;

/// <summary>
/// Every contiguous allocation of the trace, with the pages that made it fail and who held them then; and, as the trace goes on, whether and when those let
/// go.
/// </summary>
/// <remarks>
/// What happens between start and finish on the same thread belongs to the attempt; the busy pages are told by the same thread, before the finish or just after it.
/// Memory: attempts beyond <see cref="Limit"/> are counted by result and not kept, except that a failure takes the place of a success.
/// </remarks>
internal sealed class ContiguousAttempts(OriginTable origins, HolderReplay replay, TraceQuality quality) : IHolderListener
{
    private const int Limit = 10_000;
    private const int PagesLimit = 4096;

    private readonly Dictionary<int, ContiguousAttempt> _open = [];
    private readonly Dictionary<int, ContiguousAttempt> _failed = [];
    private readonly Dictionary<uint, List<BusyHolder>> _watched = [];
    private readonly List<ContiguousAttempt> _all = [];
    private readonly long[] _results = new long[5];
    private readonly TraceCounter _notKept = quality.Counter("attempts_not_kept", TraceDoubt.Note, "Contiguous allocations that are counted and not shown: there were too many.");
    private readonly TraceCounter _orphans = quality.Counter("attempt_events_alone", TraceDoubt.Loss, "Ends of contiguous allocations whose beginning the trace does not have.");
    private int _started;

    /// <summary>Those kept, by their start.</summary>
    internal IReadOnlyList<ContiguousAttempt> All => _all;

    internal long Count(AttemptResult result) => _results[(int)result];

    internal TraceEventFormat? BusyFormat { get; private set; }

    internal void Observe(in TraceRecord record, EventShape shape)
    {
        switch (shape.Kind)
        {
            case EventKind.ContiguousStart:
                Begin(record, shape);
                break;
            case EventKind.ContiguousRetry when _open.TryGetValue(record.Pid, out ContiguousAttempt? attempt):
                attempt.Retries++;
                break;
            case EventKind.PagesIsolated when _open.TryGetValue(record.Pid, out ContiguousAttempt? attempt):
                Tested(record, shape, attempt);
                break;
            case EventKind.MigratePages when _open.TryGetValue(record.Pid, out ContiguousAttempt? attempt):
                attempt.Migrated += shape.Signed(record, EventField.Succeeded);
                attempt.NotMigrated += shape.Signed(record, EventField.Failed);
                break;
            case EventKind.ContiguousFinish:
                Finish(record, shape);
                break;
            case EventKind.PageBusy:
                BusyFormat ??= record.Format;
                Busy(record, shape);
                break;
        }
    }

    /// <summary>No more events come: what is open stays unfinished.</summary>
    internal void Finish()
    {
        _results[(int)AttemptResult.Unfinished] += _open.Count;
        _open.Clear();
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

    private void Begin(in TraceRecord record, EventShape shape)
    {
        if (_open.Remove(record.Pid))
        {
            // Its finish is missing; it is among the kept as unfinished.
            _results[(int)AttemptResult.Unfinished]++;
            _orphans.Value++;
        }

        ContiguousAttempt attempt = new()
        {
            Index = ++_started,
            Area = shape.Text(record, EventField.Name),
            Pages = shape.Signed(record, EventField.Count),
            Align = shape.Int(record, EventField.Align),
            Pid = record.Pid,
            Start = record.Time,
            Origin = origins.Of(record, shape),
        };
        _open[record.Pid] = attempt;
        _failed.Remove(record.Pid);
        Keep(attempt);
    }

    private void Keep(ContiguousAttempt attempt)
    {
        if (_all.Count >= Limit)
        {
            _notKept.Value++;
            int success = _all.FindIndex(static kept => kept.Result == AttemptResult.Success);
            if (success < 0)
            {
                return;
            }

            _all.RemoveAt(success);
        }

        _all.Add(attempt);
    }

    private static void Tested(in TraceRecord record, EventShape shape, ContiguousAttempt attempt)
    {
        attempt.RangesTried++;
        ulong first = shape.Unsigned(record, EventField.FinPfn);
        if (first < shape.Unsigned(record, EventField.EndPfn) && attempt.FirstInTheWay.Count < PagesLimit && !attempt.FirstInTheWay.Contains(first))
        {
            attempt.FirstInTheWay.Add(first);
        }
    }

    private void Finish(in TraceRecord record, EventShape shape)
    {
        if (!_open.Remove(record.Pid, out ContiguousAttempt? attempt))
        {
            _orphans.Value++;
            attempt = new ContiguousAttempt
            {
                Index = ++_started,
                Area = shape.Text(record, EventField.Name),
                Pages = shape.Signed(record, EventField.Count),
                Align = shape.Int(record, EventField.Align),
                Pid = record.Pid,
                Start = record.Time,
                LacksStart = true,
                Origin = origins.Of(record, shape),
            };
            Keep(attempt);
        }

        attempt.End = record.Time;
        attempt.Result = Judge(record, shape, attempt);
        _results[(int)attempt.Result]++;
        if (attempt.Result == AttemptResult.Success)
        {
            attempt.Pfn = shape.Unsigned(record, EventField.Pfn);
        }
        else
        {
            _failed[record.Pid] = attempt;
        }
    }

    private static AttemptResult Judge(in TraceRecord record, EventShape shape, ContiguousAttempt attempt)
    {
        if (shape.Has(EventField.Errorno))
        {
            return shape.Int(record, EventField.Errorno) switch
            {
                0 => AttemptResult.Success,
                -16 => AttemptResult.Busy,
                -4 => AttemptResult.Interrupted,
                _ => AttemptResult.NoSpace,
            };
        }

        // Kernels before errorno: without a page it failed, and whether a range was tried tells busy from no space.
        return shape.Unsigned(record, EventField.Page) != 0 ? AttemptResult.Success
            : attempt.RangesTried > 0 || attempt.Retries > 0 ? AttemptResult.Busy
            : AttemptResult.NoSpace;
    }

    private void Busy(in TraceRecord record, EventShape shape)
    {
        if (!_open.TryGetValue(record.Pid, out ContiguousAttempt? attempt) && !_failed.TryGetValue(record.Pid, out attempt))
        {
            _orphans.Value++;
            return;
        }

        if (attempt.Busy.Count >= PagesLimit)
        {
            _notKept.Value++;
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
