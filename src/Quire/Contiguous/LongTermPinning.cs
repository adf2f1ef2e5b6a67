using System.Diagnostics;

namespace Quire;

/// <summary>Long-term pins: the page leaves its contiguous area first, so that the pin never stands in an allocation's way (<c>collect_longterm_unpinnable_folios</c>).</summary>
internal static unsafe class LongTermPinning
{
    /// <summary>What no signal comes for (a reference without a pin, a page in transit) is looked at again after this.</summary>
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromMilliseconds(2);

    private static long s_moved;

    /// <summary>Pages moved out of areas, since the process began.</summary>
    internal static long Moved => Volatile.Read(ref s_moved);

    internal static PagePin Pin(MovablePage page, PinDuration duration, TimeSpan? deadline, string file, int line, string member)
    {
        TimeSpan time = Deadline.Checked(deadline, MovablePage.DefaultDeadline);
        if (duration == PinDuration.Short)
        {
            return MovableTable.Pin(page.Index, page.Generation, HolderKind.Pin, file, line, member);
        }

        if (duration != PinDuration.LongTerm)
        {
            throw new ArgumentOutOfRangeException(nameof(duration), duration, "A pin is Short or LongTerm.");
        }

        if (!MovableTable.TryLocate(page.Index, page.Generation, out ulong identity))
        {
            throw MovableBug.Stale(page.Index, page.Generation, "Pin", file, line, member);
        }

        // Memory outside areas is never exchanged for memory inside, so one look is enough.
        if (IsLent(identity))
        {
            MoveOut(page, time, file, line, member);
        }

        return MovableTable.Pin(page.Index, page.Generation, HolderKind.LongTermPin, file, line, member);
    }

    internal static void MoveOut(MovablePage page, TimeSpan time, string file, int line, string member)
    {
        // Whoever frees the page meanwhile may dispose its allocator too: then there is no owner to find.
        PageAllocator? allocator = MovableTable.TryLocate(page.Index, page.Generation, out ulong identity)
            ? (PageAllocator?)PageOwners.Allocators.Find(PageMap.DescriptorOf(identity)->Owner)
            : null;
        if (allocator is null)
        {
            throw MovableBug.Stale(page.Index, page.Generation, "Pin", file, line, member);
        }

        // The destination first: whoever waits for pins must not fail afterwards for want of a page.
        if (allocator.TakeDestinations(1, out uint destination, out AllocationFailure failure) == 0)
        {
            throw PageAllocationException.For(failure, $"A long-term pin needs a page outside the contiguous area to move the data to, and allocator '{allocator.Name}' has none: {failure}.");
        }

        bool wants = false;
        Patience patience = new(allocator, time);
        try
        {
            while (true)
            {
                long version = MovableTable.Migrators.Version;
                if (!MovableTable.TryLocate(page.Index, page.Generation, out identity))
                {
                    throw MovableBug.Stale(page.Index, page.Generation, "Pin", file, line, member);
                }

                PageDescriptor* source = PageMap.DescriptorOf(identity);
                if (!IsLent(identity))
                {
                    return;
                }

                MoveOutcome outcome = MovableTable.TryMigrate(source, PageMap.Descriptor(destination), wants ? MovableWord.OneWanter : 0, identity);
                if (outcome == MoveOutcome.Moved)
                {
                    (wants, destination) = (false, 0);
                    Atomic.Add(ref s_moved, 1);
                    PageRef.Unfreeze(source, 0, origin: 0);
                    PageOwners.Allocators.Find(source->Owner)!.Release(source, PageTemperature.Cold, origin: 0);
                    if (Tracking.Recording)
                    {
                        ContiguousEvents.Migrated(1, 0, ContiguousEvents.ReasonLongTermPin);
                    }

                    return;
                }

                if (!wants && MovableTable.TryWant(page.Index, page.Generation))
                {
                    // From here on new pins wait; look once more, since the last one may have ended just before.
                    wants = true;
                    continue;
                }

                // The end of a pin is signalled to those that had made themselves known: who could not, looks again by the clock.
                patience.ThrowIfHopeless(source, outcome);
                MovableTable.Migrators.Wait(version, patience.Next(isSignalled: wants && outcome == MoveOutcome.Pinned));
            }
        }
        finally
        {
            if (wants)
            {
                MovableTable.EndWant(page.Index, page.Generation);
            }

            allocator.FreeDestinations(destination);
        }
    }

    private static bool IsLent(ulong identity) => BuddyZone.BlockTypeOf(PageIdentity.Frame(identity)) >= MigrateType.Contiguous;

    /// <summary>How long to wait on, and for what.</summary>
    private struct Patience(PageAllocator allocator, TimeSpan time)
    {
        private readonly long _began = Stopwatch.GetTimestamp();
        private readonly Deadline _until = Deadline.In(time);
        private Deadline _ownUntil = BusyPages.OwnPinsMayEndElsewhere ? Deadline.In(MovablePage.ShortPinBound) : Deadline.In(TimeSpan.Zero);
        private Deadline? _transitUntil;

        internal readonly Deadline Next(bool isSignalled)
        {
            Deadline again = Deadline.In(s_lookAgain);
            return _until.IsOver || !isSignalled ? again
                : _ownUntil.IsOver ? _until
                : Deadline.Earlier(_until, _ownUntil);
        }

        internal void ThrowIfHopeless(PageDescriptor* source, MoveOutcome outcome)
        {
            bool isOver = _until.IsOver;
            bool isLast = isOver && (_transitUntil ??= Deadline.In(BusyPages.TransitBound)).IsOver;
            bool mayBeOwn = _ownUntil.IsOver && (PinThread.Current.HoldsAny || Tracking.Active);
            if (!isLast && (outcome == MoveOutcome.InTransit || (!isOver && !mayBeOwn)))
            {
                return;
            }

            List<BusyPage> busy = BusyPages.Of([source->Frame], Ledger.CurrentThread, all: isLast);
            if (mayBeOwn && !isOver)
            {
                // Others' pins end; when they have, the caller's own may be all that is left.
                _ownUntil = Deadline.In(MovablePage.ShortPinBound);
            }

            if (busy.Count != 0 && (isLast || (isOver && busy[0].Reason != BusyReason.InTransit) || busy[0].Reason == BusyReason.HeldByCaller))
            {
                throw new ContiguousBusyException(
                    $"A long-term pin could not move its page out of the area within {HolderTable.Duration(time)}. ",
                    new ContiguousFailure
                    {
                        Kind = ContiguousFailureKind.Busy,
                        Area = allocator.Name,
                        Pages = 1,
                        RangesTried = 1,
                        Duration = Stopwatch.GetElapsedTime(_began),
                        BusyPages = busy,
                    });
            }
        }
    }
}
