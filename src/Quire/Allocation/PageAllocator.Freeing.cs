using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Where pages go that the magazine does not keep.</content>
public sealed unsafe partial class PageAllocator
{
    /// <summary>Drops references to many pages. Hot ones of order 0 go by way of the thread's magazine, cold ones straight to the per-core list, both 32 at a time under one gate (<c>free_hot_cold_page_list</c>).</summary>
    /// <exception cref="PageBugException">A handle was bad. All the others were freed; the message says which it was.</exception>
    public void Free(ReadOnlySpan<Page> pages, PageTemperature temperature = PageTemperature.Hot, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        Span<nint> batch = stackalloc nint[PerCoreList.Batch];
        PageBugException? first = null;
        int count = 0;
        int bad = 0;
        int index = -1;
        for (int i = 0; i < pages.Length; i++)
        {
            try
            {
                PageDescriptor* head = PageMap.DescriptorOf(pages[i]._identity);
                if (head->Identity != pages[i]._identity || head->Owner != _id || Tracking.Counting)
                {
                    head = DropSlow(pages[i], out uint origin, file, line, member);
                    if (head == null)
                    {
                        continue;
                    }

                    if (Tracking.Counting)
                    {
                        PageEvents.Free(Tracepoint.PageFreeBatched, head, temperature, origin);
                    }
                }
                else if (!PageRef.DecAndTest(head))
                {
                    continue;
                }

                if (temperature == PageTemperature.Hot)
                {
                    Keep(head, temperature);
                }
                else if (!TryEnd(head))
                {
                    // It stays out of use.
                }
                else if (head->Order == 0)
                {
                    batch[count++] = (nint)head;
                }
                else
                {
                    GiveBlock(head, head->Order);
                }
            }
            catch (PageBugException bug)
            {
                bad++;
                index = first is null ? i : index;
                first ??= bug;
            }

            if (count == batch.Length)
            {
                PerCore().Put(batch, temperature);
                count = 0;
            }
        }

        PerCore().Put(batch[..count], temperature);
        if (first is not null)
        {
            throw new PageBugException($"Free of {pages.Length} pages: {bad} not freed, the first at index {index}; the other {pages.Length - bad} were. {first.Message}", first);
        }
    }

    /// <summary>Frees a page whose count the caller brought to 0 by <see cref="PageRef"/> (<c>free_unref_page</c>).</summary>
    /// <exception cref="PageBugException">The handle is stale, the page belongs to another allocator, or its count is not 0.</exception>
    public void FreeUnreferenced(Page page, PageTemperature temperature = PageTemperature.Hot, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* head = page.HeadDescriptor("FreeUnreferenced");
        if (head->Owner != _id || PageRef.Count(head) != 0 || PageRef.IsFrozen(head))
        {
            throw PageBug.NotUnreferenced(head, Name);
        }

        if (page.IsTracked)
        {
            // Its reference was dropped without the handle, by its count: the record goes with the page.
            Ledger.Drop(page.Ticket, PageIdentity.Unmarked(head->Identity), Origin.Here(file, line, member), freed: true);
        }

        Release(head, temperature, Tracking.Counting ? Origin.Here(file, line, member) : 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FreeSlow(Page page, PageTemperature temperature, string file, int line, string member)
    {
        PageDescriptor* head = DropSlow(page, out uint origin, file, line, member);
        if (head != null)
        {
            Release(head, temperature, origin);
        }
    }

    /// <summary>Drops one reference; returns the head where it was the last.</summary>
    private PageDescriptor* DropSlow(Page page, out uint origin, string file, int line, string member)
    {
        PageDescriptor* head = page.HeadOrNull();
        if (head != null && head->Owner != _id)
        {
            throw PageBug.ForeignPage(head, Name);
        }

        return Page.Drop(page._identity, page.MarkedTicket, 1, "Free", file, line, member, out origin);
    }

    /// <summary>A page in use whose count can't be right is kept out of use for good, whoever still holds it (the kernel leaks a bad page on purpose).</summary>
    internal void SetAside(PageDescriptor* head) => Retire(head, head->Order, PageState.Bad);

    /// <summary>The magazine is full: the pages freed longest ago go to the per-core list, so that who allocates there finds them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SpillMagazine(MagazineBlock* magazine, PageDescriptor* head)
    {
        _magazines.Mine().Touched = true;
        Span<nint> batch = stackalloc nint[PerCoreList.Batch];
        int taken = magazine->TakeOldest(batch);
        foreach (nint page in batch[..taken])
        {
            ((PageDescriptor*)page)->State = PageState.Moving;
        }

        PerCore().Put(batch[..taken], PageTemperature.Hot);
        if (!magazine->TryPush(head))
        {
            head->State = PageState.Moving;
            nint one = (nint)head;
            PerCore().Put(new ReadOnlySpan<nint>(ref one), PageTemperature.Hot);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReleaseSlow(PageDescriptor* head, PageTemperature temperature)
    {
        if (!TryEnd(head))
        {
            return;
        }

        if (head->Order == 0)
        {
            nint one = (nint)head;
            PerCore().Put(new ReadOnlySpan<nint>(ref one), temperature);
        }
        else
        {
            GiveBlock(head, head->Order);
        }
    }

    /// <summary>Ends a page's life in use; it is then the caller's, in state Moving. False where it stays out of use for good.</summary>
    /// <exception cref="PageBugException">The page was not in use.</exception>
    private bool TryEnd(PageDescriptor* head)
    {
        if (head->State == PageState.Bad)
        {
            // It was set aside while references were out; the last of them changes nothing.
            return false;
        }

        if (head->State != PageState.InUse)
        {
            throw PageBug.ReleaseOfUnused(head);
        }

        RawReferences.Clear(head);
        if ((head->Flags & PageFlags.ZeroOnFree) != 0)
        {
            PagePreparation.Zero(head);
        }

        head->Flags &= ~PageFlags.Movable;
        PagePreparation.SettleTails(head);
        if (!PagePreparation.TryEndGeneration(head))
        {
            Retire(head, head->Order, PageState.Retired);
            return false;
        }

        head->State = PageState.Moving;
        return true;
    }

    private void GiveBlock(PageDescriptor* head, int order)
    {
        Zone.Gate.Enter();
        Zone.Give(head->Frame, order);
        Zone.Gate.Exit();
    }
}
