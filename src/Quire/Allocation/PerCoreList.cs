namespace Quire;

/// <summary>
/// Free pages of order 0 kept for one core: hot ones at the front, cold ones at the back, a list for each migrate type
/// (the kernel's <c>per_cpu_pages</c>). Refilled from and drained to the buddy lists in batches.
/// </summary>
/// <remarks>
/// <para>
/// Invariant: every page here has state <see cref="PageState.PerCore"/>, order 0 and count 0, and belongs to no isolated block
/// from the moment on that an isolation has drained this list: a page's block type is read while the gate is held, and
/// the drain takes the gate after the block was marked, so what is pushed before the mark is drained and what comes after sees it.
/// </para>
/// <para>Order of gates: a core's gate first, the zone's inside it, never the other way.</para>
/// </remarks>
internal sealed unsafe class PerCoreList(BuddyZone zone)
{
    /// <summary>Frames moved at once between this list, the magazines and the buddy lists: 128 KiB.</summary>
    internal const int Batch = 32;

    /// <summary>Above this many frames of one type a batch goes back to the buddy lists: 512 KiB.</summary>
    internal const int High = 4 * Batch;

    private readonly FrameList[] _lists = new FrameList[BuddyLists.Types];
    private SpinGate _gate;
    private bool _touched;
    private bool _closed;

    /// <summary>Frames on this list now; exact while nothing changes it.</summary>
    internal int Frames => _lists.Sum(static list => list.Count);

    /// <summary>Fills <paramref name="pages"/> from the front, then from the buddy lists; returns how many it got. Each is in state Moving; those from the buddy lists are yet to be made pages.</summary>
    internal int Take(Span<nint> pages, MigrateType type)
    {
        int got = 0;
        _gate.Enter();
        _touched = true;
        ref FrameList list = ref _lists[(int)type];
        while (got < pages.Length && list.First != 0)
        {
            PageDescriptor* page = PageMap.Descriptor(list.First);
            list.Remove(page);
            pages[got++] = (nint)page;
        }

        _gate.Exit();
        return got == pages.Length ? got : got + TakeFromZone(pages[got..], type);
    }

    /// <summary>Puts freed pages here, or straight to the buddy lists where their block is being isolated.</summary>
    internal void Put(ReadOnlySpan<nint> pages, PageTemperature temperature)
    {
        _gate.Enter();
        _touched = true;
        foreach (nint pointer in pages)
        {
            PageDescriptor* page = (PageDescriptor*)pointer;
            MigrateType type = BuddyZone.BlockTypeOf(page->Frame);
            Atomic.Point();
            if (type == MigrateType.Isolated || _closed)
            {
                GiveToZone(page);
                continue;
            }

            page->State = PageState.PerCore;
            _lists[(int)type].Push(page, atBack: temperature == PageTemperature.Cold);
            if (_lists[(int)type].Count > High)
            {
                Drain(type, Batch);
            }
        }

        _gate.Exit();
    }

    /// <summary>From here on pages go straight to the buddy lists, and none are kept here; or as ever again.</summary>
    internal void SetClosed(bool closed)
    {
        _gate.Enter();
        _closed = closed;
        _gate.Exit();
        DrainAll();
    }

    /// <summary>Gives everything back to the buddy lists.</summary>
    internal void DrainAll()
    {
        _gate.Enter();
        for (int type = 0; type < BuddyLists.Types; type++)
        {
            Drain((MigrateType)type, int.MaxValue);
        }

        _gate.Exit();
    }

    /// <summary>Gives everything back if nobody took or put a page since the last call.</summary>
    internal void DrainIfIdle()
    {
        if (!_touched)
        {
            DrainAll();
        }

        _touched = false;
    }

    internal void Verify()
    {
        _gate.Enter();
        try
        {
            foreach (FrameList list in _lists)
            {
                list.Verify(PageState.PerCore, order: 0, type: null);
            }
        }
        finally
        {
            _gate.Exit();
        }
    }

    private int TakeFromZone(Span<nint> pages, MigrateType type)
    {
        int got = 0;
        zone.Gate.Enter();
        while (got < pages.Length)
        {
            uint frame = zone.Take(0, type);
            if (frame == 0)
            {
                break;
            }

            pages[got++] = (nint)PageMap.Descriptor(frame);
        }

        zone.Gate.Exit();
        return got;
    }

    /// <summary>From the back: the coldest go first.</summary>
    private void Drain(MigrateType type, int most)
    {
        ref FrameList list = ref _lists[(int)type];
        zone.Gate.Enter();
        for (int i = 0; i < most && list.Last != 0; i++)
        {
            PageDescriptor* page = PageMap.Descriptor(list.Last);
            list.Remove(page);
            zone.Give(page->Frame, 0);
        }

        zone.Gate.Exit();
    }

    private void GiveToZone(PageDescriptor* page)
    {
        zone.Gate.Enter();
        zone.Give(page->Frame, 0);
        zone.Gate.Exit();
    }
}
