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

    private readonly uint[] _first = new uint[BuddyLists.Types];
    private readonly uint[] _last = new uint[BuddyLists.Types];
    private readonly int[] _count = new int[BuddyLists.Types];
    private SpinGate _gate;
    private bool _touched;

    /// <summary>Frames on this list now; exact while nothing changes it.</summary>
    internal int Frames => Volatile.Read(ref _count[0]) + Volatile.Read(ref _count[1]) + Volatile.Read(ref _count[2]);

    /// <summary>Fills <paramref name="pages"/> from the front, then from the buddy lists; returns how many it got. Each is in state Moving and a head of order 0.</summary>
    internal int Take(Span<nint> pages, MigrateType type)
    {
        int got = 0;
        _gate.Enter();
        _touched = true;
        while (got < pages.Length && _first[(int)type] != 0)
        {
            PageDescriptor* page = PageMap.Descriptor(_first[(int)type]);
            Unlink(page, type);
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
            if (type == MigrateType.Isolated)
            {
                GiveToZone(page);
                continue;
            }

            Link(page, type, temperature);
            if (_count[(int)type] > High)
            {
                Drain(type, Batch);
            }
        }

        _gate.Exit();
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
            for (int type = 0; type < BuddyLists.Types; type++)
            {
                int count = 0;
                uint previous = 0;
                for (uint frame = _first[type]; frame != 0; frame = PageMap.Descriptor(frame)->Next)
                {
                    PageDescriptor* page = PageMap.Descriptor(frame);
                    Invariant.Holds(page->State == PageState.PerCore && page->Order == 0, "frame 0x{0:x} on a per-core list has another state or order", frame);
                    Invariant.Holds(page->Previous == previous, "frame 0x{0:x} on a per-core list has a broken back link", frame);
                    Invariant.Holds(PageRef.Count(page) == 0, "frame 0x{0:x} on a per-core list has a count", frame);
                    Invariant.Holds(++count <= _count[type], "the per-core list of frame 0x{0:x} is longer than its count", frame);
                    previous = frame;
                }

                Invariant.Holds(count == _count[type] && _last[type] == previous, "a per-core list disagrees with its count {0}", (ulong)_count[type]);
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
        zone.Gate.Enter();
        for (int i = 0; i < most && _last[(int)type] != 0; i++)
        {
            PageDescriptor* page = PageMap.Descriptor(_last[(int)type]);
            Unlink(page, type);
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

    private void Link(PageDescriptor* page, MigrateType type, PageTemperature temperature)
    {
        uint frame = page->Frame;
        bool front = temperature == PageTemperature.Hot;
        uint neighbour = front ? _first[(int)type] : _last[(int)type];
        page->State = PageState.PerCore;
        page->Next = front ? neighbour : 0;
        page->Previous = front ? 0 : neighbour;
        if (neighbour == 0)
        {
            _first[(int)type] = _last[(int)type] = frame;
        }
        else if (front)
        {
            PageMap.Descriptor(neighbour)->Previous = frame;
            _first[(int)type] = frame;
        }
        else
        {
            PageMap.Descriptor(neighbour)->Next = frame;
            _last[(int)type] = frame;
        }

        _count[(int)type]++;
    }

    private void Unlink(PageDescriptor* page, MigrateType type)
    {
        if (page->Previous == 0)
        {
            _first[(int)type] = page->Next;
        }
        else
        {
            PageMap.Descriptor(page->Previous)->Next = page->Next;
        }

        if (page->Next == 0)
        {
            _last[(int)type] = page->Previous;
        }
        else
        {
            PageMap.Descriptor(page->Next)->Previous = page->Previous;
        }

        page->Next = page->Previous = 0;
        page->State = PageState.Moving;
        _count[(int)type]--;
    }
}
