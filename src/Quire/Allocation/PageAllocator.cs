using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// A buddy allocator of pages: orders 0 to 10, page blocks with migrate types, hot and cold per-core lists, a byte limit, and memory
/// that goes back to the system when it is idle.
/// </summary>
/// <remarks>
/// <para>
/// The way of a page of order 0: the calling thread's magazine (no lock), the core's list (a gate, in batches of 32), the buddy lists
/// (the zone's gate), a new section of 4 MiB from the region provider. Higher orders go straight to the buddy lists.
/// </para>
/// <para>
/// Equation, in <see cref="GetStatistics"/> and checked from both sides by <see cref="Verify"/>:
/// free in buddy lists + free on per-core lists + free in magazines + in use + retired = managed.
/// </para>
/// <para>All methods may be called on any thread. Nothing on the hot paths allocates on the GC heap. Kernel: <c>mm/page_alloc.c</c>.</para>
/// </remarks>
public sealed unsafe partial class PageAllocator : IDisposable, IPageOwner
{
    /// <summary>The number in this allocator's descriptors and magazines; 0, which is nobody's, once it is disposed.</summary>
    private ushort _id;
    private readonly uint _nameNumber;
    private bool _disposed;
    private bool _isMade;

    /// <summary>Makes an allocator; no memory is reserved before the first allocation.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The limit is below one section of 4 MiB.</exception>
    public PageAllocator(PageAllocatorOptions? options = null)
    {
        PageAllocators.Introduce();
        TracingStart.Once();
        Options = options ?? new PageAllocatorOptions();
        LimitBytes = Options.EffectiveLimit();
        _nameNumber = TextTable.NumberOf(Options.Name);
        _id = PageOwners.Allocators.Enroll(this);
        Zone = new BuddyZone();
        Sections = new PageSections(Options, LimitBytes, _id, Zone);
        _magazines = new MagazineRack(this);
        _perCore = new PerCoreList[Environment.ProcessorCount];
        for (int i = 0; i < _perCore.Length; i++)
        {
            _perCore[i] = new PerCoreList(Zone);
        }

        _trimmer = new PageTrimmer(this);

        // Happens before: who finds the allocator by its number, enrolled above, and sees it made, sees all its parts.
        Volatile.Write(ref _isMade, true);
        TracingNotices.AllocatorCreated(Name, LimitBytes);
    }

    /// <summary>The allocator of the process, with default options. It can't be disposed.</summary>
    public static PageAllocator Shared { get; } = new(new PageAllocatorOptions { Name = "shared" });

    /// <summary>The name given in the options.</summary>
    public string Name => Options.Name;

    /// <summary>Most bytes managed at once.</summary>
    public long LimitBytes { get; }

    internal PageAllocatorOptions Options { get; }

    internal ushort Id => _id;

    internal BuddyZone Zone { get; }

    internal PageSections Sections { get; }

    /// <summary>False while the constructor runs: its number is known before it is whole.</summary>
    internal bool IsMade => Volatile.Read(ref _isMade);

    internal bool IsDisposed => Volatile.Read(ref _disposed);

    /// <summary>Takes a page of 2^<paramref name="order"/> frames with one reference (<c>alloc_pages</c>).</summary>
    /// <param name="order">0 (4 KiB) to 10 (4 MiB).</param>
    /// <param name="type"><see cref="MigrateType.Unmovable"/>, or <see cref="MigrateType.Movable"/> to group short-lived pages apart.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The page; its bytes are whatever was there, or zero with <see cref="PageAllocatorOptions.ZeroOnFree"/>.</returns>
    /// <exception cref="PageLimitException">The byte limit is reached.</exception>
    /// <exception cref="PageOutOfMemoryException">The system gave no memory.</exception>
    /// <exception cref="PageFragmentationException">Enough is free, but not in one piece.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such order, or a type that is not for callers.</exception>
    /// <exception cref="ObjectDisposedException">The allocator was disposed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Page Allocate(int order = 0, MigrateType type = MigrateType.Unmovable, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        MagazineBlock* magazine = MagazineBlock.t_current;
        if (order == 0 && type == MigrateType.Unmovable && !Tracking.Active)
        {
            PageDescriptor* page = TryTakeHot(magazine);
            if (page != null)
            {
                return new Page(page->Identity);
            }
        }

        return AllocateSlow(order, type, file, line, member);
    }

    /// <summary>A page from the thread's magazine, in use with count 1; null where there is none. For the library's own use too, while the ledger is off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageDescriptor* TryTakeHot(MagazineBlock* magazine)
    {
        if (magazine != null && magazine->Owner == _id)
        {
            PageDescriptor* page = magazine->Pop();
            if (page != null)
            {
                if (PageRef.TryInit(page))
                {
                    page->Summary = PageDescriptor.PlainInUse;
                    return page;
                }

                SetBadAside(page);
            }
        }

        return null;
    }

    /// <summary>Takes a page of order 0 and its bytes at once: the allocator has the descriptor in hand, so writing to a fresh page needs no second look at it.</summary>
    /// <param name="bytes">The page's 4,096 bytes, as <see cref="Page.Span"/> would give them.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <inheritdoc cref="Allocate(int, MigrateType, string, int, string)" path="/exception"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Page Allocate(out Span<byte> bytes, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        // Looked up before the flag is tested: on every path, so that a free in the same loop need not look it up again (1.2 ns of 11).
        MagazineBlock* magazine = MagazineBlock.t_current;
        if (!Tracking.Active)
        {
            PageDescriptor* page = TryTakeHot(magazine);
            if (page != null)
            {
                bytes = new Span<byte>(page->Address, PageMap.FrameSize);
                return new Page(page->Identity);
            }
        }

        Page slow = AllocateSlow(0, MigrateType.Unmovable, file, line, member);
        bytes = slow.Span;
        return slow;
    }

    /// <summary>The same as <see cref="Allocate(int, MigrateType, string, int, string)"/>, with the reason where there is no page.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such order, or a type that is not for callers.</exception>
    /// <exception cref="ObjectDisposedException">The allocator was disposed.</exception>
    public bool TryAllocate(out Page page, out AllocationFailure failure, int order = 0, MigrateType type = MigrateType.Unmovable, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        CheckRequest(order, type);
        uint origin = Tracking.Active ? Origin.Here(file, line, member) : 0;
        PageDescriptor* head = TakePage(order, type, out failure, origin);
        page = head == null ? default : Handle(head, HolderKind.Page, origin);
        return head != null;
    }

    /// <summary>Drops the caller's reference; the last one frees the page (<c>__free_pages</c>, <c>free_hot_cold_page</c>).</summary>
    /// <param name="page">A page of this allocator.</param>
    /// <param name="temperature">Whether the page's bytes are likely in the cache: a hot page is handed out again first.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PageBugException">The reference was dropped before, or the page belongs to another allocator. Nothing was changed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Free(Page page, PageTemperature temperature = PageTemperature.Hot, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PageDescriptor* head = PageMap.DescriptorOf(page._identity);
        if (head->Identity == page._identity && head->Owner == _id && !Tracking.Counting)
        {
            // All that can be looked up before the locked instruction is: what stands after it waits for it.
            MagazineBlock* magazine = MagazineBlock.t_current;
            bool plain = head->Summary == PageDescriptor.PlainInUse && temperature == PageTemperature.Hot && magazine != null && magazine->Owner == _id;
            if (PageRef.DecAndTest(head))
            {
                if (plain)
                {
                    Keep(magazine, head, page._identity + PageIdentity.GenerationOne);
                }
                else
                {
                    ReleaseSlow(head, temperature);
                }
            }

            return;
        }

        FreeSlow(page, temperature, file, line, member);
    }

    /// <summary>The same for the library's own use: the identity was just compared, and the thread's magazine is at hand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Free(PageDescriptor* head, ulong identity, MagazineBlock* magazine)
    {
        if (Tracking.Counting)
        {
            FreeSlow(new Page(identity), PageTemperature.Hot, "", 0, "");
            return;
        }

        bool plain = head->Summary == PageDescriptor.PlainInUse && magazine != null && magazine->Owner == _id;
        if (PageRef.DecAndTest(head))
        {
            if (plain)
            {
                Keep(magazine, head, identity + PageIdentity.GenerationOne);
            }
            else
            {
                ReleaseSlow(head, PageTemperature.Hot);
            }
        }
    }

    /// <summary>The calling thread's magazine; null where the allocator clears what is freed, and does without.</summary>
    internal PageMagazine? OpenMagazine() => Options.ZeroOnFree ? null : _magazines.Mine();

    /// <summary>Takes back a head page in use whose count has just become 0.</summary>
    internal void Release(PageDescriptor* head, PageTemperature temperature, uint origin)
    {
        if (Tracking.Counting)
        {
            PageEvents.Free(Tracepoint.PageFree, head, temperature, origin);
        }

        Keep(head, temperature);
    }

    private void Keep(PageDescriptor* head, PageTemperature temperature)
    {
        MagazineBlock* magazine = MagazineBlock.t_current;
        if (head->Summary == PageDescriptor.PlainInUse && temperature == PageTemperature.Hot && magazine != null && magazine->Owner == _id)
        {
            Keep(magazine, head, head->Identity + PageIdentity.GenerationOne);
        }
        else
        {
            ReleaseSlow(head, temperature);
        }
    }

    /// <summary>Into the calling thread's magazine, at its next generation.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Keep(MagazineBlock* magazine, PageDescriptor* head, ulong next)
    {
        if (head->RawRecords != 0 || !PagePreparation.IsUsable(next))
        {
            ReleaseSlow(head, PageTemperature.Hot);
            return;
        }

        // Happens before: a plain store; the page leaves this thread only through its magazine or a gate.
        head->Identity = next;
        if (!magazine->TryPush(head))
        {
            SpillMagazine(magazine, head);
        }
    }

    uint IPageOwner.NameNumber => _nameNumber;

    void IPageOwner.Release(PageDescriptor* head, PageTemperature temperature, uint origin) => Release(head, temperature, origin);
}
