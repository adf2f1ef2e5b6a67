using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>What became of one page that was to be moved.</summary>
internal enum MoveOutcome
{
    /// <summary>Its data is in the destination; the source is frozen and the caller's.</summary>
    Moved,

    /// <summary>Somebody has it pinned.</summary>
    Pinned,

    /// <summary>Nobody has it pinned, and yet somebody holds a reference.</summary>
    Referenced,

    /// <summary>It is not in the table, or on its way in or out, or another thread is moving it. Look again.</summary>
    InTransit,
}

/// <content>Moving data: freeze with the expected count, copy, redirect, unfreeze (the kernel's <c>migrate_folio</c>).</content>
internal static unsafe partial class MovableTable
{
    /// <summary>Moves the data of a page, unless somebody holds it.</summary>
    /// <param name="source">A head of order 0. On success it is left frozen, out of the table, for the caller to take or free.</param>
    /// <param name="destination">A page in use with count 1, the caller's. On success the table owns that reference.</param>
    /// <param name="wanters">0, or <see cref="MovableWord.OneWanter"/> where the caller is one of the entry's wanters: success ends that.</param>
    /// <param name="expected">The page that it must still be, where the caller has no other hold on the frame; 0 for whatever is there.</param>
    internal static MoveOutcome TryMigrate(PageDescriptor* source, PageDescriptor* destination, ulong wanters, ulong expected = 0)
    {
        uint index = (uint)Atomic.LoadAcquire(ref source->Mapping);
        MovableEntry* entry = Find(index);
        if (entry == null)
        {
            return MoveOutcome.InTransit;
        }

        ulong seen = Atomic.LoadAcquire(ref entry->Word);
        while (true)
        {
            if (!MovableWord.IsLive(seen) || (seen & MovableWord.Migrating) != 0)
            {
                return MoveOutcome.InTransit;
            }

            if (MovableWord.Pins(seen) != 0)
            {
                // Another page's pins, where the frame has a new one: their end is no news to who waits for the page that was expected.
                return expected != 0 && Atomic.LoadAcquire(ref entry->Identity) != expected ? MoveOutcome.InTransit : MoveOutcome.Pinned;
            }

            // Happens before: full fence. From here on one migrator works on the page, no pin begins, and the entry is not freed.
            ulong was = Atomic.CompareExchange(ref entry->Word, seen | MovableWord.Migrating, seen);
            if (was == seen)
            {
                break;
            }

            seen = was;
        }

        // The mapping was read without a right to it: the entry may be another page's by now.
        ulong identity = entry->Identity;
        bool isOther = expected != 0 && identity != expected;
        if (isOther || identity != source->Identity || !PageRef.Freeze(source, 1, origin: 0))
        {
            EndMigration(entry, index, 0);
            return isOther || identity != Atomic.LoadAcquire(ref source->Identity) ? MoveOutcome.InTransit : MoveOutcome.Referenced;
        }

        Atomic.Point();
        PageCopy.Copy(destination->Address, source->Address);
        Atomic.Point();
        destination->Mapping = (int)index;
        destination->Flags |= PageFlags.Movable;
        if (entry->Ticket != 0)
        {
            Ledger.Retarget(entry->Ticket, destination->Identity);
        }

        entry->Identity = destination->Identity;
        source->Mapping = 0;
        source->Flags &= ~PageFlags.Movable;
        EndMigration(entry, index, wanters);
        return MoveOutcome.Moved;
    }

    /// <summary>Makes new pins on a page wait. False where the page is not in the table at this moment.</summary>
    internal static bool TryWant(PageDescriptor* page, out uint index, out uint generation)
    {
        index = (uint)Atomic.LoadAcquire(ref page->Mapping);
        generation = 0;
        MovableEntry* entry = Find(index);
        ulong seen = entry == null ? 0 : Atomic.LoadAcquire(ref entry->Word);
        while (MovableWord.IsLive(seen) && Atomic.LoadAcquire(ref entry->Identity) == page->Identity)
        {
            if ((seen & MovableWord.WanterMask) == MovableWord.WanterMask)
            {
                return false;
            }

            // Happens before: full fence. Who ends the last pin after this sees the wanter in its own result; who ended it before
            // has left a word without pins, and this exchange fails or the caller's next look shows it.
            ulong was = Atomic.CompareExchange(ref entry->Word, seen + MovableWord.OneWanter, seen);
            if (was == seen)
            {
                generation = MovableWord.Generation(seen);
                return true;
            }

            seen = was;
        }

        return false;
    }

    /// <summary>Makes new pins wait on an entry of which the caller has the handle, wherever its data is. False where it was freed, or has as many wanters as it can count.</summary>
    internal static bool TryWant(uint index, uint generation)
    {
        MovableEntry* entry = Find(index);
        ulong seen = entry == null ? 0 : Atomic.LoadAcquire(ref entry->Word);
        while (MovableWord.IsLive(seen) && MovableWord.Generation(seen) == generation && (seen & MovableWord.WanterMask) != MovableWord.WanterMask)
        {
            // Happens before: full fence, as in the other.
            ulong was = Atomic.CompareExchange(ref entry->Word, seen + MovableWord.OneWanter, seen);
            if (was == seen)
            {
                return true;
            }

            seen = was;
        }

        return false;
    }

    /// <summary>Takes a want back; the last one to do so lets the pins go on that wait.</summary>
    internal static void EndWant(uint index, uint generation)
    {
        MovableEntry* entry = s_base + index;
        ulong seen = Atomic.LoadAcquire(ref entry->Word);

        // A freed entry has no wanters: they ended with it.
        while (MovableWord.Generation(seen) == generation)
        {
            ulong next = seen - MovableWord.OneWanter;
            bool wakes = (next & (MovableWord.WanterMask | MovableWord.Migrating)) == 0 && (next & MovableWord.Sleepers) != 0;
            next &= wakes ? ~MovableWord.Sleepers : ulong.MaxValue;

            // Happens before: full fence; who sleeps is known from the operation's own result.
            ulong was = Atomic.CompareExchange(ref entry->Word, next, seen);
            if (was == seen)
            {
                if (wakes)
                {
                    Sleepers(index).Signal();
                }

                return;
            }

            seen = was;
        }
    }

    /// <summary>The page that has an entry's data now; true while the entry is in use.</summary>
    internal static bool TryLocate(uint index, uint generation, out ulong identity)
    {
        MovableEntry* entry = Find(index);
        identity = entry == null ? 0 : Atomic.LoadAcquire(ref entry->Identity);
        return entry != null && MovableWord.Generation(Atomic.LoadAcquire(ref entry->Word)) == generation && (generation & 1) != 0;
    }

    /// <summary>The pins of a page as its entry counts them; 0 for a page that is not in the table.</summary>
    internal static int PinsOn(PageDescriptor* page)
    {
        MovableEntry* entry = Find((uint)Atomic.LoadAcquire(ref page->Mapping));
        return entry != null && MovableWord.IsLive(Atomic.LoadAcquire(ref entry->Word)) && entry->Identity == page->Identity
            ? (int)MovableWord.Pins(Atomic.LoadAcquire(ref entry->Word))
            : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void EndMigration(MovableEntry* entry, uint index, ulong wanters)
    {
        ulong seen = Atomic.LoadAcquire(ref entry->Word);
        while (true)
        {
            // Happens before: full fence. A pin that sees the bit gone sees where the data is now, and the data.
            ulong was = Atomic.CompareExchange(ref entry->Word, (seen & ~(MovableWord.Migrating | MovableWord.Sleepers)) - wanters, seen);
            if (was == seen)
            {
                break;
            }

            seen = was;
        }

        if ((seen & MovableWord.Sleepers) != 0)
        {
            Sleepers(index).Signal();
        }
    }
}
