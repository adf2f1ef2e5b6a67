namespace Quire.Traces.Analysis;

/// <summary>
/// Every contiguous allocation of a trace, from its start to its finish: what was asked, which ranges were tried, what came of it.
/// </summary>
/// <remarks>
/// What happens between start and finish on the same thread belongs to the attempt.
/// Memory: attempts beyond <see cref="Limit"/> are counted by result and not kept, except that a failure takes the place of a success.
/// </remarks>
internal abstract class AttemptTracker
{
    private protected const int Limit = 10_000;
    private protected const int PagesLimit = 4096;

    private readonly Dictionary<int, ContiguousAttempt> _open = [];
    private readonly List<ContiguousAttempt> _all = [];
    private readonly long[] _results = new long[5];
    private int _started;

    private protected AttemptTracker(TraceQuality quality)
    {
        NotKept = quality.Counter("attempts_not_kept", TraceDoubt.Note, "Contiguous allocations, or busy pages, that are counted and not shown: there were too many.");
        Orphans = quality.Counter("attempt_events_alone", TraceDoubt.Loss, "Ends of contiguous allocations whose beginning the trace does not have.");
    }

    /// <summary>Those kept, by their start.</summary>
    internal IReadOnlyList<ContiguousAttempt> All => _all;

    private protected TraceCounter NotKept { get; }

    private protected TraceCounter Orphans { get; }

    /// <summary>Whether any attempt is under way.</summary>
    private protected bool HasOpen => _open.Count > 0;

    private protected IReadOnlyCollection<ContiguousAttempt> Open => _open.Values;

    internal long Count(AttemptResult result) => _results[(int)result];

    /// <summary>No more events come: what is open stays unfinished.</summary>
    internal virtual void Finish()
    {
        _results[(int)AttemptResult.Unfinished] += _open.Count;
        _open.Clear();
    }

    /// <summary>An attempt of the tracker's own kind, still without anything but its number, thread and time.</summary>
    private protected abstract ContiguousAttempt Make(int index, in TraceRecord record, bool lacksStart);

    private protected bool TryOpen(int pid, out ContiguousAttempt attempt) => _open.TryGetValue(pid, out attempt!);

    /// <summary>An attempt starts, by its own event or by what only happens in one.</summary>
    private protected ContiguousAttempt Start(in TraceRecord record, EventShape shape)
    {
        if (_open.Remove(record.Pid))
        {
            // Its finish is missing; it is among the kept as unfinished.
            _results[(int)AttemptResult.Unfinished]++;
            Orphans.Value++;
        }

        ContiguousAttempt attempt = Make(++_started, record, lacksStart: false);
        Describe(attempt, record, shape);
        _open[record.Pid] = attempt;
        Keep(attempt);
        return attempt;
    }

    private protected static void Retried(ContiguousAttempt attempt) => attempt.Retries++;

    private protected static void Migrated(ContiguousAttempt attempt, in TraceRecord record, EventShape shape)
    {
        attempt.Migrated += shape.Signed(record, EventField.Succeeded);
        attempt.NotMigrated += shape.Signed(record, EventField.Failed);
    }

    private protected static void Tested(ContiguousAttempt attempt, in TraceRecord record, EventShape shape)
    {
        attempt.RangesTried++;
        ulong first = shape.Unsigned(record, EventField.FinPfn);
        if (first < shape.Unsigned(record, EventField.EndPfn) && attempt.FirstInTheWay.Count < PagesLimit && !attempt.FirstInTheWay.Contains(first))
        {
            attempt.FirstInTheWay.Add(first);
        }
    }

    /// <summary>The attempt of this thread ends, by its own event.</summary>
    private protected ContiguousAttempt End(in TraceRecord record, EventShape shape)
    {
        if (!_open.TryGetValue(record.Pid, out ContiguousAttempt? attempt))
        {
            Orphans.Value++;
            attempt = Make(++_started, record, lacksStart: true);
            Describe(attempt, record, shape);
            Keep(attempt);
        }

        Close(attempt, record.Time, Judge(record, shape, attempt));
        if (attempt.Result == AttemptResult.Success)
        {
            attempt.Pfn = shape.Unsigned(record, EventField.Pfn);
        }
        else if (shape.Has(EventField.Errorno))
        {
            attempt.FailedPfn = shape.Unsigned(record, EventField.Pfn);
        }

        return attempt;
    }

    private protected void Close(ContiguousAttempt attempt, long time, AttemptResult result)
    {
        _open.Remove(attempt.Pid);
        attempt.End = time;
        attempt.Result = result;
        _results[(int)result]++;
    }

    private protected static void Describe(ContiguousAttempt attempt, in TraceRecord record, EventShape shape)
    {
        attempt.Area = shape.Text(record, EventField.Name);
        attempt.Pages = shape.Signed(record, shape.Has(EventField.Count) ? EventField.Count : EventField.RequestCount);
        attempt.Align = shape.Int(record, EventField.Align);
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

    private void Keep(ContiguousAttempt attempt)
    {
        if (_all.Count >= Limit)
        {
            NotKept.Value++;
            int success = _all.FindIndex(static kept => kept.Result == AttemptResult.Success);
            if (success < 0)
            {
                return;
            }

            _all.RemoveAt(success);
        }

        _all.Add(attempt);
    }
}
