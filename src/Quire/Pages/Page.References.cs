using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Why a speculative or bounded get gave no reference.</summary>
public enum PageGetFailure
{
    /// <summary>It did give one.</summary>
    None,

    /// <summary>The page is free, or is another page by now.</summary>
    Freed,

    /// <summary>The page is frozen: being migrated or reused. Look it up again.</summary>
    Frozen,

    /// <summary>Half the range of the count is used: someone takes references without end.</summary>
    NearOverflow,
}

/// <content>
/// Taking and dropping references. Three gets, kept apart as in the kernel: <see cref="Get(string, int, string)"/> for who owns one already,
/// <see cref="TryGetBounded"/> for who owns one and takes more on behalf of others (a cap on the count), and <see cref="TryGet"/>
/// for who owns none and only knows where the page was.
/// </content>
public readonly unsafe partial struct Page
{
    /// <summary>Takes one more reference; the caller must own one (<c>get_page</c>).</summary>
    /// <returns>The handle of the new reference, to be put on its own.</returns>
    /// <exception cref="PageBugException">The handle is stale or the count is full; nothing was taken.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Page Get([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (Tracking.Active)
        {
            return GetRecorded(_identity, _ticket, 1, file, line, member);
        }

        PageRef.AddReturn(HeadDescriptor("Get"), 1, "Get");
        return new Page(PageIdentity.Unmarked(_identity));
    }

    /// <summary>Takes many references with one atomic; the caller must own one (<c>folio_ref_add</c>).</summary>
    /// <param name="references">How many, 1 or more.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>One handle that stands for all of them: give them back by <see cref="Put(int, string, int, string)"/>, together or in parts.</returns>
    /// <exception cref="PageBugException">The handle is stale or the count would pass <see cref="int.MaxValue"/>; nothing was taken.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is not positive.</exception>
    public Page Get(int references, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (Tracking.Active)
        {
            return GetRecorded(_identity, _ticket, references, file, line, member);
        }

        PageRef.AddReturn(HeadDescriptor("Get"), references, "Get");
        return new Page(PageIdentity.Unmarked(_identity));
    }

    /// <summary>Takes one more reference unless half the range is used; the caller must own one (<c>try_get_page</c>). Not speculative.</summary>
    /// <returns>False where the count is at its bound: refuse the request that asked for the reference.</returns>
    /// <exception cref="PageBugException">The handle is stale: the caller owns nothing.</exception>
    public bool TryGetBounded(out Page reference, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* head = HeadDescriptor("TryGetBounded");

        // The check and the get are two steps, as in the kernel: the bound is half the range, so no race can reach the end.
        if (PageRef.Count(head) >= PageRef.Bound)
        {
            reference = default;
            return false;
        }

        reference = Get(file, line, member);
        return true;
    }

    /// <summary>
    /// Takes a reference on a page that the caller does not own, if it is still the same page (<c>folio_try_get</c>).
    /// </summary>
    /// <param name="reference">The handle of the new reference.</param>
    /// <param name="failure">Why there is none.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>False where the page is free, frozen, or another one by now, or its count is at its bound.</returns>
    public bool TryGet(out Page reference, out PageGetFailure failure, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        // `handle.TryGet(out handle, ...)` is natural to write: nothing of this handle is read after `reference` was assigned.
        ulong identity = PageIdentity.Unmarked(_identity);
        uint origin = Tracking.Active ? Origin.Here(file, line, member) : 0;
        failure = TryTake(origin, out int count);
        reference = failure != PageGetFailure.None ? default
            : Tracking.Active ? Recorded(identity, 1, count, isSpeculative: true, origin)
            : new Page(identity);
        return failure == PageGetFailure.None;
    }

    private PageGetFailure TryTake(uint origin, out int count)
    {
        count = 0;
        PageDescriptor* head = HeadOrNull();
        if (head == null)
        {
            return PageGetFailure.Freed;
        }

        // The bound holds here too: who takes without end must not bring the owners to the end of the range.
        if (PageRef.Count(head) >= PageRef.Bound)
        {
            return PageGetFailure.NearOverflow;
        }

        // The event of a get that succeeds waits for its ticket, see Recorded.
        while (!PageRef.AddUnless(head, 1, 0, out count, origin, isTold: false, FrameNumber))
        {
            // Each answer is one load. Neither: the page was frozen at the get and is not any more.
            if (PageRef.IsFree(head))
            {
                return PageGetFailure.Freed;
            }

            if (PageRef.IsFrozen(head))
            {
                return PageGetFailure.Frozen;
            }
        }

        // Between the look-up and the get the page may have been freed and taken again by somebody else: get, then check.
        if (HeadOrNull() != head)
        {
            if (Tracking.Counting)
            {
                PageRefEvent taken = PageRefEvents.Of(head, origin, 0, FrameNumber);
                PageRefEvents.ModUnless(ref taken, 1, 0, count, done: true);
            }

            DropLast(head, 1, origin);
            return PageGetFailure.Freed;
        }

        return PageGetFailure.None;
    }

    /// <summary>Drops the reference that this handle stands for; the last one frees the page (<c>put_page</c>).</summary>
    /// <exception cref="PageBugException">The reference was dropped before, or is a pin's, which ends with <see cref="PagePin.Unpin"/>. Nothing was changed; with the ledger on the message names both drops.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Put([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* page = PageMap.DescriptorOf(_identity);
        if (page->Identity == _identity && !Tracking.Counting)
        {
            if (PageRef.DecAndTest(page))
            {
                Free(page, PageTemperature.Hot, origin: 0);
            }

            return;
        }

        PutSlow(_identity, _ticket, 1, PageTemperature.Hot, "Put", file, line, member);
    }

    /// <summary>Drops many references with one atomic (<c>folio_put_refs</c>).</summary>
    /// <param name="references">How many, 1 or more; at most those that the handle stands for.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PageBugException">There are not so many. Nothing was changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="references"/> is not positive.</exception>
    public void Put(int references, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        PutSlow(_identity, _ticket, references, PageTemperature.Hot, "Put", file, line, member);

    /// <summary>Says that responsibility for this reference passed on: blame shows this line from now on, and who took it beside it. Nothing while the ledger is off.</summary>
    public void Touch([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (IsTracked)
        {
            Ledger.Touch(Ticket, Origin.Here(file, line, member));
        }
    }

    /// <summary>As <see cref="Touch"/>, and moves the reference into the caller's <see cref="PageLeakScope"/>, which answers for it from here on.</summary>
    public void Transfer([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (IsTracked)
        {
            Ledger.Transfer(Ticket, Origin.Here(file, line, member));
        }
    }

    /// <summary>The cold way: tails, tracked handles, many references, stale handles, a recording.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void PutSlow(ulong identity, ulong ticket, int references, PageTemperature temperature, string operation, string file, int line, string member)
    {
        PageDescriptor* freed = Drop(identity, ticket, references, operation, file, line, member, out uint origin);
        if (freed != null)
        {
            Free(freed, temperature, origin);
        }
    }

    /// <summary>Drops references by a handle. Returns the head where they were the last: the page is the caller's then, to be freed.</summary>
    internal static PageDescriptor* Drop(ulong identity, ulong ticket, int references, string operation, string file, int line, string member, out uint origin)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(references);
        PageDescriptor* head = new Page(PageIdentity.Unmarked(identity)).HeadOrNull();
        if (head == null)
        {
            throw PageBug.Stale(identity, operation, file, line, member);
        }

        if ((ticket & PinMark) != 0)
        {
            throw PageBug.PutOfPin(head, (uint)ticket, operation, file, line, member);
        }

        // A torn handle may have another's ticket beside it.
        uint own = (identity & PageIdentity.TrackedBit) == 0 ? 0 : (uint)ticket;
        origin = own != 0 || Tracking.Counting ? Origin.Here(file, line, member) : 0;
        if ((identity & PageIdentity.TrackedBit) != 0)
        {
            ReleaseTicket(head, own, references, operation, origin);
        }

        if (PageRef.SubAndTest(head, references, operation, origin, own, PageIdentity.Frame(identity)) != 0)
        {
            return null;
        }

        if (own != 0)
        {
            Ledger.MarkFreed(own);
        }

        return head;
    }

    /// <summary>Ends a ticket before the count goes down, so that of two drops of one reference exactly one gets through.</summary>
    internal static void ReleaseTicket(PageDescriptor* head, uint ticket, int references, string operation, uint origin)
    {
        // Where the record holds so many but the count does not (somebody dropped them by the count alone), the count would refuse after the ticket ended.
        if (PageRef.Count(head) < references && Ledger.Find(ticket) is { } holder && holder.References >= references)
        {
            throw PageBug.CannotSub(head, references, PageRef.IsFrozen(head), operation);
        }

        LedgerRelease release = Ledger.Release(ticket, PageIdentity.Unmarked(head->Identity), references, origin);
        if (release.Outcome != LedgerOutcome.Released)
        {
            throw PageBug.NotReleased(head, release, references, operation, origin);
        }
    }

    /// <summary>Takes a speculative reference back that found another page.</summary>
    internal static void DropLast(PageDescriptor* head, int references, uint origin)
    {
        if (PageRef.SubAndTest(head, references, "Put", origin) == 0)
        {
            Free(head, PageTemperature.Hot, origin);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Free(PageDescriptor* head, PageTemperature temperature, uint origin) => PageOwners.Find(head->Owner)!.Release(head, temperature, origin);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Page GetRecorded(ulong identity, ulong ticket, int references, string file, int line, string member)
    {
        uint origin = Origin.Here(file, line, member);
        PageDescriptor* page = PageMap.DescriptorOf(identity);
        int count = PageRef.AddReturn(page->Identity == identity ? page : HeadDescriptorSlow(identity, ticket, "Get"), references, "Get");
        return Recorded(identity, references, count, isSpeculative: false, origin);
    }

    /// <summary>The handle of references that have just been counted, with their record and event.</summary>
    private static Page Recorded(ulong identity, int references, int count, bool isSpeculative, uint origin)
    {
        identity = PageIdentity.Unmarked(identity);
        PageDescriptor* head = new Page(identity).HeadOrNull();
        uint bytes = (uint)FrameSize << head->Order;
        uint ticket = Ledger.Take(PageIdentity.Unmarked(head->Identity), references, bytes, HolderKind.Page, origin);
        if (Tracking.Counting)
        {
            PageRefEvent taken = PageRefEvents.Of(head, origin, ticket, PageIdentity.Frame(identity));
            if (isSpeculative)
            {
                PageRefEvents.ModUnless(ref taken, references, 0, count, done: true);
            }
            else
            {
                PageRefEvents.Mod(ref taken, references, count);
            }
        }

        return new Page(identity, ticket);
    }
}
