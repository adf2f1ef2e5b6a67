using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The process's movable data: one entry for each <see cref="MovablePage"/>. The table owns one reference of each page, and it alone knows
/// where the bytes are; so they can be moved while nobody has them pinned.
/// </summary>
/// <remarks>
/// A pin counts twice, in the entry's word and in the page's count: the count then equals the references that exist, and a freeze with
/// the expected count fails while any is left. The order is fixed: a pin is counted in the word first and in the page second, and taken off the page
/// first and off the word last; so a word without pins means a page whose count has none.
/// <para>
/// Never is anybody woken, called or blamed while a gate is held. All members may be called on any thread.
/// </para>
/// </remarks>
internal static unsafe partial class MovableTable
{
    /// <summary>256 GiB of movable pages.</summary>
    private const uint Capacity = 1u << 26;

    private static readonly NativeMap<MovableEntry> s_entries = Reserve();
    private static readonly MovableEntry* s_base = s_entries.Base;
    private static SpinGate s_gate;
    private static uint s_free;

    /// <summary>The first entry never used yet. Entry 0 stays unused: 0 means none, and a default handle names it.</summary>
    private static uint s_next = 1;

    /// <summary>An entry by a number from a descriptor or a handle; null for a number that was never given out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static MovableEntry* Find(uint index) => index != 0 && index < Volatile.Read(ref s_next) ? s_base + index : null;

    /// <summary>An entry by a number that is known to be good.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static MovableEntry* At(uint index) => s_base + index;

    /// <summary>Puts a fresh page with count 1 into the table, which owns that reference from here on. False where the table is full or the system has no memory for it.</summary>
    internal static bool TryAdd(PageDescriptor* page, out MovablePage handle, uint origin)
    {
        uint index = TakeEntry();
        handle = default;
        if (index == 0)
        {
            return false;
        }

        MovableEntry* entry = s_base + index;
        entry->Identity = page->Identity;
        entry->AllocatedAt = Origin.SiteNumber(origin);
        entry->Ticket = Tracking.Active ? Ledger.Take(page->Identity, 1, PageMap.FrameSize, HolderKind.Movable, origin) : 0;
        PageRefEvents.PinsOf = &PinsOn;
        page->Flags |= PageFlags.Movable;
        page->Mapping = (int)index;
        uint generation = MovableWord.Generation(entry->Word) + 1;

        // Happens before: release. A migration that finds the entry by the page's mapping sees it dead, or complete.
        Atomic.StoreRelease(ref entry->Word, (ulong)generation << MovableWord.GenerationShift);
        handle = new MovablePage(index, generation);
        return true;
    }

    /// <summary>Ends an entry, and drops the table's reference to its page.</summary>
    internal static void Remove(uint index, uint generation, string file, int line, string member)
    {
        MovableEntry* entry = Find(index);
        ulong seen = entry == null ? 0 : Atomic.LoadAcquire(ref entry->Word);
        while (true)
        {
            if (entry == null || MovableWord.Generation(seen) != generation || !MovableWord.IsLive(seen))
            {
                throw MovableBug.Stale(index, generation, "Free", file, line, member);
            }

            if (MovableWord.Pins(seen) != 0)
            {
                throw MovableBug.FreeOfPinned(entry, MovableWord.Pins(seen), file, line, member);
            }

            if ((seen & MovableWord.Migrating) != 0)
            {
                seen = AwaitMigration(entry, generation);
                continue;
            }

            // Happens before: full fence. From here on the entry is this thread's: no pin, no migration and no second free gets past the word.
            ulong was = Atomic.CompareExchange(ref entry->Word, (ulong)(generation + 1) << MovableWord.GenerationShift, seen);
            if (was == seen)
            {
                break;
            }

            seen = was;
        }

        ulong identity = entry->Identity;
        uint ticket = entry->Ticket;
        entry->FreedAt = CallSiteTable.NumberOf(file, line, member);
        uint origin = ticket != 0 || Tracking.Counting ? Origin.Here(file, line, member) : 0;
        if (ticket != 0)
        {
            Ledger.Release(ticket, identity, 1, origin);
        }

        PageDescriptor* page = PageMap.DescriptorOf(identity);
        page->Mapping = 0;
        GiveEntry(index, generation + 1);
        if (PageRef.SubAndTest(page, 1, "Free", origin, ticket) == 0)
        {
            Ledger.MarkFreed(ticket);
            PageOwners.Allocators.Find(page->Owner)!.Release(page, PageTemperature.Hot, origin);
        }

        if ((seen & MovableWord.Blocked) != 0)
        {
            Sleepers(index).Signal();
            Migrators.Signal();
        }
    }

    /// <summary>The equations of the entries whose pages are one allocator's. No thread may be using its movable pages.</summary>
    internal static void Verify(ushort owner)
    {
        for (uint index = 1; index < Volatile.Read(ref s_next); index++)
        {
            MovableEntry* entry = s_base + index;
            ulong word = Atomic.LoadAcquire(ref entry->Word);
            ulong identity = Atomic.LoadAcquire(ref entry->Identity);
            PageDescriptor* page = PageMap.DescriptorOf(identity);

            // Others' entries come and go meanwhile: where the word stood still, the identity read is its page's.
            if (!MovableWord.IsLive(word) || Atomic.LoadAcquire(ref entry->Word) != word || page->Owner != owner)
            {
                continue;
            }

            Invariant.Holds(page->Identity == identity, "movable entry {0} names a page that is gone", index);
            Invariant.Holds(page->State == PageState.InUse && page->Order == 0, "movable entry {0} names a page that is not in use", index);
            Invariant.Holds(page->Mapping == (int)index && (page->Flags & PageFlags.Movable) != 0, "the page of movable entry {0} does not lead back to it", index);
            Invariant.Holds((word & MovableWord.Blocked) == 0, "movable entry {0} is marked for a migration that nobody does", index);
            Invariant.Holds(PageRef.Count(page) >= 1 + (int)MovableWord.Pins(word), "the page of movable entry {0} counts fewer references than the table and the pins have", index);
        }
    }

    private static uint TakeEntry()
    {
        s_gate.Enter();
        uint index = s_free;
        if (index != 0)
        {
            s_free = (s_base + index)->NextFree;
        }
        else if (s_next < Capacity && s_entries.TryEnsure(s_next, 1, out _))
        {
            index = s_next;
            Volatile.Write(ref s_next, index + 1);
        }

        s_gate.Exit();
        return index;
    }

    private static void GiveEntry(uint index, uint generation)
    {
        s_gate.Enter();
        if (generation < MovableWord.RetireAt)
        {
            (s_base + index)->NextFree = s_free;
            s_free = index;
        }

        s_gate.Exit();
    }

    private static NativeMap<MovableEntry> Reserve() => new(Capacity);
}
