namespace Quire;

/// <summary>Finds out why pages do not move, and who holds them, with one walk over the ledger for all of them.</summary>
internal static unsafe class BusyPages
{
    /// <summary>Busy without a holder is a retry: a page that nobody holds is waited for this long past the deadline.</summary>
    internal static readonly TimeSpan TransitBound = TimeSpan.FromMilliseconds(100);

    /// <summary>A quick look without any right to the page: true where it could not be moved now. Pins count in the page's own count, so the table need not be asked.</summary>
    internal static bool IsBusy(PageDescriptor* page) =>
        page->State == PageState.InUse && (page->Mapping == 0 || PageRef.Count(page) > 1);

    /// <summary>Those of the given frames that are busy at this moment, by frame number, each with all its holders.</summary>
    /// <param name="frames">Frames of order 0.</param>
    /// <param name="callerThread">Who asks: <see cref="Ledger.CurrentThread"/>.</param>
    /// <param name="all">Also those that nobody holds: for who has waited long enough for them.</param>
    internal static List<BusyPage> Of(IEnumerable<uint> frames, uint callerThread, bool all = false)
    {
        SortedSet<uint> wanted = [.. frames];
        Dictionary<uint, List<Holder>> holders = [];

        // The counts first: a reference dropped between the two steps shows as untracked at the worst, never as a false name.
        List<(uint Frame, ulong Identity, int Count, int Pins, int Mapping, PageState State)> pages = [];
        foreach (uint frame in wanted)
        {
            PageDescriptor* page = PageMap.Descriptor(frame);
            pages.Add((frame, page->Identity, PageRef.Count(page), MovableTable.PinsOn(page), page->Mapping, page->State));
        }

        foreach (Holder holder in Ledger.Snapshot(0, identity => wanted.Contains(PageIdentity.Frame(identity))))
        {
            if (!holders.TryGetValue(holder.FrameNumber, out List<Holder>? list))
            {
                holders.Add(holder.FrameNumber, list = []);
            }

            list.Add(holder with { PageBytes = PageMap.FrameSize });
        }

        List<BusyPage> busy = [];
        foreach ((uint frame, ulong identity, int count, int pins, int mapping, PageState state) in pages)
        {
            List<Holder> entries = holders.TryGetValue(frame, out List<Holder>? list) ? list.FindAll(holder => holder.Identity == identity) : [];
            entries.Sort(static (a, b) => b.Taken.Age.CompareTo(a.Taken.Age));
            int expected = mapping == 0 ? 0 : 1;
            bool held = state == PageState.InUse && (count > expected || pins != 0);
            if (held || all || state is PageState.Moving or PageState.PerCore)
            {
                BusyReason reason = held ? Judge(entries, count - expected, pins, mapping, callerThread)
                    : state == PageState.InUse && PageRef.IsFree(PageMap.Descriptor(frame)) ? BusyReason.Unreferenced
                    : BusyReason.InTransit;
                busy.Add(new BusyPage(frame, count, expected, reason, new PageHolders(frame, count, entries)) { Generation = PageIdentity.Generation(identity) });
            }
        }

        return busy;
    }

    /// <summary>
    /// True where a pin that this thread took may well be ended by another: code that awaits goes on on any thread of the pool. Such a pin gets the
    /// time that the rule gives it; elsewhere it is no use to wait for the thread's own pins.
    /// </summary>
    internal static bool OwnPinsMayEndElsewhere => Thread.CurrentThread.IsThreadPoolThread;

    private static BusyReason Judge(List<Holder> holders, int tooMany, int pins, int mapping, uint callerThread) =>
        IsHeldBy(callerThread, holders, tooMany) ? BusyReason.HeldByCaller
        : holders.Exists(static holder => holder.Kind == HolderKind.LongTermPin) ? BusyReason.LongTermPinned
        : pins != 0 ? BusyReason.Pinned
        : mapping != 0 ? BusyReason.Referenced
        : BusyReason.FreedButReferenced;

    /// <summary>True where all that keep a page from moving answer to one thread: as long as there are others, their ends are to be waited for.</summary>
    /// <remarks>
    /// References that no entry accounts for are somebody else's: untracked, or ended while the walk was on its way. The walk is not one moment: of two
    /// pins that end one after the other it may see the first and not the second.
    /// </remarks>
    private static bool IsHeldBy(uint thread, List<Holder> holders, int tooMany)
    {
        List<Holder> blocking = holders.FindAll(static holder => holder.Kind != HolderKind.Movable);
        return thread != 0 && blocking.Count != 0 && blocking.Sum(static holder => holder.References) >= tooMany && blocking.TrueForAll(holder => holder.CurrentThread == thread);
    }
}
