using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Pins: taking, ending, and waiting for a migration that is in the way.</content>
internal static unsafe partial class MovableTable
{
    /// <summary>
    /// How long a new pin waits for a migration that waits for other pins on the page. A thread that holds a pin itself waits for a moment only, since the
    /// migration may be waiting for that very pin; then it is let through. So pins that keep the rule neither starve a migration nor lock each other out.
    /// </summary>
    private static readonly TimeSpan s_graceOfHolders = TimeSpan.FromMilliseconds(5);

    private const int SleeperQueues = 64;
    private const int SpinsForMigration = 20;

    private static readonly WaitPoint[] s_sleepers = [.. Enumerable.Range(0, SleeperQueues).Select(static _ => new WaitPoint())];

    /// <summary>Where those sleep that want to move pages, until the last pin of one of them ends.</summary>
    internal static WaitPoint Migrators { get; } = new();

    /// <summary>Takes a pin.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    internal static PagePin Pin(uint index, uint generation, HolderKind kind, string file, int line, string member)
    {
        MovableEntry* entry = Find(index);
        if (entry == null)
        {
            throw MovableBug.Stale(index, generation, "Pin", file, line, member);
        }

        ulong seen = Atomic.LoadAcquire(ref entry->Word);
        while (true)
        {
            if (MovableWord.Generation(seen) != generation || !MovableWord.IsLive(seen))
            {
                throw MovableBug.Stale(index, generation, "Pin", file, line, member);
            }

            // One comparison refuses migrating, wanted, waited for, and a full count.
            if ((seen & uint.MaxValue) >= MovableWord.PinMask)
            {
                AwaitTurn(entry, generation, file, line, member);
                break;
            }

            // Happens before: full fence. No migration begins from here on, and what the last one wrote is visible.
            ulong was = Atomic.CompareExchange(ref entry->Word, seen + MovableWord.OnePin, seen);
            if (was == seen)
            {
                break;
            }

            seen = was;
        }

        return Pinned(entry, index, generation, kind, file, line, member);
    }

    /// <summary>Ends a pin.</summary>
    /// <exception cref="PageBugException">It ended before. Nothing was changed.</exception>
    internal static void Unpin(in PagePin pin, string file, int line, string member)
    {
        PageDescriptor* page = PageMap.DescriptorOf(pin.Identity);
        MovableEntry* entry = Find(pin.Index);
        if (entry == null || pin.Thread is null)
        {
            throw MovableBug.NotAPin();
        }

        uint origin = pin.Ticket != 0 || Tracking.Counting ? Origin.Here(file, line, member) : 0;
        if (pin.Ticket != 0)
        {
            // The ledger first: of two that end one pin exactly one gets past.
            LedgerRelease release = Ledger.Release(pin.Ticket, pin.Identity, 1, origin);
            if (release.Outcome != LedgerOutcome.Released)
            {
                throw MovableBug.PinEnded(pin.Identity, release, file, line, member);
            }
        }
        else if (Atomic.LoadAcquire(ref page->Identity) != pin.Identity || entry->Identity != pin.Identity || MovableWord.Pins(entry->Word) == 0)
        {
            throw PageBug.Stale(pin.Identity, "Unpin", file, line, member);
        }

        pin.Thread.Ended();

        // This pin has a part in the count, so it can't be at 1 unless somebody put what was not theirs.
        bool sound = page->Identity == pin.Identity && PageRef.Count(page) > 1;
        if (sound)
        {
            PageRef.SubNotLast(page, 1, "Unpin", origin, pin.Ticket);
        }

        // Happens before: full fence. All that was done under the pin comes before its end; after it nothing of the page or the entry is this thread's,
        // and what it needs to know it knows from the operation's own result.
        ulong after = Subtract(entry, MovableWord.OnePin);
        if ((after & MovableWord.WanterMask) != 0 && MovableWord.Pins(after) == 0)
        {
            Migrators.Signal();
        }

        if (!sound)
        {
            throw PageBug.Stale(pin.Identity, "Unpin (the page's references were put by somebody who did not own them)", file, line, member);
        }
    }

    /// <summary>True while the pin has not ended.</summary>
    internal static bool IsLive(in PagePin pin) => pin.Ticket != 0
        ? Ledger.IsLive(pin.Ticket, pin.Identity)
        : pin.Thread is not null && PageMap.DescriptorOf(pin.Identity)->Identity == pin.Identity;

    /// <summary>The second half of a pin: the word counts it already.</summary>
    private static PagePin Pinned(MovableEntry* entry, uint index, uint generation, HolderKind kind, string file, int line, string member)
    {
        ulong identity = entry->Identity;
        PageDescriptor* page = PageMap.DescriptorOf(identity);
        uint origin = Origin.Here(file, line, member);

        // The event of a pin that succeeds waits for its ticket.
        if (Atomic.LoadAcquire(ref page->Identity) != identity || !PageRef.AddUnless(page, 1, 0, out int count, origin, isTold: false))
        {
            ulong after = Subtract(entry, MovableWord.OnePin);
            if ((after & MovableWord.WanterMask) != 0 && MovableWord.Pins(after) == 0)
            {
                Migrators.Signal();
            }

            throw PageBug.Stale(identity, "Pin (the table's own reference was put by somebody who did not own it)", file, line, member);
        }

        uint ticket = Ledger.Take(identity, 1, PageMap.FrameSize, kind, origin);
        if (Tracking.Counting)
        {
            PageRefEvent pinned = PageRefEvents.Of(page, origin, ticket);
            PageRefEvents.ModUnless(ref pinned, 1, 0, count, done: true);
        }

        PinThread thread = PinThread.Current;
        thread.Taken();
        return new PagePin(identity, index, generation, ticket, thread);
    }

    /// <summary>Waits until no migration is in the way, or the grace is over, and counts the pin in the word.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AwaitTurn(MovableEntry* entry, uint generation, string file, int line, string member)
    {
        Deadline grace = Deadline.In(PinThread.Current.HoldsAny ? s_graceOfHolders : MovablePage.ShortPinBound);
        while (true)
        {
            ulong seen = Atomic.LoadAcquire(ref entry->Word);
            if (MovableWord.Generation(seen) != generation || !MovableWord.IsLive(seen))
            {
                throw MovableBug.Stale((uint)(entry - s_base), generation, "Pin", file, line, member);
            }

            if (MovableWord.Pins(seen) == MovableWord.PinMask)
            {
                throw new PageBugException($"Pin of movable page {entry - s_base}: it has {MovableWord.PinMask} pins already; somebody takes pins without end.");
            }

            if ((seen & MovableWord.Migrating) != 0)
            {
                AwaitMigration(entry, generation);
            }
            else if ((seen & MovableWord.WanterMask) == 0 || grace.IsOver)
            {
                // Happens before: full fence, as in Pin.
                if (Atomic.CompareExchange(ref entry->Word, seen + MovableWord.OnePin, seen) == seen)
                {
                    return;
                }
            }
            else
            {
                Sleep(entry, generation, MovableWord.WanterMask | MovableWord.Migrating, grace);
            }
        }
    }

    /// <summary>Waits until nobody migrates the page; returns the word. A migration of one page takes less than a microsecond, unless its thread lost its core.</summary>
    private static ulong AwaitMigration(MovableEntry* entry, uint generation)
    {
        SpinWait spin = default;
        for (int i = 0; i < SpinsForMigration; i++)
        {
            ulong seen = Atomic.LoadAcquire(ref entry->Word);
            if ((seen & MovableWord.Migrating) == 0 || MovableWord.Generation(seen) != generation)
            {
                return seen;
            }

            Atomic.SpinOnce(ref spin);
        }

        Sleep(entry, generation, MovableWord.Migrating, Deadline.Never);
        return Atomic.LoadAcquire(ref entry->Word);
    }

    /// <summary>Sleeps once if the word has any of the given bits; the caller looks again afterwards.</summary>
    private static void Sleep(MovableEntry* entry, uint generation, ulong reasons, Deadline until)
    {
        WaitPoint queue = Sleepers((uint)(entry - s_base));
        long version = queue.Version;
        while (true)
        {
            ulong seen = Atomic.LoadAcquire(ref entry->Word);
            if ((seen & reasons) == 0 || MovableWord.Generation(seen) != generation)
            {
                return;
            }

            // Happens before: full fence. The version was read before the bit was set; who ends the reason sees the bit in its own
            // operation's result and moves the version after, so the sleep below ends at once.
            if (Atomic.CompareExchange(ref entry->Word, seen | MovableWord.Sleepers, seen) == seen)
            {
                break;
            }
        }

        queue.Wait(version, until);
    }

    private static WaitPoint Sleepers(uint index) => s_sleepers[index % SleeperQueues];

    private static ulong Subtract(MovableEntry* entry, ulong amount)
    {
        ulong seen = Atomic.LoadAcquire(ref entry->Word);
        while (true)
        {
            // Happens before: full fence; see the caller.
            ulong was = Atomic.CompareExchange(ref entry->Word, seen - amount, seen);
            if (was == seen)
            {
                return seen - amount;
            }

            seen = was;
        }
    }
}
