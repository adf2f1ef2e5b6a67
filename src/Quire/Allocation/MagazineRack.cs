namespace Quire;

/// <summary>
/// The magazines of all threads that use one allocator, so that pages in them can be taken back: from dead threads, from idle ones,
/// and from all when memory is short.
/// </summary>
/// <remarks>
/// Thread ends are found by asking (<see cref="Thread.Join(int)"/> with no wait), never by finalizers: nothing here produces
/// garbage, so no collection may ever come. Asked when a thread first comes, at every trim, and before an allocation fails.
/// </remarks>
internal sealed unsafe class MagazineRack(PageAllocator allocator)
{
    [ThreadStatic]
    private static List<PageMagazine>? t_mine;

    private readonly Lock _gate = new();
    private readonly List<(Thread Thread, PageMagazine Magazine)> _all = [];
    private bool _suspended;

    /// <summary>Pages in all magazines; exact while no thread allocates or frees.</summary>
    internal int Frames
    {
        get
        {
            lock (_gate)
            {
                return _all.Sum(entry => entry.Magazine.Block->Count);
            }
        }
    }

    internal int Threads
    {
        get
        {
            lock (_gate)
            {
                return _all.Count;
            }
        }
    }

    /// <summary>The calling thread's magazine, made on first use.</summary>
    internal PageMagazine Mine()
    {
        List<PageMagazine> mine = t_mine ??= [];
        mine.RemoveAll(static magazine => magazine.Allocator.IsDisposed);

        // A loop and no predicate: with the ledger on each allocation comes this way, and a closure would be garbage.
        PageMagazine? magazine = null;
        for (int i = 0; i < mine.Count && magazine is null; i++)
        {
            magazine = mine[i].Allocator == allocator ? mine[i] : null;
        }

        if (magazine is null)
        {
            DrainDead();
            magazine = new PageMagazine(allocator);
            mine.Add(magazine);
            lock (_gate)
            {
                if (_suspended)
                {
                    magazine.Block->Suspend([]);
                }

                _all.Add((Thread.CurrentThread, magazine));
            }
        }

        // The block that the thread used last may be one whose keeper was just forgotten: it is replaced here and now.
        MagazineBlock.t_current = magazine.Block;
        return magazine;
    }

    /// <summary>Gives back what dead threads left.</summary>
    internal void DrainDead()
    {
        lock (_gate)
        {
            for (int i = _all.Count - 1; i >= 0; i--)
            {
                // Happens before: a successful join orders all that the dead thread did before what follows.
                if (_all[i].Thread.Join(0))
                {
                    Drain(_all[i].Magazine);
                    _all.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>Gives back what idle threads hold: those that neither refilled nor drained since the last call.</summary>
    internal void DrainIdle()
    {
        DrainDead();
        lock (_gate)
        {
            foreach ((_, PageMagazine magazine) in _all)
            {
                if (!magazine.Touched)
                {
                    Drain(magazine);
                }

                magazine.Touched = false;
            }
        }
    }

    /// <summary>Gives back what every thread holds.</summary>
    internal void DrainAll()
    {
        DrainDead();
        lock (_gate)
        {
            foreach ((_, PageMagazine magazine) in _all)
            {
                Drain(magazine);
            }
        }
    }

    /// <summary>Empties all magazines and keeps their threads out, or lets them in again.</summary>
    internal void SetSuspended(bool suspended)
    {
        Span<nint> pages = stackalloc nint[MagazineBlock.Capacity];
        lock (_gate)
        {
            _suspended = suspended;
            foreach ((_, PageMagazine magazine) in _all)
            {
                if (suspended)
                {
                    Give(pages[..magazine.Block->Suspend(pages)]);
                }
                else
                {
                    magazine.Block->Resume();
                }
            }
        }
    }

    /// <summary>Ends all magazines for good; they are suspended.</summary>
    internal void Close()
    {
        lock (_gate)
        {
            _all.ForEach(static entry => entry.Magazine.Block->Close());
            _all.Clear();
        }
    }

    /// <summary>No thread may be allocating or freeing.</summary>
    internal void Verify()
    {
        lock (_gate)
        {
            foreach ((_, PageMagazine magazine) in _all)
            {
                magazine.Block->Verify();
            }
        }
    }

    private void Drain(PageMagazine magazine)
    {
        Span<nint> pages = stackalloc nint[MagazineBlock.Capacity];
        Give(pages[..magazine.Block->Revoke(pages)]);
    }

    private void Give(ReadOnlySpan<nint> pages)
    {
        foreach (nint page in pages)
        {
            ((PageDescriptor*)page)->State = PageState.Moving;
        }

        allocator.GiveToZone(pages);
    }
}
