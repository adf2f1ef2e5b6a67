using System.Diagnostics;

namespace Quire;

/// <summary>Long-term pins: the page leaves its contiguous area first, so that the pin never stands in an allocation's way (<c>collect_longterm_unpinnable_folios</c>).</summary>
internal static unsafe class LongTermPinning
{
    /// <summary>What no signal comes for (a reference without a pin, a page in transit) is looked at again after this.</summary>
    private static readonly TimeSpan s_lookAgain = TimeSpan.FromMilliseconds(2);

    internal static PagePin Pin(MovablePage page, PinDuration duration, TimeSpan? deadline, string file, int line, string member)
    {
        if (duration != PinDuration.LongTerm)
        {
            throw new ArgumentOutOfRangeException(nameof(duration), duration, "A pin is Short or LongTerm.");
        }

        TimeSpan time = Deadline.Checked(deadline, MovablePage.DefaultDeadline);
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

    private static bool IsLent(ulong identity) => BuddyZone.BlockTypeOf(PageIdentity.Frame(identity)) >= MigrateType.Contiguous;

    private static void MoveOut(MovablePage page, TimeSpan time, string file, int line, string member)
    {
        Deadline until = Deadline.In(time);
        long began = Stopwatch.GetTimestamp();
        MovableTable.TryLocate(page.Index, page.Generation, out ulong identity);
        PageAllocator allocator = (PageAllocator)PageOwners.Allocators.Find(PageMap.DescriptorOf(identity)->Owner)!;

        // The destination first: whoever waits for pins must not fail afterwards for want of a page.
        if (allocator.TakeDestinations(1, out uint destination, out AllocationFailure failure) == 0)
        {
            throw PageAllocationException.For(failure, $"A long-term pin needs a page outside the contiguous area to move the data to, and allocator '{allocator.Name}' has none: {failure}.");
        }

        uint index = 0, generation = 0;
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

                MoveOutcome outcome = MovableTable.TryMigrate(source, PageMap.Descriptor(destination), index == 0 ? 0 : MovableWord.OneWanter);
                if (outcome == MoveOutcome.Moved)
                {
                    (index, destination) = (0, 0);
                    PageRef.Unfreeze(source, 0);
                    PageOwners.Allocators.Find(source->Owner)!.Release(source, PageTemperature.Cold);
                    return;
                }

                if (index == 0 && MovableTable.TryWant(source, out uint wantedIndex, out generation))
                {
                    // From here on new pins wait; look once more, since the last one may have ended just before.
                    index = wantedIndex;
                    ThrowIfHopeless(allocator, source, outcome, time, began, until);
                    continue;
                }

                ThrowIfHopeless(allocator, source, outcome, time, began, until);

                // Signals come to wanters only. Who could not become one has most likely looked at pins on the data's next place: somebody else moved it.
                bool signalled = outcome == MoveOutcome.Pinned && index != 0;
                MovableTable.Migrators.Wait(version, signalled ? until : Deadline.Earlier(until, Deadline.In(s_lookAgain)));
            }
        }
        finally
        {
            if (index != 0)
            {
                MovableTable.EndWant(index, generation);
            }

            allocator.FreeDestinations(destination);
        }
    }

    private static void ThrowIfHopeless(PageAllocator allocator, PageDescriptor* source, MoveOutcome outcome, TimeSpan time, long began, Deadline until)
    {
        bool own = PinThread.Current.HoldsAny || Tracking.Active;
        if (outcome == MoveOutcome.InTransit || (!own && !until.IsOver))
        {
            return;
        }

        List<BusyPage> busy = BusyPages.Of([source->Frame], Environment.CurrentManagedThreadId);
        if (busy.Count != 0 && (until.IsOver || busy[0].Reason == BusyReason.HeldByCaller))
        {
            throw new ContiguousBusyException(
                $"A long-term pin could not move its page out of the area within {HolderTable.Duration(time)}. ",
                new ContiguousFailure
                {
                    Kind = ContiguousFailureKind.Busy,
                    Area = allocator.Name,
                    Pages = 1,
                    RangesTried = 1,
                    Duration = Stopwatch.GetElapsedTime(began),
                    BusyPages = busy,
                });
        }
    }
}
