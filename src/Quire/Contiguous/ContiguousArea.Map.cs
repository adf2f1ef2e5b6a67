namespace Quire;

/// <content>The map of the area's frames: who may take what, and what goes with which page block.</content>
public sealed unsafe partial class ContiguousArea
{
    private enum FrameUse : byte
    {
        /// <summary>Lent, or nobody's.</summary>
        Free,

        /// <summary>An attempt works on it.</summary>
        Claimed,

        /// <summary>Part of an allocated range.</summary>
        Allocated,

        /// <summary>Out of use for good.</summary>
        Unusable,
    }

    /// <summary>What a search for a range came to.</summary>
    private enum Found
    {
        /// <summary>A range, claimed for the caller.</summary>
        Range,

        /// <summary>No free run is long enough.</summary>
        NoSpace,

        /// <summary>One would be, if other attempts give back what they claimed.</summary>
        Contended,

        /// <summary>Every run has a page for which it is no use to wait.</summary>
        Hopeless,
    }

    private readonly record struct Allocated(ulong Identity, int Pages, uint Ticket);

    private readonly object _gate = new();
    private readonly FrameUse[] _use;
    private readonly Dictionary<int, Allocated> _ranges = [];

    /// <summary>With the zone's gate held: one more attempt has a part of this block. The first takes it out of use; its free frames need not move to the isolated lists where they are taken at once.</summary>
    internal void Isolate(uint block, bool isWhole)
    {
        if (_isolations[(block - _first) / BuddyZone.BlockFrames]++ != 0)
        {
            return;
        }

        if (isWhole)
        {
            PageMap.Descriptor(block)->BlockType = MigrateType.Isolated;
        }
        else
        {
            Allocator.Zone.Isolate(block);
        }
    }

    /// <summary>With the zone's gate held: one attempt less; the last lends the block again. Where all of it is the attempt's, no free frame has to change its list.</summary>
    internal void EndIsolation(uint block, bool isTaken)
    {
        if (--_isolations[(block - _first) / BuddyZone.BlockFrames] != 0)
        {
            return;
        }

        if (isTaken)
        {
            PageMap.Descriptor(block)->BlockType = MigrateType.Contiguous;
        }
        else
        {
            Allocator.Zone.EndIsolation(block);
        }
    }

    /// <summary>Finds a range and claims it: one in which no page is held at the moment, if there is one; otherwise the first without a hopeless page.</summary>
    private Found Claim(int pages, int alignment, HashSet<uint> hopeless, bool fewestLent, out int start)
    {
        start = Search(pages, alignment, at => IsBlocked(at, hopeless) || BusyPages.IsBusy(PageMap.Descriptor(_first + (uint)at)));
        if (start >= 0 && fewestLent)
        {
            start = SearchFewestLent(pages, alignment, hopeless);
        }

        start = start >= 0 ? start : Search(pages, alignment, at => IsBlocked(at, hopeless));
        if (start >= 0)
        {
            _use.AsSpan(start, pages).Fill(FrameUse.Claimed);
            return Found.Range;
        }

        return Search(pages, alignment, at => _use[at] != FrameUse.Free) >= 0 ? Found.Hopeless
            : Search(pages, alignment, at => _use[at] is FrameUse.Allocated or FrameUse.Unusable) >= 0 ? Found.Contended
            : Found.NoSpace;
    }

    /// <summary>True where another range than the attempt's has no page that is held at the moment.</summary>
    private bool HasQuietRange(int pages, int alignment, HashSet<uint> hopeless, int own)
    {
        lock (_gate)
        {
            return Search(pages, alignment, at =>
                ((at < own || at >= own + pages) && _use[at] != FrameUse.Free)
                || hopeless.Contains(_first + (uint)at)
                || BusyPages.IsBusy(PageMap.Descriptor(_first + (uint)at))) >= 0;
        }
    }

    private bool IsBlocked(int at, HashSet<uint> hopeless) => _use[at] != FrameUse.Free || (hopeless.Count != 0 && hopeless.Contains(_first + (uint)at));

    /// <summary>The first range without a blocked frame, or -1. From the back of each candidate: its last blocked frame is where the next may begin.</summary>
    private int Search(int pages, int alignment, Func<int, bool> isBlocked)
    {
        for (int start = Align(0, alignment); start >= 0 && start + (long)pages <= Pages;)
        {
            int at = start + pages - 1;
            while (at >= start && !isBlocked(at))
            {
                at--;
            }

            if (at < start)
            {
                return start;
            }

            start = Align(at + 1, alignment);
        }

        return -1;
    }

    /// <summary>The range with the fewest pages to move: for when there are too few places to move them to.</summary>
    private int SearchFewestLent(int pages, int alignment, HashSet<uint> hopeless)
    {
        int best = -1;
        int fewest = int.MaxValue;
        for (int start = Align(0, alignment); start >= 0 && start + (long)pages <= Pages; start = Align(start + 1, alignment))
        {
            int lent = 0;
            for (int at = start; at < start + pages && lent < fewest; at++)
            {
                lent = IsBlocked(at, hopeless) ? int.MaxValue : lent + (PageMap.Descriptor(_first + (uint)at)->State == PageState.InUse ? 1 : 0);
            }

            (best, fewest) = lent < fewest ? (start, lent) : (best, fewest);
        }

        return best;
    }

    /// <summary>The next index whose address has the alignment; -1 past the end of all numbers.</summary>
    private int Align(int index, int alignment)
    {
        ulong page = ((ulong)PageMap.Descriptor(_first)->Address >> PageMap.FrameShift) + (ulong)index;
        ulong aligned = (page + (ulong)alignment - 1) & ~((ulong)alignment - 1);
        ulong result = (ulong)index + (aligned - page);
        return result < (ulong)Pages ? (int)result : -1;
    }

    /// <summary>Marks what an attempt leaves behind; who waits for it looks again. Never interrupted: what stayed claimed would stay so for good.</summary>
    private void Mark(int start, int pages, FrameUse use)
    {
        using (Uninterrupted.Enter(_gate))
        {
            for (int at = start; at < start + pages; at++)
            {
                bool good = PageMap.Descriptor(_first + (uint)at)->State is not (PageState.Retired or PageState.Bad);
                _use[at] = good ? use : FrameUse.Unusable;
            }

            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Gives a range that somebody had back to the lists, and then to the map: in between it is nobody's to claim.</summary>
    private void GiveBack(int start, int pages)
    {
        uint first = _first + (uint)start;
        uint end = first + (uint)pages;
        if (Allocator.Options.ZeroOnFree)
        {
            new Span<byte>(PageMap.Descriptor(first)->Address, PageMap.FrameSize).Clear();
            for (uint frame = first + 1; frame < end; frame++)
            {
                PagePreparation.Zero(PageMap.Descriptor(frame));
            }
        }

        uint given = first;
        PageMap.Descriptor(first)->WholeLength = 0;
        if (!PagePreparation.TryEndGeneration(PageMap.Descriptor(first)))
        {
            Allocator.RetireFrame(PageMap.Descriptor(first));
            given++;
        }

        while (given < end)
        {
            uint stop = Math.Min(end, (given & ~(BuddyZone.BlockFrames - 1u)) + BuddyZone.BlockFrames);
            Allocator.Zone.Gate.Enter();
            Allocator.Zone.GiveRange(given, stop);
            Allocator.Zone.Gate.Exit();
            given = stop;
        }

        Mark(start, pages, FrameUse.Free);
    }

    private string FreeRuns()
    {
        List<string> runs = [];
        int free = 0;
        for (int at = 0; at < Pages;)
        {
            int run = at;
            while (run < Pages && _use[run] == FrameUse.Free)
            {
                run++;
            }

            if (run > at)
            {
                runs.Add($"{run - at}@{at}");
                free += run - at;
            }

            at = run + 1;
        }

        return $"{string.Join('+', runs)}{(runs.Count == 0 ? "" : " ")}=> {free} free of {Pages} total pages";
    }

    private void VerifyMap()
    {
        HashSet<int> inRanges = [];
        foreach ((int start, Allocated allocated) in _ranges)
        {
            Invariant.Holds(PageMap.Descriptor(_first + (uint)start)->WholeLength == allocated.Pages, "the range at frame 0x{0:x} and its first descriptor have other lengths", _first + (uint)start);
            for (int at = start; at < start + allocated.Pages; at++)
            {
                Invariant.Holds(inRanges.Add(at), "frame 0x{0:x} is in two allocated ranges", _first + (uint)at);
            }
        }

        for (int at = 0; at < Pages; at++)
        {
            uint frame = _first + (uint)at;
            PageDescriptor* page = PageMap.Descriptor(frame);
            Invariant.Holds(_use[at] != FrameUse.Claimed, "frame 0x{0:x} is claimed by an attempt that is over", frame);
            Invariant.Holds(_use[at] == FrameUse.Allocated == inRanges.Contains(at), "the area's map and its ranges disagree about frame 0x{0:x}", frame);
            Invariant.Holds(_use[at] == FrameUse.Allocated == (page->State == PageState.Contiguous), "the area's map and the state of frame 0x{0:x} disagree", frame);
            Invariant.Holds(page->State != PageState.InUse || MovableTable.Find((uint)page->Mapping) is var entry && entry != null && entry->Identity == page->Identity || PageRef.Count(page) > 0 && page->Mapping == 0, "lent frame 0x{0:x} has no movable data", frame);
            Invariant.Holds(page->State is not (PageState.Tail or PageState.Magazine), "frame 0x{0:x} of an area was given to unmovable memory", frame);
            if (at % BuddyZone.BlockFrames == 0)
            {
                Invariant.Holds(page->BlockType == MigrateType.Contiguous, "the page block of frame 0x{0:x} is not lent, and no attempt has it", frame);
                Invariant.Holds(_isolations[at / BuddyZone.BlockFrames] == 0, "the page block of frame 0x{0:x} counts an attempt that is over", frame);
            }

            if (page->State == PageState.Buddy)
            {
                Invariant.Holds(page->Type == MigrateType.Contiguous, "free block 0x{0:x} of an area stands on another type's list", frame);
            }
        }
    }
}
