namespace Quire.Traces.Analysis;

/// <summary>
/// The contiguous allocations of a kernel's trace and, of each range that was not free in the end, every page that stood in its way: the one the kernel names
/// (<c>fin_pfn</c> of <c>test_pages_isolated</c>), those that were isolated and not moved, and those that were passed over in silence.
/// </summary>
/// <remarks>
/// <para>Where the trace has no <c>cma</c> events, an allocation is known by what only happens in one: a stack inside <c>alloc_contig_range</c>, a migration for the reason
/// <c>contig_range</c>, a test of isolated pages.</para>
/// <para>The test itself is used against the lives: every frame below the first that is not free was free (mm/page_isolation.c), whatever the events seem to say.</para>
/// </remarks>
internal sealed partial class KernelAttempts : AttemptTracker
{
    /// <summary>Frames looked at for pages passed over in silence, over the whole trace.</summary>
    private const long MostFramesScanned = 1L << 24;

    /// <summary>Without stacks: an implied allocation that was quiet for so long is over, in ns.</summary>
    private const long QuietNs = 50_000_000;

    /// <summary>The class of what a contiguous allocation itself takes from the LRU lists, and puts back.</summary>
    private const string Isolation = "isolation";

    /// <summary>With stacks, which show a thread that went elsewhere.</summary>
    private const long QuietWithStacksNs = 250_000_000;

    /// <summary>How often quiet ones are looked for, in ns.</summary>
    private const long SweepNs = 10_000_000;

    private readonly PageLifetimes _lives;
    private readonly StackMeanings _meanings;
    private readonly StackTable _stacks;
    private readonly LossMap _losses;
    private readonly Dictionary<TraceEventFormat, SymbolicNames> _reasons = [];

    /// <summary>Frames that any allocation under way has isolated, and maybe others: so that the many events of other frames cost nothing, however many are under way.</summary>
    private readonly HashSet<ulong> _isolated = [];
    private long _scanned;
    private long _nextSweep;

    internal KernelAttempts(PageLifetimes lives, StackMeanings meanings, StackTable stacks, LossMap losses, TraceQuality quality)
        : base(quality)
    {
        _lives = lives;
        _meanings = meanings;
        _stacks = stacks;
        _losses = losses;
    }

    /// <summary>Events other than those of counts.</summary>
    internal void Observe(in TraceRecord record, EventShape shape)
    {
        Sweep(record.Time);
        switch (shape.Kind)
        {
            case EventKind.ContiguousStart:
                CloseImplied(record.Pid);
                CloseWithoutEnd(record.Pid);
                ((KernelAttempt)Start(record, shape)).Origin = _stacks.NumberOf(record.Stack);
                break;
            case EventKind.ContiguousRetry when TryOpen(record.Pid, out ContiguousAttempt attempt):
                Retried(attempt);
                RangeEnded((KernelAttempt)attempt, record, shape);
                break;
            case EventKind.PagesIsolated:
                Test(Within(record, shape), record, shape);
                break;
            case EventKind.MigrateStart or EventKind.MigratePages when TryOpen(record.Pid, out _) || IsForContiguous(record, shape):
                KernelAttempt within = Within(record, shape);
                within.Steps++;
                if (shape.Kind == EventKind.MigratePages)
                {
                    Migrated(within, record, shape);
                    within.HasFailedMigration = shape.Signed(record, EventField.Failed) > 0;
                }

                break;
            case EventKind.ContiguousFinish:
                Finished(record, shape);
                break;
            default:
                if (HasOpen && TryOpen(record.Pid, out ContiguousAttempt open))
                {
                    ((KernelAttempt)open).Steps++;
                    Leaves((KernelAttempt)open, record.Time, record.Stack.IsEmpty ? 0 : _stacks.NumberOf(record.Stack));
                }

                break;
        }
    }

    /// <summary>An event of a page's count, after <see cref="PageLifetimes"/> has seen it.</summary>
    /// <param name="record">The event.</param>
    /// <param name="shape">Its shape.</param>
    /// <param name="read">What it did.</param>
    /// <param name="page">The page; -1: it ended with this event, or nothing is known of it.</param>
    internal void Observe(in TraceRecord record, EventShape shape, in RefEvent read, int page)
    {
        Sweep(read.Time);
        if (!TryOpen(read.Pid, out ContiguousAttempt? open))
        {
            if (HasOpen && read.Op == RefOp.Put)
            {
                Meanwhile(read, page);
            }

            if (read.Stack == 0 || !_meanings[read.Stack].IsContiguous || read.Op is not (RefOp.Take or RefOp.Freeze or RefOp.FreezeFailed))
            {
                return;
            }

            open = Within(record, shape);
        }

        KernelAttempt attempt = (KernelAttempt)open;
        attempt.Steps++;
        if (!Leaves(attempt, read.Time, read.Stack))
        {
            Touch(attempt, read, page);
        }
    }

    /// <summary>Whether a page stood in the way of any allocation kept.</summary>
    internal bool HasBlocked(ulong pfn) => All.Cast<KernelAttempt>().Any(attempt => attempt.Blocking.ContainsKey(pfn));

    /// <summary>A page was freed.</summary>
    internal void Freed(ulong pfn)
    {
        if (HasOpen)
        {
            Gone(pfn);
        }
    }

    internal override void Finish()
    {
        foreach (KernelAttempt attempt in Open.Cast<KernelAttempt>().Where(static attempt => attempt.IsImplied).ToArray())
        {
            CloseImplied(attempt.Pid);
        }

        foreach (KernelAttempt attempt in Open.Cast<KernelAttempt>())
        {
            // Under way: what it looked at and let go of has not moved so far.
            foreach ((ulong pfn, TouchedPage touched) in attempt.Touched)
            {
                if (!touched.IsGone && touched.Own <= 0 && _lives.Find(pfn) >= 0)
                {
                    Block(attempt, pfn, touched.Sight, isTouched: true, touched.IsSkipped, touched.Meanwhile);
                }
            }
        }

        base.Finish();
    }

    private protected override ContiguousAttempt Make(int index, in TraceRecord record, bool lacksStart)
    {
        if (!HasOpen)
        {
            _isolated.Clear();
        }

        return new KernelAttempt { Index = index, Pid = record.Pid, Start = record.Time, LacksStart = lacksStart };
    }

    private bool IsReason(in TraceRecord record, EventShape shape, string wanted)
    {
        if (!shape.Has(EventField.Reason))
        {
            return false;
        }

        string reason = shape.Text(record, EventField.Reason);
        if (!shape.IsText(EventField.Reason))
        {
            if (!_reasons.TryGetValue(shape.Format, out SymbolicNames? names))
            {
                names = new SymbolicNames(shape.Format, "reason");
                _reasons.Add(shape.Format, names);
            }

            reason = names[shape.Signed(record, EventField.Reason)];
        }

        return reason == wanted;
    }

    private void Touch(KernelAttempt attempt, in RefEvent read, int page)
    {
        if (read.Op == RefOp.Begin)
        {
            // The pages it takes in the end, and the new places of those it moves.
            return;
        }

        bool isKnown = attempt.Touched.TryGetValue(read.Pfn, out TouchedPage touched);
        if (!isKnown && read.Op is not RefOp.Take)
        {
            return;
        }

        if (!isKnown && attempt.Touched.Count >= PagesLimit * 64)
        {
            NotKept.Value++;
            return;
        }

        switch (read.Op)
        {
            case RefOp.Take:
                // The new place of a moved page gets references by this thread too: those begin with a set in this allocation, and are not isolated.
                if (page >= 0 && _lives[page].Since >= attempt.Start && _lives[page].AllocationPid == attempt.Pid && !_lives[page].IsMidLife)
                {
                    return;
                }

                touched.Own += read.Value;
                touched.IsGone = false;
                if (page >= 0)
                {
                    _lives[page].IsTouched = true;
                }

                if (touched.Own == read.Value)
                {
                    touched.Step = attempt.Steps;
                    touched.Sight = Sight(read, page, touched.Own, touched.Sight.FreezeExpected);
                }

                break;
            case RefOp.Put:
                // Put back at once it was looked at only; another task may have unmapped it just then.
                touched.Own += read.Value;
                bool isPutBack = read.Stack == 0 || _meanings[read.Stack].Put.Class.Name == Isolation;
                touched.IsSkipped = touched.Own == 0 && attempt.Steps == touched.Step + 1 && isPutBack;
                bool isUnmapping = touched.Sight.Count >= 0 && read.Mapcount < touched.Sight.Mapcount && !touched.IsSkipped && (read.Stack == 0 || !isPutBack);
                if (isUnmapping && page >= 0 && read.Count > 0)
                {
                    // A mapping's reference went, not the allocation's own: the page is seen again, with as many of its own as before.
                    touched.Own -= read.Value;
                    touched.Sight = Sight(read, page, Math.Max(1, touched.Own), 0);
                }

                touched.IsGone = page < 0;
                break;
            case RefOp.Freeze:
                touched.Sight.FreezeExpected = 0;
                break;
            case RefOp.FreezeFailed:
                touched.Sight = Sight(read, page, Math.Max(1, touched.Own), read.Value);
                break;
        }

        attempt.Touched[read.Pfn] = touched;
        _isolated.Add(read.Pfn);
    }

    // The count as the operations add up to: the recorded one may be another CPU's already.
    private PageSight Sight(in RefEvent read, int page, int own, int expected) => new()
    {
        Time = read.Time,
        Count = page >= 0 && !_lives[page].IsFrozen ? _lives[page].Count : read.Count,
        Own = own,
        FreezeExpected = expected,
        Look = read.Look,
        Mapcount = read.Mapcount,
        MigrateType = read.MigrateType,
    };

    // Another task puts a reference on a page that an allocation has isolated.
    private void Meanwhile(in RefEvent read, int page)
    {
        if (!_isolated.Contains(read.Pfn))
        {
            return;
        }

        if (page < 0)
        {
            Gone(read.Pfn);
            return;
        }

        foreach (KernelAttempt attempt in Open.Cast<KernelAttempt>())
        {
            if (attempt.Touched.TryGetValue(read.Pfn, out TouchedPage touched) && touched.Own > 0)
            {
                touched.Meanwhile = Sight(read, page, touched.Own, 0);
                touched.Meanwhile.Count -= read.Value;
                touched.Meanwhile.Time--;
                attempt.Touched[read.Pfn] = touched;
            }
        }
    }

    private void Gone(ulong pfn)
    {
        if (!_isolated.Contains(pfn))
        {
            return;
        }

        foreach (KernelAttempt attempt in Open.Cast<KernelAttempt>())
        {
            if (attempt.Touched.TryGetValue(pfn, out TouchedPage touched))
            {
                touched.IsGone = true;
                attempt.Touched[pfn] = touched;
            }
        }
    }

    private void Test(KernelAttempt attempt, in TraceRecord record, EventShape shape)
    {
        Tested(attempt, record, shape);
        attempt.Steps++;
        attempt.Quiet = attempt.Tested = record.Time;
        ulong start = shape.Unsigned(record, EventField.StartPfn);
        ulong end = shape.Unsigned(record, EventField.EndPfn);
        ulong first = shape.Unsigned(record, EventField.FinPfn);
        bool isFree = first >= end;
        if (attempt.IsImplied)
        {
            attempt.Pages = Math.Max(attempt.Pages, (long)Math.Min(end - Math.Min(start, end), long.MaxValue));
        }

        FoundFree(start, Math.Min(first, end), record.Time);
        if (!isFree)
        {
            Blocked(attempt, start, end, record.Time, first);
        }

        AddRange(attempt, start, end, isFree);
        if (attempt.IsImplied && isFree)
        {
            attempt.Pfn = start;
            Close(attempt, record.Time, AttemptResult.Success);
        }
    }

    // Where the trace has no tests, the retry tells that the range was not free.
    private void RangeEnded(KernelAttempt attempt, in TraceRecord record, EventShape shape)
    {
        attempt.Steps++;
        if (attempt.Ranges.Count >= attempt.Retries)
        {
            return;
        }

        ulong start = shape.Unsigned(record, EventField.Pfn);
        ulong end = start + shape.Unsigned(record, EventField.Count);
        attempt.Tested = record.Time;
        Blocked(attempt, start, end, record.Time, named: null);
        AddRange(attempt, start, end, isFree: false);
        attempt.RangesTried = Math.Max(attempt.RangesTried, attempt.Retries);
    }

    private static void AddRange(KernelAttempt attempt, ulong start, ulong end, bool isFree)
    {
        if (attempt.Ranges.Count < PagesLimit)
        {
            attempt.Ranges.Add((start, end, isFree));
        }

        attempt.Touched.Clear();
        attempt.HasFailedMigration = false;
        attempt.Resumed = null;
        (attempt.MigratedBefore, attempt.NotMigratedBefore) = (attempt.Migrated, attempt.NotMigrated);
    }

    private void Finished(in TraceRecord record, EventShape shape)
    {
        KernelAttempt ended = (KernelAttempt)End(record, shape);
        if (ended.LacksStart)
        {
            ended.Origin = _stacks.NumberOf(record.Stack);
        }
        else if (ended.IsImplied)
        {
            // Its start was lost, and what it did was not.
            Describe(ended, record, shape);
            Orphans.Value++;
        }

        if (ended.Result is AttemptResult.Busy or AttemptResult.Interrupted && ended.Ranges.Count == 0)
        {
            Blocked(ended, 0, 0, record.Time, named: null);
        }

        ended.Touched.Clear();
    }

    private PageSight Sight(ulong pfn, long time)
    {
        int at = _lives.Find(pfn);
        if (at < 0)
        {
            return new PageSight { Time = time, Count = -1, Look = -1, MigrateType = -1 };
        }

        ref KernelPage page = ref _lives[at];
        return new PageSight { Time = time, Count = page.Count, Look = page.Look, Mapcount = page.Mapcount, MigrateType = page.MigrateType, Shown = page.Changed };
    }
}
