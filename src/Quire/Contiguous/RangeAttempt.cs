using System.Buffers;

namespace Quire;

/// <summary>
/// One try at one range: isolate its page blocks, drain the per-core lists, take what is free, move what is in use, and take that too; or
/// undo all of it (the kernel's <c>alloc_contig_range</c>).
/// </summary>
/// <remarks>
/// The range is claimed in the area's map, so no other attempt works on its frames; a page block at its ends may be isolated by several at
/// once, each for its own frames, and is lent again when the last is done.
/// <para>
/// Equation: every frame of the range is either <see cref="PageState.Contiguous"/>, and this attempt's, or in <c>_left</c>. A frame whose data moves away never
/// goes back to a list in between: nobody else can get it.
/// </para>
/// <para>
/// Any phase may end with an exception (the waiting thread is interrupted, the allocator disposed, a reclaimer fails): <see cref="Undo"/> puts right whatever had been
/// done by then, and itself neither waits nor allocates.
/// </para>
/// </remarks>
internal sealed unsafe class RangeAttempt(ContiguousArea area, uint first, int pages)
{
    /// <summary>A frame that could not be taken yet, and the entry whose pins are being waited for, if any.</summary>
    private struct Left
    {
        internal uint Frame;
        internal uint Entry;
        internal uint Generation;
    }

    private readonly PageAllocator _allocator = area.Allocator;
    private readonly uint _end = first + (uint)pages;
    private Left[] _left = [];
    private int _leftCount;
    private uint _destinations;

    /// <summary>The page blocks before this frame are isolated for this attempt.</summary>
    private uint _isolatedEnd;

    internal uint First => first;

    internal int Pages => pages;

    /// <summary>Frames that are not this attempt's yet.</summary>
    internal int LeftCount => _leftCount;

    /// <summary>Pages whose data was moved away so far.</summary>
    internal int Migrated { get; private set; }

    /// <summary>Set where a frame turned out to be out of use for good.</summary>
    internal bool HasUnusable { get; private set; }

    /// <summary>Set where a signal will come once the pins that are in the way have ended; otherwise something is left that must be looked at again.</summary>
    internal bool IsOnlyPinned { get; private set; }

    /// <summary>Set where a page is on its way between two lists or tables: nobody holds it, and it will be one thing or the other in a moment.</summary>
    internal bool HasTransit { get; private set; }

    internal IEnumerable<uint> LeftFrames => _left.Take(_leftCount).Select(static left => left.Frame);

    /// <summary>Phases 1 and 2: from here on nothing in the range is allocated to others.</summary>
    internal void Isolate()
    {
        int taken = 0;
        for (uint block = FirstBlock; block < _end; block += BuddyZone.BlockFrames)
        {
            (uint start, uint stop) = PartOf(block);
            _allocator.Zone.Gate.Enter();
            area.Isolate(block, isWhole: stop - start == BuddyZone.BlockFrames);
            _isolatedEnd = block + BuddyZone.BlockFrames;
            taken += _allocator.Zone.TakeFree(start, stop);
            _allocator.Zone.Gate.Exit();
        }

        // After the marks: what was pushed before them is drained, and who pushes later sees them.
        _allocator.DrainPerCore();
        _left = ArrayPool<Left>.Shared.Rent(Math.Max(1, pages - taken));
        for (uint frame = first; frame < _end; frame++)
        {
            if (PageMap.Descriptor(frame)->State != PageState.Contiguous)
            {
                _left[_leftCount++] = new Left { Frame = frame };
            }
        }
    }

    /// <summary>Phase 3: a place for every page before the first one moves.</summary>
    internal bool TryReserveDestinations(out AllocationFailure failure)
    {
        failure = AllocationFailure.None;
        if (_leftCount != 0 && _allocator.TakeDestinations(_leftCount, out _destinations, out failure) < _leftCount)
        {
            // Some of what is left may be free by now (just drained), and needs none.
            TakeFreed();
            FreeDestinations();
            return _allocator.TakeDestinations(_leftCount, out _destinations, out failure) >= _leftCount;
        }

        return true;
    }

    /// <summary>Phase 4, as often as needed: moves and takes whatever can be. Pages that are held are marked, so that new pins on them wait.</summary>
    internal void Settle()
    {
        int kept = 0;
        bool freed = false;
        IsOnlyPinned = true;
        HasTransit = false;
        for (int i = 0; i < _leftCount; i++)
        {
            PageDescriptor* page = PageMap.Descriptor(_left[i].Frame);
            switch (page->State)
            {
                case PageState.InUse:
                    if (TryMove(page, ref _left[i]))
                    {
                        continue;
                    }

                    break;
                case PageState.Buddy or PageState.Inner:
                    freed = true;
                    break;
                case PageState.Retired or PageState.Bad:
                    HasUnusable = true;
                    IsOnlyPinned = false;
                    break;
                default:
                    Transit();
                    break;
            }

            Keep(i, ref kept);
        }

        _leftCount = kept;
        if (freed)
        {
            TakeFreed();
        }
    }

    /// <summary>Phase 5: the range is the caller's. False, with everything as before the phase, where the system does not commit its memory.</summary>
    internal bool TryComplete()
    {
        if (!_allocator.TryCommitRange(first, _end))
        {
            return false;
        }

        for (uint block = FirstBlock; block < _isolatedEnd; block += BuddyZone.BlockFrames)
        {
            (uint start, uint stop) = PartOf(block);
            _allocator.Zone.Gate.Enter();
            area.EndIsolation(block, isTaken: stop - start == BuddyZone.BlockFrames);
            _allocator.Zone.Gate.Exit();
        }

        _isolatedEnd = 0;
        End();
        return true;
    }

    /// <summary>Phase 6: what was taken is free again, and the blocks are lent as before.</summary>
    internal void Undo()
    {
        for (uint block = FirstBlock; block < _isolatedEnd; block += BuddyZone.BlockFrames)
        {
            (uint start, uint stop) = PartOf(block);
            _allocator.Zone.Gate.Enter();
            for (uint frame = start; frame < stop;)
            {
                uint run = frame;
                while (run < stop && PageMap.Descriptor(run)->State == PageState.Contiguous)
                {
                    run++;
                }

                _allocator.Zone.GiveRange(frame, run);
                frame = run + 1;
            }

            area.EndIsolation(block, isTaken: false);
            _allocator.Zone.Gate.Exit();
        }

        _isolatedEnd = 0;
        End();
    }

    /// <summary>The last phase of removal: the memory goes offline, so neither blocks nor lists are put right.</summary>
    internal void Abandon() => End();

    /// <summary>Forgets frames that are out of use for good: where the whole area goes, they do not matter.</summary>
    internal void DisregardUnusable()
    {
        int kept = 0;
        for (int i = 0; i < _leftCount; i++)
        {
            if (PageMap.Descriptor(_left[i].Frame)->State is not (PageState.Retired or PageState.Bad))
            {
                Keep(i, ref kept);
            }
        }

        _leftCount = kept;
    }

    private bool TryMove(PageDescriptor* page, ref Left left)
    {
        // Read before the move: after it the destination is its owner's, who may free it at once, and its links are a list's.
        uint next = PageMap.Descriptor(_destinations)->Next;
        while (true)
        {
            MoveOutcome outcome = MovableTable.TryMigrate(page, PageMap.Descriptor(_destinations), left.Entry == 0 ? 0 : MovableWord.OneWanter);
            if (outcome == MoveOutcome.Moved)
            {
                _destinations = next;
                left.Entry = 0;
                Migrated++;
                if (Take(page))
                {
                    return true;
                }

                HasUnusable = true;
                return false;
            }

            if (outcome == MoveOutcome.InTransit)
            {
                Transit();
                EndWant(ref left);
                return false;
            }

            IsOnlyPinned &= outcome == MoveOutcome.Pinned;
            if (left.Entry != 0)
            {
                return false;
            }

            if (!MovableTable.TryWant(page, out uint entry, out uint generation))
            {
                // Signals come to wanters only. The pins seen were most likely on the data's next place: somebody else has just moved it.
                IsOnlyPinned = false;
                return false;
            }

            // New pins wait from here on. Look once more: the last pin may have ended before it could know that somebody waits.
            (left.Entry, left.Generation) = (entry, generation);
        }
    }

    /// <summary>Takes a frame whose data has moved away: frozen until now, and on no list.</summary>
    private bool Take(PageDescriptor* page)
    {
        try
        {
            RawReferences.Clear(page);
        }
        finally
        {
            // Whatever the ledger may throw: nobody else would ever take the frame.
            if ((page->Flags & PageFlags.ZeroOnFree) != 0)
            {
                PagePreparation.Zero(page);
            }

            if (PagePreparation.TryEndGeneration(page))
            {
                page->State = PageState.Contiguous;
            }
            else
            {
                _allocator.RetireFrame(page);
            }

            PageRef.Unfreeze(page, 0, origin: 0);
        }

        return page->State == PageState.Contiguous;
    }

    private void TakeFreed()
    {
        int kept = 0;
        for (int i = 0; i < _leftCount; i++)
        {
            uint frame = _left[i].Frame;
            PageDescriptor* page = PageMap.Descriptor(frame);
            if (page->State is PageState.Buddy or PageState.Inner)
            {
                EndWant(ref _left[i]);
                _allocator.Zone.Gate.Enter();
                _allocator.Zone.TakeFree(frame, frame + 1);
                _allocator.Zone.Gate.Exit();
            }

            if (page->State != PageState.Contiguous)
            {
                if (page->State != PageState.InUse)
                {
                    // A block that the trimmer has in its hands looks free and is on no list.
                    Transit();
                }

                Keep(i, ref kept);
            }
        }

        _leftCount = kept;
    }

    /// <summary>Moves a frame that stays left to the front. At every moment each want is in one place only, so that an undo half-way ends it once.</summary>
    private void Keep(int i, ref int kept)
    {
        Left left = _left[i];
        _left[i].Entry = 0;
        _left[kept++] = left;
    }

    private void Transit()
    {
        IsOnlyPinned = false;
        HasTransit = true;
    }

    private static void EndWant(ref Left left)
    {
        uint entry = left.Entry;
        if (entry != 0)
        {
            left.Entry = 0;
            MovableTable.EndWant(entry, left.Generation);
        }
    }

    private void End()
    {
        for (int i = 0; i < _leftCount; i++)
        {
            EndWant(ref _left[i]);
        }

        FreeDestinations();
        _leftCount = 0;
        if (_left.Length != 0)
        {
            ArrayPool<Left>.Shared.Return(_left);
            _left = [];
        }
    }

    private void FreeDestinations()
    {
        uint destinations = _destinations;
        _destinations = 0;
        _allocator.FreeDestinations(destinations);
    }

    private uint FirstBlock => first & ~(BuddyZone.BlockFrames - 1u);

    private (uint Start, uint Stop) PartOf(uint block) => (Math.Max(first, block), Math.Min(_end, block + BuddyZone.BlockFrames));
}
