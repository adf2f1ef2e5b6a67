using System.Diagnostics;

namespace Quire;

/// <content>One allocation on its way: choose a range, empty it, wait where there is something to wait for, or say why not.</content>
public sealed unsafe partial class ContiguousArea
{
    /// <summary>What no signal comes for (a reference without a pin, a page in transit) is looked at again after this, and then after twice as long each time.</summary>
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan s_lookAgainAtLeast = TimeSpan.FromMilliseconds(16);

    /// <summary>One allocation on its way. It began before its deadline was set: what took until then took at least as long.</summary>
    private sealed class Request(ContiguousArea area, int pages, int alignment, long began, Deadline until)
    {
        private readonly HashSet<uint> _hopeless = [];

        /// <summary>Time since the allocation was asked for.</summary>
        internal TimeSpan Elapsed => Stopwatch.GetElapsedTime(began);

        private Deadline? _transitUntil;
        private int _tried;
        private int _left;
        private bool _fewestLent;

        /// <summary>The same as <see cref="Run"/>, with its events: every start has its finish, however the allocation ends.</summary>
        internal ContiguousFailure? RunTold(uint origin, out int start)
        {
            if (!Tracking.Recording)
            {
                return Run(out start);
            }

            ContiguousEvents.Started(area.Name, pages, alignment, origin);
            ContiguousFailure? failure = null;
            bool isEmpty = false;
            start = 0;
            try
            {
                failure = Run(out start);
                isEmpty = failure is null;
                return failure;
            }
            finally
            {
                if (failure is not null)
                {
                    ContiguousEvents.Blocked(failure);
                }

                ContiguousEvents.Finished(area.Name, isEmpty ? area._first + (uint)start : 0, pages, alignment, isEmpty ? 0 : ContiguousEvents.ErrorOf(failure), origin);
            }
        }

        /// <summary>Null with a range that is claimed and empty, or why there is none.</summary>
        private ContiguousFailure? Run(out int start)
        {
            while (true)
            {
                if (!TryClaim(out start, out ContiguousFailure? failure))
                {
                    return failure;
                }

                bool again = false;
                bool isEmpty = false;
                RangeAttempt? attempt = null;
                try
                {
                    attempt = new RangeAttempt(area, area._first + (uint)start, pages);
                    failure = Empty(attempt, start, isRemoval: false, out again);
                    isEmpty = failure is null && !again;
                }
                finally
                {
                    if (!isEmpty)
                    {
                        area.Mark(start, pages, FrameUse.Free);
                        if (attempt is not null)
                        {
                            TellGivenUp(attempt);
                        }
                    }
                }

                if (isEmpty)
                {
                    return null;
                }

                if (!again)
                {
                    return failure;
                }

                if (Tracking.Recording)
                {
                    ContiguousEvents.Retried(area.Name, area._first + (uint)start, pages, alignment);
                }
            }
        }

        /// <summary>Empties a claimed range. On failure, on an exception, and where another range is to be tried, everything is undone but the claim.</summary>
        internal ContiguousFailure? Empty(RangeAttempt attempt, int start, bool isRemoval, out bool again)
        {
            again = false;
            _tried++;
            bool isEmpty = false;
            ContiguousFailure? failure;
            try
            {
                attempt.Isolate();
                failure = attempt.TryReserveDestinations(out AllocationFailure reason)
                    ? Settle(attempt, start, isRemoval, out again)
                    : Failed(ContiguousFailureKind.NoMemory, reason: reason);
                if (failure is null && !again)
                {
                    isEmpty = isRemoval || attempt.TryComplete();
                    failure = isEmpty ? null : Failed(ContiguousFailureKind.NoMemory, reason: AllocationFailure.OutOfMemory);
                }
            }
            finally
            {
                Atomic.Add(ref area._migrated, attempt.Migrated);
                if (Tracking.Recording)
                {
                    uint end = attempt.First + (uint)attempt.Pages;
                    ContiguousEvents.Tried(attempt.First, end, attempt.LeftFrames.DefaultIfEmpty(end).Min(), attempt.Migrated, attempt.LeftCount);
                }

                if (!isEmpty)
                {
                    _left = attempt.LeftCount;
                    attempt.Undo();
                    Atomic.Add(ref area._givenBack, 1);
                }
            }

            if (failure?.Kind == ContiguousFailureKind.NoMemory && !_fewestLent && !isRemoval)
            {
                // Too few places for this range's pages: another range may have fewer.
                again = _fewestLent = true;
            }

            return failure;
        }

        /// <summary>Tells of a range that <see cref="Empty"/> gave up. To be called when the claim is given back too: a listener may want the very range.</summary>
        internal void TellGivenUp(RangeAttempt attempt) => TracingNotices.MigrationFailed(area.Name, attempt.First, attempt.Pages, attempt.Migrated, _left);

        private bool TryClaim(out int start, out ContiguousFailure? failure)
        {
            lock (area._gate)
            {
                while (true)
                {
                    ObjectDisposedException.ThrowIf(area._closed, area);
                    area.Allocator.ThrowIfGone();
                    failure = null;
                    Found found = area.Claim(pages, alignment, _hopeless, _fewestLent, out start);
                    switch (found)
                    {
                        case Found.Range:
                            return true;
                        case Found.NoSpace:
                            failure = Failed(ContiguousFailureKind.NoSpace);
                            return false;
                        case Found.Contended when !until.IsOver:
                            Monitor.Wait(area._gate, until.LeftMilliseconds);
                            continue;
                        case Found.Contended:
                            failure = Failed(ContiguousFailureKind.Busy);
                            return false;
                        default:
                            break;
                    }

                    List<BusyPage> busy = area.BusyNow();
                    if (busy.Exists(page => _hopeless.Contains(page.FrameNumber)))
                    {
                        failure = Failed(ContiguousFailureKind.Busy, busy);
                        return false;
                    }

                    // Nobody holds any more what was hopeless a moment ago.
                    _hopeless.Clear();
                }
            }
        }

        private ContiguousFailure? Settle(RangeAttempt attempt, int start, bool isRemoval, out bool again)
        {
            again = false;
            bool asked = false;
            TimeSpan lookAgain = s_lookAgain;
            Deadline patience = Deadline.In(MovablePage.ShortPinBound);
            while (true)
            {
                long version = MovableTable.Migrators.Version;
                attempt.Settle();
                if (isRemoval)
                {
                    attempt.DisregardUnusable();
                }

                if (attempt.LeftCount == 0)
                {
                    return null;
                }

                if (attempt.HasUnusable && !isRemoval)
                {
                    // Marked for good when the claim is taken back; the next search goes round it.
                    again = true;
                    return null;
                }

                if (!asked)
                {
                    asked = true;
                    area.Allocator.AwaitTrimmer();
                    if (!BusyPages.OwnPinsMayEndElsewhere && IsHopeless(attempt))
                    {
                        again = !isRemoval;
                        return isRemoval ? Failed(ContiguousFailureKind.Busy, BusyPages.Of(attempt.LeftFrames, Ledger.CurrentThread)) : null;
                    }

                    continue;
                }

                if (until.IsOver)
                {
                    // Busy, and no holder: it lets go this moment, or is in transit. That is a retry, though not for ever.
                    // Asked once: the look below takes its time, and a bound that ended meanwhile would give a failure that names no page.
                    Deadline last = _transitUntil ??= Deadline.In(BusyPages.TransitBound);
                    bool isLast = last.IsOver;
                    List<BusyPage> busy = BusyPages.Of(attempt.LeftFrames, Ledger.CurrentThread, all: isLast);
                    if (isLast || (busy.Count == attempt.LeftCount && busy.TrueForAll(static page => page.Reason != BusyReason.InTransit)))
                    {
                        return Failed(ContiguousFailureKind.Busy, busy);
                    }

                    MovableTable.Migrators.Wait(version, Deadline.Earlier(last, Deadline.In(s_lookAgain)));
                    continue;
                }

                if (patience.IsOver)
                {
                    if (IsHopeless(attempt))
                    {
                        again = !isRemoval;
                        return isRemoval ? Failed(ContiguousFailureKind.Busy, BusyPages.Of(attempt.LeftFrames, Ledger.CurrentThread)) : null;
                    }

                    // A pin that lasts this long breaks the rule: nobody says when it ends. A range that is free of pins now is better.
                    if (!isRemoval && area.HasQuietRange(pages, alignment, _hopeless, start))
                    {
                        again = true;
                        return null;
                    }

                    patience = Deadline.In(MovablePage.ShortPinBound);
                }

                Deadline wake = Deadline.Earlier(until, patience);
                if (!attempt.IsOnlyPinned)
                {
                    wake = Deadline.Earlier(wake, Deadline.In(lookAgain));
                    lookAgain = lookAgain < s_lookAgainAtLeast ? lookAgain * 2 : lookAgain;
                }

                Atomic.Add(ref area._waits, 1);
                MovableTable.Migrators.Wait(version, wake);
            }
        }

        /// <summary>True where the calling thread alone holds pages of the range: no use to wait for those. The ledger is asked only where there can be any.</summary>
        private bool IsHopeless(RangeAttempt attempt)
        {
            if (!PinThread.Current.HoldsAny && !Tracking.Active)
            {
                return false;
            }

            List<BusyPage> own = BusyPages.Of(attempt.LeftFrames, Ledger.CurrentThread).FindAll(static page => page.Reason == BusyReason.HeldByCaller);
            _hopeless.UnionWith(own.Select(static page => page.FrameNumber));
            return own.Count != 0;
        }

        private ContiguousFailure Failed(ContiguousFailureKind kind, IReadOnlyList<BusyPage>? busy = null, AllocationFailure reason = AllocationFailure.None) => new()
        {
            Kind = kind,
            Area = area.Name,
            Pages = pages,
            Alignment = alignment,
            RangesTried = _tried,
            Duration = Stopwatch.GetElapsedTime(began),
            FreeRuns = kind == ContiguousFailureKind.NoSpace ? area.FreeRuns() : "",
            BusyPages = busy ?? [],
            Reason = reason,
        };
    }
}
