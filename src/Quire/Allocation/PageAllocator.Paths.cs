using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Where pages come from when the magazine has none: refill, growth, and the last resorts before an allocation fails.</content>
public sealed unsafe partial class PageAllocator
{
    private readonly PerCoreList[] _perCore;
    private readonly MagazineRack _magazines;
    private readonly PageTrimmer _trimmer;
    private readonly List<Action<bool>> _reclaimers = [];

    /// <summary>Takes a page for the library's own use, with count 1; the caller records its holder. Null with the reason where there is none.</summary>
    /// <param name="order">0 to 10.</param>
    /// <param name="type">What it is taken as.</param>
    /// <param name="failure">Why there is none.</param>
    /// <param name="origin">Who asks, for events.</param>
    /// <param name="isRetry">The request was refused before, and told of: a refusal is no news.</param>
    internal PageDescriptor* TakePage(int order, MigrateType type, out AllocationFailure failure, uint origin = 0, bool isRetry = false)
    {
        ThrowIfGone();
        PageDescriptor* head = TakeOrGrow(order, type, out failure, origin);
        if (head != null)
        {
            return head;
        }

        // The last resorts. The lock waits for a batch that the trimmer holds off the lists at this moment.
        Reclaim();
        lock (_trimmer)
        {
            ThrowIfGone();
            head = TakeOrGrow(order, type, out failure, origin);
            if (head == null && failure == AllocationFailure.LimitReached && order != 0 && UsableFrames() >= 1L << order)
            {
                failure = AllocationFailure.Fragmented;
            }
        }

        if (head == null && failure == AllocationFailure.LimitReached && !isRetry)
        {
            NotifyLimit((long)PageMap.FrameSize << order);
        }

        return head;
    }

    /// <summary>Gives pages in state Moving back to the buddy lists.</summary>
    internal void GiveToZone(ReadOnlySpan<nint> pages)
    {
        Zone.Gate.Enter();
        foreach (nint page in pages)
        {
            Zone.Give(((PageDescriptor*)page)->Frame, 0);
        }

        Zone.Gate.Exit();
    }

    /// <summary>Gives all per-core lists back to the buddy lists (<c>drain_all_pages</c>).</summary>
    internal void DrainPerCore()
    {
        foreach (PerCoreList list in _perCore)
        {
            list.DrainAll();
        }
    }

    /// <summary>A room below says how to get back pages that it keeps in reserve: all of them, or (false) those of dead and idle threads. Called with no lock held but <see cref="PageTrimmer.Ticking"/>, at the timer's trims: it must not wait for a thread that verifies.</summary>
    internal void AddReclaimer(Action<bool> reclaim)
    {
        lock (_reclaimers)
        {
            _reclaimers.Add(reclaim);
        }
    }

    /// <summary>Takes back <see cref="AddReclaimer"/>. A call that has begun may still come.</summary>
    internal void RemoveReclaimer(Action<bool> reclaim)
    {
        lock (_reclaimers)
        {
            _reclaimers.Remove(reclaim);
        }
    }

    /// <summary>Gets back every free page that is anywhere but on the buddy lists (the kernel's shrinkers and drains).</summary>
    internal void Reclaim()
    {
        CallReclaimers(all: true);
        _magazines.DrainAll();
        DrainPerCore();
    }

    /// <summary>Gets back what lies with dead and idle threads, and on lists that nobody used since the last call.</summary>
    internal void DrainIdle()
    {
        CallReclaimers(all: false);
        _magazines.DrainIdle();
        foreach (PerCoreList list in _perCore)
        {
            list.DrainIfIdle();
        }
    }

    private void CallReclaimers(bool all)
    {
        Action<bool>[] reclaimers;
        lock (_reclaimers)
        {
            reclaimers = [.. _reclaimers];
        }

        foreach (Action<bool> reclaim in reclaimers)
        {
            reclaim(all);
        }
    }

    /// <summary>A handle for the first reference of a page just taken.</summary>
    internal static Page Handle(PageDescriptor* head, HolderKind kind, uint origin) =>
        Tracking.Active
            ? new Page(head->Identity, Ledger.Take(head->Identity, 1, (uint)PageMap.FrameSize << head->Order, kind, origin))
            : new Page(head->Identity);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Page AllocateSlow(int order, MigrateType type, string file, int line, string member)
    {
        CheckRequest(order, type);
        uint origin = Tracking.Active ? Origin.Here(file, line, member) : 0;
        PageDescriptor* head = TakePage(order, type, out AllocationFailure failure, origin);
        if (head == null)
        {
            PageAllocatorStatistics now = GetStatistics();
            throw PageAllocationException.For(
                failure,
                $"Allocator '{Name}' has no page of order {order} ({(long)PageMap.FrameSize << order} bytes): {failure}. "
                + $"Managed {now.ManagedBytes} of at most {LimitBytes} bytes, in use {now.InUseBytes}, free {now.FreeBytes}, largest free order {now.LargestFreeOrder}.");
        }

        return Handle(head, HolderKind.Page, origin);
    }

    private static void CheckRequest(int order, MigrateType type)
    {
        if ((uint)order > Page.MaxOrder)
        {
            throw new ArgumentOutOfRangeException(nameof(order), order, $"A page has an order of 0 to {Page.MaxOrder}.");
        }

        if (type > MigrateType.Movable)
        {
            throw new ArgumentOutOfRangeException(nameof(type), type, "Pages are allocated as Unmovable or Movable; contiguous memory is lent to movable pages by its area.");
        }
    }

    /// <summary>One page of order 0 in state Moving; unmovable ones bring a batch into the magazine with them.</summary>
    private PageDescriptor* TakeSingle(MigrateType type)
    {
        PerCoreList list = PerCore();
        if (type != MigrateType.Unmovable || Options.ZeroOnFree)
        {
            nint one = 0;
            return list.Take(new Span<nint>(ref one), type) == 1 ? (PageDescriptor*)one : null;
        }

        PageMagazine magazine = _magazines.Mine();
        PageDescriptor* page = magazine.Block->Pop();
        if (page != null)
        {
            page->State = PageState.Moving;
            return page;
        }

        Span<nint> batch = stackalloc nint[PerCoreList.Batch];
        int got = list.Take(batch, type);
        if (got == 0)
        {
            return null;
        }

        int ready = 1;
        for (int i = 1; i < got; i++)
        {
            PageDescriptor* next = (PageDescriptor*)batch[i];
            if (!_trimmer.TryCommit(next, 0))
            {
                GiveBlock(next, 0);
            }
            else if (TryMake(next, 0, type))
            {
                batch[ready++] = batch[i];
            }
        }

        // The magazine gives what came last: turned round, the hottest of the list come first and its cold end last.
        batch[1..ready].Reverse();
        int kept = 1;
        magazine.Touched = true;
        while (kept < ready && magazine.Block->TryPush((PageDescriptor*)batch[kept]))
        {
            kept++;
        }

        list.Put(batch[kept..ready], PageTemperature.Hot);
        return (PageDescriptor*)batch[0];
    }

    private PageDescriptor* TakeBlock(int order, MigrateType type)
    {
        Zone.Gate.Enter();
        uint frame = Zone.Take(order, type);
        Zone.Gate.Exit();
        return frame == 0 ? null : PageMap.Descriptor(frame);
    }

    /// <summary>The same for a page that the caller can do without: no last resorts (<c>__GFP_NORETRY</c>).</summary>
    internal PageDescriptor* TakePageLightly(int order, out AllocationFailure failure, uint origin)
    {
        ThrowIfGone();
        return TakeOrGrow(order, MigrateType.Unmovable, out failure, origin);
    }

    /// <summary>Free frames on the buddy lists that any allocation may have: neither lent from an area nor isolated.</summary>
    private long UsableFrames()
    {
        Zone.Gate.Enter();
        long frames = Zone.Lists.FreeFramesOf(MigrateType.Unmovable) + Zone.Lists.FreeFramesOf(MigrateType.Movable);
        Zone.Gate.Exit();
        return frames;
    }

    private PageDescriptor* TakeOrGrow(int order, MigrateType type, out AllocationFailure failure, uint origin)
    {
        while (true)
        {
            long online = Sections.OnlineBytes;
            PageDescriptor* head = order == 0 ? TakeSingle(type) : TakeBlock(order, type);
            if (head == null)
            {
                if (Zone.Closed)
                {
                    // Somebody is about to dispose the allocator: the caller waits for the outcome at its last resort.
                    failure = AllocationFailure.LimitReached;
                    return null;
                }

                if (!Sections.TryGrow(type == MigrateType.Contiguous ? MigrateType.Movable : type, online, out failure))
                {
                    return null;
                }
            }
            else if (!_trimmer.TryCommit(head, order))
            {
                failure = AllocationFailure.OutOfMemory;
                GiveBlock(head, order);
                return null;
            }
            else if (TryMake(head, order, type))
            {
                PageRef.Init(head, origin);
                if (Tracking.Counting)
                {
                    PageEvents.Alloc(head, _nameNumber, origin);
                }

                failure = AllocationFailure.None;
                return head;
            }
        }
    }

    /// <summary>Makes a block taken from the lists a page with count 0; a bad one is kept out of use, and false is returned.</summary>
    private bool TryMake(PageDescriptor* head, int order, MigrateType type)
    {
        if (PagePreparation.TryMakePage(head, order, type))
        {
            return true;
        }

        Retire(head, order, PageState.Bad);
        return false;
    }

    /// <summary>A page came from the magazine with a count: somebody counts references on free memory.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SetBadAside(PageDescriptor* page)
    {
        Retire(page, 0, PageState.Bad);
    }

    /// <summary>Keeps a page out of use for good. Each frame says so itself: nobody is left to speak for the tails.</summary>
    private void Retire(PageDescriptor* head, int order, PageState state)
    {
        for (uint i = 0; i < 1u << order; i++)
        {
            head[i].State = state;
        }

        Zone.Gate.Enter();
        Zone.Retired += 1L << order;
        Zone.Gate.Exit();
    }

    private PerCoreList PerCore()
    {
        uint core = (uint)Thread.GetCurrentProcessorId();
        return _perCore[core % (uint)_perCore.Length];
    }
}
