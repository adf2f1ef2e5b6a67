namespace Quire;

/// <summary>Finds out why pages do not move, and who holds them, with one walk over the ledger for all of them.</summary>
internal static unsafe class BusyPages
{
    /// <summary>A quick look without any right to the page: true where it could not be moved now. Pins count in the page's own count, so the table need not be asked.</summary>
    internal static bool IsBusy(PageDescriptor* page) =>
        page->State == PageState.InUse && (page->Mapping == 0 || PageRef.Count(page) > 1);

    /// <summary>Those of the given frames that are busy at this moment, by frame number, each with all its holders.</summary>
    internal static List<BusyPage> Of(IEnumerable<uint> frames, int callerThread)
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
            if (held || state is PageState.Moving or PageState.PerCore)
            {
                busy.Add(new BusyPage(frame, count, expected, held ? Judge(entries, pins, mapping, callerThread) : BusyReason.InTransit, new PageHolders(frame, count, entries)));
            }
        }

        return busy;
    }

    private static BusyReason Judge(List<Holder> holders, int pins, int mapping, int callerThread) =>
        holders.Exists(holder => holder.Kind != HolderKind.Movable && holder.Current.ThreadId == callerThread) ? BusyReason.HeldByCaller
        : holders.Exists(static holder => holder.Kind == HolderKind.LongTermPin) ? BusyReason.LongTermPinned
        : pins != 0 ? BusyReason.Pinned
        : mapping != 0 ? BusyReason.Referenced
        : BusyReason.FreedButReferenced;
}
