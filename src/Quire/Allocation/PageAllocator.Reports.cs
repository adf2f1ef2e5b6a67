namespace Quire;

/// <content>What can be asked of an allocator.</content>
public sealed unsafe partial class PageAllocator
{
    /// <summary>Gives all free memory back to the system; it comes again by itself when it is needed.</summary>
    /// <returns>Bytes given back.</returns>
    public long Trim() => IsDisposed ? 0 : _trimmer.Trim();

    /// <summary>What the timer does at each interval: gives back what was idle since the last time.</summary>
    internal long TrimIdle() => IsDisposed ? 0 : _trimmer.TrimIdle();

    /// <summary>Bytes committed since the allocator was made: brought online, and taken again after a trim.</summary>
    internal long CommittedEver => Sections.OnlinedBytes + (_trimmer.CommittedAgainFrames * PageMap.FrameSize);

    /// <summary>Bytes given back to the system by trims since the allocator was made.</summary>
    internal long DecommittedEver => _trimmer.DecommittedEverFrames * PageMap.FrameSize;

    /// <summary>Free frames that wait one by one, on the per-core lists and in magazines.</summary>
    internal long FreeSingles => _magazines.Frames + _perCore.Sum(static list => (long)list.Frames);

    /// <summary>What the memory is doing now.</summary>
    public PageAllocatorStatistics GetStatistics()
    {
        long magazines = _magazines.Frames;
        long perCore = _perCore.Sum(static list => (long)list.Frames);
        Zone.Gate.Enter();
        int order = Page.MaxOrder;
        while (order >= 0 && Zone.Lists.Blocks(order, MigrateType.Unmovable) + Zone.Lists.Blocks(order, MigrateType.Movable) == 0)
        {
            order--;
        }

        PageAllocatorStatistics statistics = new()
        {
            ManagedFrames = Zone.Managed,
            BuddyFrames = Zone.Free,
            PerCoreFrames = perCore,
            MagazineFrames = magazines,
            InUseFrames = Zone.Out - Zone.Detached - Zone.Retired - perCore - magazines,
            RetiredFrames = Zone.Retired,
            DecommittedFrames = _trimmer.DecommittedFrames,
            LargestFreeOrder = order,
            Claims = Zone.Claims,
            Steals = Zone.Steals,
        };
        Zone.Gate.Exit();
        return statistics;
    }

    /// <summary>Checks every equation of the allocator, the statistics against a walk over all descriptors too. No thread may be allocating, freeing, trimming or disposing; the timer's own trims are kept away.</summary>
    /// <exception cref="InvalidOperationException">An equation does not hold; the message says which and where.</exception>
    public void Verify()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        lock (_trimmer.Ticking)
        {
            VerifyAtRest();
        }
    }

    private void VerifyAtRest()
    {
        foreach (PerCoreList list in _perCore)
        {
            list.Verify();
        }

        _magazines.Verify();
        Zone.Gate.Enter();
        try
        {
            Zone.Verify();
        }
        finally
        {
            Zone.Gate.Exit();
        }

        PageAllocatorStatistics expected = GetStatistics();
        PageCensus seen = PageCensus.Of(Sections.All(), _id);
        Invariant.Holds(seen.Managed == expected.ManagedFrames, "the sections have {0} frames, the zone another number", (ulong)seen.Managed);
        Invariant.Holds(seen.Buddy == expected.BuddyFrames, "descriptors show {0} frames free on buddy lists, the lists another number", (ulong)seen.Buddy);
        Invariant.Holds(seen.PerCore == expected.PerCoreFrames, "descriptors show {0} frames on per-core lists, the lists another number", (ulong)seen.PerCore);
        Invariant.Holds(seen.Magazine == expected.MagazineFrames, "descriptors show {0} frames in magazines, the magazines another number", (ulong)seen.Magazine);
        Invariant.Holds(seen.InUse == expected.InUseFrames, "descriptors show {0} frames in use, the statistics another number", (ulong)seen.InUse);
        Invariant.Holds(seen.Retired == expected.RetiredFrames, "descriptors show {0} frames retired, the statistics another number", (ulong)seen.Retired);
        Invariant.Holds(seen.Decommitted == expected.DecommittedFrames, "descriptors show {0} frames decommitted, the trimmer another number", (ulong)seen.Decommitted);
    }

    /// <summary>Everyone who holds a page of this allocator, oldest first: the recorded holders, and the fragment caches with what they keep in reserve. Walks all descriptors.</summary>
    public IReadOnlyList<Holder> HoldersOfMine()
    {
        List<Holder> holders = [.. Holders.All().Where(holder => PageMap.IsKnown(holder.FrameNumber) && PageMap.Descriptor(holder.FrameNumber)->Owner == _id)];
        foreach ((uint first, uint frames) in Sections.All())
        {
            for (uint frame = first; frame < first + frames; frame++)
            {
                PageDescriptor* page = PageMap.Descriptor(frame);
                if (page->State == PageState.InUse && Holders.BiasOf(page) is { } bias)
                {
                    holders.Add(bias);
                }
            }
        }

        return holders;
    }
}
