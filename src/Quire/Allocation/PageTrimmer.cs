namespace Quire;

/// <summary>
/// Gives idle memory of one allocator back to the system: by itself at intervals, at once under memory pressure, and on demand.
/// </summary>
/// <remarks>
/// <para>
/// Idle is what was free during one whole interval (<see cref="BuddyZone.LeastFree"/>), so a burst's memory goes back within two
/// intervals and a steady load's never does. Blocks are taken off their list before their memory goes and put at
/// its back afterwards, so committed memory is used first. The gate is never held across a system call.
/// </para>
/// <para>
/// Invariant: a frame with <see cref="PageFlags.Decommitted"/> is free or on its way between lists; <see cref="DecommittedFrames"/> counts
/// them. Locking this object keeps a batch from being off the lists.
/// </para>
/// </remarks>
internal sealed unsafe class PageTrimmer : IDisposable
{
    private const int Batch = 32;

    /// <summary>Blocks passed over where less is idle than one of them: behind them may be one of which most is gone.</summary>
    private const int MostPassedOver = 4;

    private readonly PageAllocator _allocator;
    private readonly Timer? _timer;
    private long _decommitted;
    private long _committedAgain;
    private long _decommittedEver;

    internal PageTrimmer(PageAllocator allocator)
    {
        _allocator = allocator;
        TimeSpan interval = allocator.Options.TrimInterval;
        if (interval != Timeout.InfiniteTimeSpan)
        {
            _timer = new Timer(static state => ((PageTrimmer)state!).Tick(), this, interval, interval);
        }
    }

    /// <summary>Held while a tick of the timer is at work; holding it keeps ticks away. Taken before this object's own lock and the zone's gate. Listeners are told after it.</summary>
    internal Lock Ticking { get; } = new();

    /// <summary>What went wrong at the last tick that went wrong; null where none did.</summary>
    internal Exception? LastFault { get; set; }

    internal long DecommittedFrames => Volatile.Read(ref _decommitted);

    /// <summary>Frames given back and committed again since the beginning, each as often as it happened.</summary>
    internal long CommittedAgainFrames => Volatile.Read(ref _committedAgain);

    /// <summary>Frames given back to the system since the beginning, each as often as it happened.</summary>
    internal long DecommittedEverFrames => Volatile.Read(ref _decommittedEver);

    public void Dispose() => _timer?.Dispose();

    /// <summary>Gives back everything that is free; returns bytes. Called with no lock held: listeners are told.</summary>
    internal long Trim() => Told(GiveBackAll(), "asked");

    /// <summary>Gives back what was idle during the interval that ends here; returns bytes.</summary>
    internal long TrimIdle() => Told(GiveBackIdle(), "idle");

    private long GiveBackAll()
    {
        _allocator.Reclaim();
        return Decommit(long.MaxValue);
    }

    private long GiveBackIdle()
    {
        _allocator.DrainIdle();
        BuddyZone zone = _allocator.Zone;
        zone.Gate.Enter();
        long idle = zone.RestartLeastFree();
        zone.Gate.Exit();
        long keep = _allocator.Options.KeepBytes / PageMap.FrameSize;
        return Decommit(idle - DecommittedFrames - keep);
    }

    private long GiveBackAtTick(bool isPressureHigh)
    {
        // Somebody verifies, or the last tick is still at work: another one comes.
        if (!Ticking.TryEnter())
        {
            return 0;
        }

        try
        {
            return isPressureHigh ? GiveBackAll() : GiveBackIdle();
        }
        finally
        {
            Ticking.Exit();
        }
    }

    private long Told(long bytes, string reason)
    {
        if (bytes > 0)
        {
            TracingNotices.MemoryTrimmed(_allocator.Name, bytes, reason);
        }

        return bytes;
    }

    /// <summary>Commits the frames of a block again that were given back. False where the system refuses.</summary>
    internal bool TryCommit(PageDescriptor* head, int order)
    {
        long given = 0;
        for (uint i = 0; i < 1u << order; i++)
        {
            given += (head[i].Flags & PageFlags.Decommitted) != 0 ? 1 : 0;
        }

        if (given == 0)
        {
            return true;
        }

        if (!_allocator.Sections.TryCommit(head, order))
        {
            return false;
        }

        for (uint i = 0; i < 1u << order; i++)
        {
            head[i].Flags &= ~PageFlags.Decommitted;
        }

        Atomic.Add(ref _decommitted, -given);
        Atomic.Add(ref _committedAgain, given);
        return true;
    }

    /// <summary>Frames that go offline are no longer counted.</summary>
    internal void Forget(long frames) => Atomic.Add(ref _decommitted, -frames);

    private void Tick()
    {
        if (_allocator.IsDisposed)
        {
            return;
        }

        try
        {
            bool isHigh = _allocator.Options.Pressure.IsHigh();
            Told(GiveBackAtTick(isHigh), isHigh ? "pressure" : "idle");
        }
        catch (Exception fault)
        {
            // A region provider of the user's may throw. On the timer's thread that would end the process, and nobody here has asked for anything.
            LastFault = fault;
        }
    }

    private long Decommit(long frames)
    {
        long before = frames;
        int smallest = _allocator.Options.HugePages ? BuddyZone.BlockOrder : 0;
        for (int order = Page.MaxOrder; order >= smallest && frames > 0; order--)
        {
            for (MigrateType type = MigrateType.Unmovable; type < MigrateType.Isolated && frames > 0; type++)
            {
                frames -= DecommitList(order, type, frames);
            }
        }

        return (before - frames) * PageMap.FrameSize;
    }

    private long DecommitList(int order, MigrateType type, long most)
    {
        Span<uint> batch = stackalloc uint[Batch];
        long done = 0;
        int taken;
        long given;
        do
        {
            lock (this)
            {
                // A trim may come late: what the lists of a disposed allocator name is another's by now.
                if (_allocator.IsDisposed)
                {
                    return done;
                }

                taken = Detach(batch, order, type, most - done);
                try
                {
                    given = DecommitBlocks(batch[..taken], order);
                }
                finally
                {
                    GiveBack(batch[..taken], order);
                }

                done += given;
            }
        }
        while (taken == Batch && given != 0); // A batch of which the system takes nothing would come round for ever.
        return done;
    }

    private long DecommitBlocks(ReadOnlySpan<uint> blocks, int order)
    {
        long given = 0;
        foreach (uint frame in blocks)
        {
            given += DecommitBlock(frame, order);
        }

        return given;
    }

    private void GiveBack(ReadOnlySpan<uint> blocks, int order)
    {
        _allocator.Zone.Gate.Enter();
        foreach (uint frame in blocks)
        {
            _allocator.Zone.Reattach(frame, order);
        }

        _allocator.Zone.Gate.Exit();
    }

    /// <summary>Takes blocks off a list that have at most so many frames still to give back, all together.</summary>
    private int Detach(Span<uint> batch, int order, MigrateType type, long most)
    {
        BuddyZone zone = _allocator.Zone;
        int taken = 0;
        int passedOver = 0;
        zone.Gate.Enter();
        for (uint frame = zone.Lists.First(order, type); frame != 0 && taken < batch.Length && most > 0 && passedOver < MostPassedOver;)
        {
            uint next = PageMap.Descriptor(frame)->Next;
            long committed = CountCommitted(frame, order, most);
            if (committed > most || (committed == 0 && most < 1L << order))
            {
                passedOver++;
            }
            else if (committed != 0)
            {
                zone.Detach(frame);
                batch[taken++] = frame;
                most -= committed;
            }

            frame = next;
        }

        zone.Gate.Exit();
        return taken;
    }

    private long DecommitBlock(uint frame, int order)
    {
        PageDescriptor* head = PageMap.Descriptor(frame);
        if (!_allocator.Sections.TryDecommit(head, order))
        {
            return 0;
        }

        long given = 0;
        for (uint i = 0; i < 1u << order; i++)
        {
            given += (head[i].Flags & PageFlags.Decommitted) == 0 ? 1 : 0;
            head[i].Flags |= PageFlags.Decommitted;
        }

        Atomic.Add(ref _decommitted, given);
        Atomic.Add(ref _decommittedEver, given);
        return given;
    }

    /// <summary>Frames of a block that are still committed. Where there is room for all of it, one of them stands for the block: its descriptors are looked at under the gate.</summary>
    private static long CountCommitted(uint frame, int order, long most)
    {
        PageDescriptor* head = PageMap.Descriptor(frame);
        long size = 1L << order;
        long committed = 0;
        for (long i = 0; i < size && committed <= most; i++)
        {
            if ((head[i].Flags & PageFlags.Decommitted) == 0)
            {
                if (most >= size)
                {
                    return size;
                }

                committed++;
            }
        }

        return committed;
    }
}
