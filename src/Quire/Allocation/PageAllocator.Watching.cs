namespace Quire;

/// <content>For those who watch over an application's memory: all allocators, limits reached, who holds what.</content>
public sealed unsafe partial class PageAllocator
{
    /// <summary>An allocation of this allocator got nothing because the limit is reached; free memory was looked for everywhere before.</summary>
    /// <remarks>
    /// Raised on the thread that asked, each time, with no lock held; that thread waits for the handlers, so they should only note it. What a
    /// handler throws is dropped: the one who asked has an answer to get. Costs nothing but where allocations fail.
    /// </remarks>
    public event EventHandler<PageLimitNotice>? LimitReached;

    /// <summary>All allocators of the process that are not disposed, <see cref="Shared"/> included once it was used; for diagnostics. Safe on any thread.</summary>
    public static IReadOnlyList<PageAllocator> All() => PageAllocators.Living();

    /// <summary>
    /// Who holds pages of this allocator, as a table: the recorded holders, and how many references there are that nobody recorded.
    /// </summary>
    /// <remarks>
    /// Pages come and go meanwhile: each record is true of one moment of the call, and a reference counts as untracked only if it was found without a record twice
    /// (one that a thread is in the midst of taking may be). Pages that a memory pool keeps on its shelf for the next rent, 3.75 MiB at most a pool, count as untracked until a trim takes them.
    /// Cost: two passes over the ledger and the descriptors, 64 bytes a frame that is online. Safe on any thread.
    /// </remarks>
    public HolderTable GetHolders()
    {
        Dictionary<ulong, int> first = Unrecorded(HeldPages(), HoldersOfMine());
        IReadOnlyList<Holder> holders = HoldersOfMine();
        Dictionary<ulong, int> second = Unrecorded(HeldPages(), holders);
        long references = 0;
        int pages = 0;
        foreach ((ulong identity, int missing) in second)
        {
            int untracked = Math.Min(missing, first.GetValueOrDefault(identity));
            references += untracked;
            pages += untracked > 0 ? 1 : 0;
        }

        return new HolderTable(holders, references, pages);
    }

    /// <summary>Tells who listens. To be called with no lock held.</summary>
    private void NotifyLimit(long requestedBytes)
    {
        TracingNotices.LimitReached(Name, LimitBytes, requestedBytes);
        try
        {
            LimitReached?.Invoke(this, new PageLimitNotice(requestedBytes, LimitBytes));
        }
#pragma warning disable CA1031 // Whatever a listener throws, it is not the caller's, who asked for a page.
        catch (Exception)
        {
            // A notice less.
        }
#pragma warning restore CA1031
    }

    /// <summary>What each page in use had for a count at some moment. A page that was on its way is left out.</summary>
    private Dictionary<ulong, int> HeldPages()
    {
        Dictionary<ulong, int> counts = [];
        foreach ((uint first, uint frames) in Sections.All())
        {
            for (uint frame = first; frame < first + frames; frame++)
            {
                PageDescriptor* page = PageMap.Descriptor(frame);
                if (page->State != PageState.InUse)
                {
                    continue;
                }

                // Happens before: each load acquires, so an identity found unchanged was the page's all the time, and the count was its.
                ulong identity = Atomic.LoadAcquire(ref page->Identity);
                int count = PageRef.Count(page);
                if (count > 0 && (identity & PageIdentity.TailBit) == 0 && Atomic.LoadAcquire(ref page->Identity) == identity)
                {
                    counts[PageIdentity.Unmarked(identity)] = count;
                }
            }
        }

        return counts;
    }

    /// <summary>How many references of each page the holders do not account for; pages without such are left out.</summary>
    private static Dictionary<ulong, int> Unrecorded(Dictionary<ulong, int> counts, IReadOnlyList<Holder> holders)
    {
        foreach (Holder holder in holders)
        {
            if (counts.TryGetValue(holder.Identity, out int count) && (count -= holder.References) > 0)
            {
                counts[holder.Identity] = count;
            }
            else
            {
                counts.Remove(holder.Identity);
            }
        }

        return counts;
    }
}
