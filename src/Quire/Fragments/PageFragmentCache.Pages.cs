using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Where the cache's pages come from, are kept, and go.</content>
public sealed unsafe partial class PageFragmentCache
{
    /// <summary>
    /// Used-up pages that the cache keeps its bias on, hoping that their fragments come back soon: 64, that is 2 MiB at most. Fragments
    /// that another thread frees come back while later pages are in use, and a page reused here costs no allocator.
    /// </summary>
    public const int RetainedPages = 64;

    /// <summary>How many of the oldest are looked at: one long-lived fragment must not hide the pages behind it.</summary>
    private const int Probes = 4;

    /// <summary>
    /// A ring of bias and frame, in one word so that whoever exchanges it for 0 owns the bias. Only the owner of the cache fills slots, from
    /// the front; anyone may empty them, so that a trim gets the pages of idle threads.
    /// </summary>
    private readonly ulong[] _retained = new ulong[RetainedPages];
    private ushort _id;
    private bool _closed;

    /// <summary>Pages found with fewer references than the bias, and the last of them.</summary>
    private long _wrong;
    private PageBugException? _lastWrong;
    private int _threadId;
    private uint _oldest;
    private uint _next;
    private int _asked;

    /// <summary>Pages taken, reused or renewed since the cache was made: an idle cache's stands still.</summary>
    internal long Rounds { get; private set; }

    /// <summary>Drops what the current page has left and takes a fresh page (<c>__page_frag_cache_refill</c>).</summary>
    /// <exception cref="PageAllocationException">There is no memory for another page; the cache is empty then.</exception>
    public void Refill()
    {
        DropCurrent();
        if (!TryRefill(out AllocationFailure failure, origin: 0))
        {
            throw PageAllocationException.For(failure, $"No page for a fragment cache from allocator '{_allocator.Name}': {failure}.");
        }
    }

    /// <summary>
    /// Drops at once references that were taken at once (<c>__page_frag_cache_drain</c>).
    /// </summary>
    /// <remarks>
    /// Why it is called a drain: who hands out references without counting each (a cache, a driver with a bias of its own) takes many by
    /// <see cref="Page.Get(int, string, int, string)"/>, gives them out one by one, and has a rest when it is done with the page. The drain
    /// undoes the taking for that rest: one atomic instead of one a reference. It does not take back what was given out: those references live on, and the last of
    /// them frees the page. The caller's own reference from the allocation is not among the drained unless it is counted in.
    /// </remarks>
    /// <param name="page">The page, by the handle that stands for the references.</param>
    /// <param name="count">How many are left, 1 or more.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PageBugException">The page has fewer references. Nothing was changed.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is not positive.</exception>
    public static void Drain(Page page, int count, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        Page.PutSlow(page._identity, page.MarkedTicket, count, PageTemperature.Hot, "Drain", file, line, member);
    }

    /// <summary>Drops all the cache's references, on its current page and on those it retained (<c>page_frag_cache_drain</c>). Fragments that are out live on. The cache can be used again.</summary>
    /// <exception cref="PageBugException">A page has fewer references than the cache's bias: one of its fragments was freed twice. That page is kept out of use; all others were drained.</exception>
    public void Drain()
    {
        long wrong = _wrong;
        DrainQuietly();
        if (_wrong != wrong)
        {
            throw _lastWrong!;
        }
    }

    /// <summary>Drains the cache for good: it gives out no more fragments.</summary>
    /// <exception cref="PageBugException">As <see cref="Drain()"/>; the cache is closed all the same.</exception>
    public void Dispose()
    {
        long wrong = _wrong;
        Close();
        if (_wrong != wrong)
        {
            throw _lastWrong!;
        }
    }

    /// <summary>Dispose for a cache whose thread is dead: whoever finds it has done nothing wrong, and hears nothing.</summary>
    internal void Close()
    {
        DrainQuietly();
        _closed = true;
        if (_id != 0)
        {
            FragmentCacheRack.Of(_allocator).Remove(this);
            PageOwners.Biases.Depart(_id);
            _id = 0;
        }
    }

    /// <summary>The drain for whoever has done nothing wrong. Owner only.</summary>
    internal void DrainQuietly()
    {
        DropCurrent();
        DrainRetained();
        _oldest = _next;
    }

    /// <summary>Drops what can be had: the bias on retained pages, and the current page if nothing of it is out. Owner only.</summary>
    internal void DrainUnused()
    {
        DrainRetained();
        _oldest = _next;
        if (_page != null && PageRef.Count(_page) == Bias)
        {
            DropCurrent();
        }
    }

    int IBiasOwner.ThreadId => _threadId;

    int IBiasOwner.BiasOn(PageDescriptor* head)
    {
        // Read while the owner works: right as of some moment during the call, like everything that is said of a live page.
        ulong given = Atomic.LoadAcquire(ref _out);
        uint back = Atomic.LoadAcquire(ref _back);
        if (Atomic.LoadAcquire(ref _identity) == head->Identity)
        {
            return BiasOf(given, back);
        }

        foreach (ref ulong slot in _retained.AsSpan())
        {
            ulong entry = Atomic.LoadAcquire(ref slot);
            if ((uint)entry == head->Frame)
            {
                return (int)(entry >> 32);
            }
        }

        return 0;
    }

    /// <summary>Checks the equations. Only the owner may call it, while nobody frees fragments of the current page.</summary>
    internal void Verify()
    {
        Invariant.Holds(_next - _oldest <= RetainedPages, "a fragment cache retains {0} pages", _next - _oldest);
        if (_page == null)
        {
            Invariant.Holds(_identity == NoPage && _size == 0 && _out == 0 && _back == 0, "an empty fragment cache has a size of {0}", _size);
            return;
        }

        Invariant.Holds(_page->Identity == _identity, "the current page of a fragment cache, 0x{0:x}, is another by now", _page->Frame);
        Invariant.Holds(Bias > 0 && Bias <= PageRef.Count(_page), "the bias of a fragment cache on page 0x{0:x} is not within its count", _page->Frame);
        Invariant.Holds((uint)_out <= _size && _size == (uint)PageMap.FrameSize << _page->Order, "the offset of a fragment cache is outside page 0x{0:x}", _page->Frame);
        Invariant.Holds(_page->Type == MigrateType.Unmovable, "fragment page 0x{0:x} is not unmovable", _page->Frame);
    }

    /// <summary>Asks the owner to drain the cache when it next needs a page; others must not touch its current page.</summary>
    internal void AskToDrain() => Atomic.StoreRelease(ref _asked, 1);

    /// <summary>Any thread: drops the bias on all retained pages. Returns the pages that went.</summary>
    internal int DrainRetained()
    {
        int drained = 0;
        for (int i = 0; i < _retained.Length; i++)
        {
            if (Atomic.LoadAcquire(ref _retained[i]) != 0)
            {
                // Happens before: full fence; of the owner and the drainers, one gets the word and with it the bias.
                drained += DropRetained(Atomic.Exchange(ref _retained[i], 0)) ? 1 : 0;
            }
        }

        return drained;
    }

    /// <summary>The current page is used up, or too small: finds another.</summary>
    private bool TryNextPage(out AllocationFailure failure, uint origin)
    {
        Rounds++;
        failure = AllocationFailure.None;
        if (Atomic.LoadAcquire(ref _asked) != 0)
        {
            Atomic.StoreRelease(ref _asked, 0);
            DrainQuietly();
        }

        if (_page != null)
        {
            // A fallback page of order 0 is used once: a cache must not live on the emergency for ever.
            if (_page->Order != PageOrder)
            {
                DropCurrent();
            }
            else if (TryRenew(_page, Bias, out bool gone))
            {
                return true;
            }
            else if (!gone)
            {
                RetainCurrent();
            }
        }

        return TryReuseRetained() || TryRefill(out failure, origin);
    }

    /// <summary>Starts a page anew in place if nothing of it is out: freeze with the exact count, new generation, full bias.</summary>
    /// <param name="page">The current page, or one whose retained word the caller has taken.</param>
    /// <param name="bias">The cache's references on it.</param>
    /// <param name="gone">True where the page's generations are used up: it went to the allocator, which retires it.</param>
    private bool TryRenew(PageDescriptor* page, int bias, out bool gone)
    {
        gone = false;
        // The look comes first: a freeze that fails has taken the line from the threads that count down on it.
        if (PageRef.Count(page) != bias || !PageRef.Freeze(page, bias, origin: 0))
        {
            return false;
        }

        if (!PagePreparation.TryEndGeneration(page))
        {
            gone = true;
            PageRef.Unfreeze(page, 0, origin: 0);
            Forget(page);
            _allocator.Release(page, PageTemperature.Cold, origin: 0);
            return false;
        }

        if ((page->Flags & PageFlags.ZeroOnFree) != 0)
        {
            // Reuse in place is a free and an allocation in one.
            PagePreparation.Zero(page);
        }

        PageRef.Unfreeze(page, FullBias, origin: 0);
        Use(page);
        if (Tracking.Counting)
        {
            FragmentEvents.Tell(Tracepoint.FragmentReuse, page, FullBias, FullBias, _id, origin: 0);
        }

        return true;
    }

    private bool TryRefill(out AllocationFailure failure, uint origin)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (_id == 0)
        {
            _id = PageOwners.Biases.Enroll(this);
            FragmentCacheRack.Of(_allocator).Add(this, _thread);
        }

        PageDescriptor* page = _allocator.TakePageLightly(PageOrder, out failure, origin);
        if (page == null)
        {
            page = _allocator.TakePage(0, MigrateType.Unmovable, out failure, origin);
        }

        if (page == null)
        {
            return false;
        }

        // Before the bias: who counts references knows whose they are.
        page->BiasOwner = _id;

        // Added, never set: between its allocation and this line somebody may have got a speculative reference.
        int count = PageRef.AddReturn(page, FullBias - 1, "Refill", origin);
        Use(page);
        if (Tracking.Counting)
        {
            FragmentEvents.Tell(Tracepoint.FragmentRefill, page, FullBias, count, _id, origin);
        }

        return true;
    }

    private void Use(PageDescriptor* page)
    {
        _threadId = Environment.CurrentManagedThreadId;
        _page = page;
        _base = page->Address;
        _identity = page->Identity;
        _size = (uint)PageMap.FrameSize << page->Order;
        _out = 0;
        _back = 0;
    }

    /// <summary>Forgets the current page where it is this one; what was counted on it is somebody else's business now.</summary>
    private void Forget(PageDescriptor* page)
    {
        if (_page == page)
        {
            _page = null;
            _identity = NoPage;
            _size = 0;
            _out = 0;
            _back = 0;
        }
    }

    private void DropCurrent()
    {
        if (_page != null)
        {
            PageDescriptor* page = _page;
            int bias = Bias;
            Forget(page);
            DropBias(page, bias);
        }
    }

    private void RetainCurrent()
    {
        PageDescriptor* page = _page;
        ulong entry = ((ulong)(uint)Bias << 32) | page->Frame;
        Forget(page);
        if (_next - _oldest == RetainedPages)
        {
            DropRetained(Atomic.Exchange(ref _retained[_oldest++ % RetainedPages], 0));
        }

        // Happens before: release. Whoever takes the word sees the page as this thread left it.
        Atomic.StoreRelease(ref _retained[_next++ % RetainedPages], entry);
    }

    /// <summary>Looks at the oldest retained pages and reuses the first whose fragments all came back.</summary>
    private bool TryReuseRetained()
    {
        for (uint i = _oldest, probes = 0; i != _next && probes < Probes; i++)
        {
            ref ulong slot = ref _retained[i % RetainedPages];
            ulong entry = Atomic.LoadAcquire(ref slot);
            if (entry == 0)
            {
                _oldest += i == _oldest ? 1u : 0;
                continue;
            }

            probes++;
            PageDescriptor* page = PageMap.Descriptor((uint)entry);
            if (PageRef.Count(page) != (int)(entry >> 32) || Atomic.CompareExchange(ref slot, 0, entry) != entry)
            {
                continue;
            }

            _oldest += i == _oldest ? 1u : 0;
            if (TryRenew(page, (int)(entry >> 32), out bool gone))
            {
                return true;
            }

            if (!gone)
            {
                // Somebody got a reference since the look.
                DropBias(page, (int)(entry >> 32));
            }
        }

        return false;
    }

    private bool DropRetained(ulong entry)
    {
        if (entry == 0)
        {
            return false;
        }

        DropBias(PageMap.Descriptor((uint)entry), (int)(entry >> 32));
        return true;
    }

    /// <summary>Never throws: it runs in trims and in callers that have done nothing wrong. A page that lacks references is set aside; the owner's own drain that meets one says so when it has drained the rest.</summary>
    private void DropBias(PageDescriptor* page, int bias)
    {
        FragmentPageEvent drained = Tracking.Counting && !PageEvents.IsLeftOut(page) ? FragmentEvents.Of(page, bias, _id, origin: 0) : default;
        bool isThere = PageRef.TrySub(page, bias, out int left, origin: 0);
        if (isThere && drained.Pfn != 0)
        {
            drained.Count = left;
            TraceRings.Write(Tracepoint.FragmentDrain, ref drained);
        }

        if (!isThere)
        {
            _lastWrong = PageBug.BiasNotThere(page, bias, left);
            Atomic.Add(ref _wrong, 1);
            _allocator.SetAside(page);
        }
        else if (left == 0)
        {
            _allocator.Release(page, PageTemperature.Hot, origin: 0);
        }
    }
}
