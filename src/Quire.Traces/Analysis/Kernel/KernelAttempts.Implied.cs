namespace Quire.Traces.Analysis;

/// <content>Allocations without events of their own: where each begins and ends.</content>
internal sealed partial class KernelAttempts
{
    // The allocation of this thread, which may be known by this event alone.
    private KernelAttempt Within(in TraceRecord record, EventShape shape)
    {
        if (TryOpen(record.Pid, out ContiguousAttempt open))
        {
            KernelAttempt known = (KernelAttempt)open;
            if (known.IsImplied && shape.Kind == EventKind.PagesIsolated && IsBehind(known, record, shape))
            {
                return Divide(known, record, shape);
            }

            known.Resumed ??= record.Time;
            return known;
        }

        return Imply(record, shape);
    }

    // Nothing tells the end of an implied allocation but silence, and what its pages are then shows who was in the way: so it must be seen in time.
    private void Sweep(long time)
    {
        if (time < _nextSweep || !HasOpen)
        {
            return;
        }

        _nextSweep = time + SweepNs;
        foreach (KernelAttempt attempt in Open.Cast<KernelAttempt>().Where(attempt => attempt.IsImplied && time - attempt.Quiet > (attempt.Origin == 0 ? QuietNs : QuietWithStacksNs)).ToArray())
        {
            CloseImplied(attempt.Pid);
        }
    }

    // What came after the last test was another allocation's already, as its own test shows.
    private KernelAttempt Divide(KernelAttempt before, in TraceRecord record, EventShape shape)
    {
        long resumed = before.Resumed ?? record.Time;
        Dictionary<ulong, TouchedPage> touched = new(before.Touched);
        (bool hasFailed, long migrated, long notMigrated) = (before.HasFailedMigration, before.Migrated - before.MigratedBefore, before.NotMigrated - before.NotMigratedBefore);
        (before.Migrated, before.NotMigrated, before.Quiet) = (before.MigratedBefore, before.NotMigratedBefore, before.Tested);
        CloseImplied(record.Pid);
        KernelAttempt after = Imply(record, shape);
        after.Start = resumed;
        (after.HasFailedMigration, after.Migrated, after.NotMigrated) = (hasFailed, migrated, notMigrated);
        foreach ((ulong pfn, TouchedPage page) in touched)
        {
            after.Touched.Add(pfn, page);
            _isolated.Add(pfn);
        }

        return after;
    }

    private KernelAttempt Imply(in TraceRecord record, EventShape shape)
    {
        KernelAttempt implied = (KernelAttempt)Start(record, shape);
        implied.IsOffline = !record.Stack.IsEmpty ? _meanings[_stacks.NumberOf(record.Stack)].IsOffline : IsReason(record, shape, "memory_hotplug");
        implied.IsImplied = true;
        implied.Area = "";
        implied.Pages = 0;
        implied.Origin = _stacks.NumberOf(record.Stack);
        implied.Quiet = record.Time;
        return implied;
    }

    // A later range of the same allocation begins further on; one that begins before is of another allocation.
    private static bool IsBehind(KernelAttempt attempt, in TraceRecord record, EventShape shape) =>
        attempt.Ranges.Count > 0 && shape.Unsigned(record, EventField.EndPfn) <= attempt.Ranges[^1].End;

    private bool IsForContiguous(in TraceRecord record, EventShape shape) => IsReason(record, shape, "contig_range") || IsReason(record, shape, "memory_hotplug");

    // An implied allocation ends where its thread is seen elsewhere.
    private bool Leaves(KernelAttempt attempt, long time, int stack)
    {
        if (!attempt.IsImplied)
        {
            return false;
        }

        if (stack != 0 && !_meanings[stack].IsContiguous)
        {
            CloseImplied(attempt.Pid);
            return true;
        }

        attempt.Quiet = time;
        attempt.Resumed ??= time;
        return false;
    }

    private void CloseImplied(int pid)
    {
        if (!TryOpen(pid, out ContiguousAttempt open) || open is not KernelAttempt { IsImplied: true } attempt)
        {
            return;
        }

        if (attempt.Ranges.Count == 0)
        {
            // No test was recorded: what was isolated and not moved is known all the same.
            Blocked(attempt, 0, 0, attempt.Quiet, named: null);
        }

        Close(attempt, attempt.Quiet, attempt.Ranges.Exists(static range => !range.IsFree) || attempt.Blocking.Count > 0 ? AttemptResult.Busy : AttemptResult.Unfinished);
        attempt.Touched.Clear();
    }

    // Its finish is missing, and its task goes on to another: the last of its ranges says what came of it.
    private void CloseWithoutEnd(int pid)
    {
        if (TryOpen(pid, out ContiguousAttempt open) && open is KernelAttempt { Ranges.Count: > 0 } attempt)
        {
            Orphans.Value++;
            Close(attempt, Math.Max(attempt.Tested, attempt.Start), attempt.Ranges[^1].IsFree ? AttemptResult.Success : AttemptResult.Busy);
            attempt.Pfn = attempt.Ranges[^1].Start;
        }
    }
}
