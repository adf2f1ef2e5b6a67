using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// A <see cref="MemoryPool{T}"/> of bytes in pages: exact lengths, no garbage a rent, slices that own their bytes, a limit that one can wait for,
/// memory that goes back to the system when it is idle, and an answer to who has not given back what.
/// </summary>
/// <remarks>
/// <para>
/// <b>Fragment or page.</b> Up to <see cref="LargestFragment"/> bytes a rent is a fragment of a page of 32 KiB that others share; above, it is a page of its own, of the smallest order that holds it. So a page is more
/// than half in use by the one who rented it, and memory kept is at most twice what is rented; and what shares a page, whose last fragment keeps all of it, is small: 16 or more to a page. A rent of 4,096 bytes
/// is one page of order 0, through the thread's own list of free ones.
/// </para>
/// <para>
/// Equations, in <see cref="GetStatistics"/>: owners rented = rents - returns; when they are 0 and no pin lasts, the pool holds no page but what its fragment caches and its shelf keep in reserve, and
/// <see cref="Verify"/> gives that back and looks.
/// </para>
/// <para>
/// All methods may be called on any thread; owners may be disposed on any. Once warm nothing here allocates on the GC heap while the ledger is off. Kernel: <c>alloc_pages</c> and <c>page_frag_alloc</c> behind one door.
/// </para>
/// </remarks>
public sealed unsafe partial class QuireMemoryPool : MemoryPool<byte>
{
    /// <summary>The largest rent that shares a page with others: half a page of order 0, 2,048 bytes.</summary>
    public const int LargestFragment = Page.FrameSize / 2;

    private const int LargestShelved = PageMap.FrameSize << PageShelf.MostOrder;

    internal const int LargestBuffer = PageMap.FrameSize << Page.MaxOrder;

    private readonly int _defaultSize;
    private readonly bool _ownsAllocator;

    /// <summary>Null where the threads' own caches serve: on <see cref="PageAllocator.Shared"/>.</summary>
    private readonly FragmentStripes? _stripes;

    /// <summary>Null where memory is cleared when it is freed.</summary>
    private readonly PageShelf? _shelf;
    private bool _closed;

    /// <summary>Makes a pool; no memory is taken before the first rent.</summary>
    /// <exception cref="ArgumentException">An option is none; nothing was made.</exception>
    /// <exception cref="ObjectDisposedException">The allocator given was disposed.</exception>
    public QuireMemoryPool(QuireMemoryPoolOptions? options = null)
    {
        options ??= new QuireMemoryPoolOptions();
        options.Check();
        Name = options.Name;
        _defaultSize = options.DefaultBufferSize;
        _ownsAllocator = options.Allocator is null;
        IsPlain = options.PlainArrays;
        Allocator = options.MakeAllocator();
        _stripes = ReferenceEquals(Allocator, PageAllocator.Shared) ? null : new FragmentStripes(Allocator);
        _shelf = Allocator.Options.ZeroOnFree ? null : new PageShelf(Allocator);
        (Slot, Id) = PoolThreads.Enroll(this);
        TracingHooks.Pools ??= Metrics;
        TracingNotices.PoolCreated(Name, Allocator.Name, Allocator.LimitBytes);
    }

    /// <summary>The pool of the process, on <see cref="PageAllocator.Shared"/> (mapped memory). Its <see cref="MemoryPool{T}.Dispose()"/> does nothing, as that of <see cref="MemoryPool{T}.Shared"/>.</summary>
    public static new QuireMemoryPool Shared { get; } = new(new QuireMemoryPoolOptions { Name = "shared", Allocator = PageAllocator.Shared });

    /// <summary>The name given in the options.</summary>
    public string Name { get; }

    /// <summary>Where the pool's pages come from. Its limit is the pool's limit, its trim gives the pool's idle memory back.</summary>
    public PageAllocator Allocator { get; }

    /// <summary>The largest rent: 4 MiB.</summary>
    public override int MaxBufferSize => LargestBuffer;

    /// <summary>Whether <see cref="PageMemory.Memory"/> is that of the array, while the ledger is off.</summary>
    internal bool IsPlain { get; }

    /// <summary>The place of this pool's counts in each thread.</summary>
    internal uint Slot { get; }

    /// <summary>A number that no other pool of the process had or will have.</summary>
    internal long Id { get; }

    /// <summary>
    /// Takes exactly <paramref name="minBufferSize"/> bytes, as <see cref="Rent(int, string, int, string)"/> does: the way through the base type. While the ledger is on the caller's place is found by a walk
    /// along the stack.
    /// </summary>
    /// <param name="minBufferSize">Bytes, 0 to 4 MiB; -1 for the pool's default.</param>
    /// <inheritdoc cref="Rent(int, string, int, string)" path="/exception"/>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) =>
        TryRentHot(minBufferSize) ?? RentSlow(minBufferSize, Tracking.Active ? Caller.Find() : default);

    /// <summary>Takes exactly <paramref name="size"/> bytes.</summary>
    /// <param name="size">Bytes, 0 to 4 MiB; -1 for the pool's default.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>An owner, to be disposed once; its bytes are whatever was there, or zero with <see cref="QuireMemoryPoolOptions.ZeroOnFree"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size is below -1 or above 4 MiB.</exception>
    /// <exception cref="PageAllocationException">There is no memory; the derived type says why: <see cref="PageLimitException"/>, <see cref="PageOutOfMemoryException"/>, <see cref="PageFragmentationException"/>.</exception>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    public PageMemory Rent(int size = -1, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        TryRentHot(size) ?? RentSlow(size, new CallSite(file, line, member));

    /// <summary>The same, with the reason where there is no memory. Never waits: see <see cref="RentAsync"/>.</summary>
    /// <param name="size">Bytes, 0 to 4 MiB; -1 for the pool's default.</param>
    /// <param name="memory">The owner.</param>
    /// <param name="failure">Why there is none.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is below -1 or above 4 MiB.</exception>
    /// <exception cref="ObjectDisposedException">The pool was disposed.</exception>
    public bool TryRent(int size, [NotNullWhen(true)] out PageMemory? memory, out AllocationFailure failure, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        failure = AllocationFailure.None;
        memory = TryRentHot(size) ?? TryRentSlow(size, out failure, new CallSite(file, line, member));
        return memory is not null;
    }

    /// <summary>A page from the thread's magazine, or a fragment from a current page: what takes no new memory and writes no record. Null for all else.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PageMemory? TryRentHot(int size)
    {
        PoolThread? thread = PoolThread.t_current;
        if (thread is null || Tracking.Active)
        {
            return null;
        }

        size = size == -1 ? _defaultSize : size;
        return (uint)(size - LargestFragment - 1) < PageMap.FrameSize - LargestFragment ? TryRentPage(thread, size)
            : (uint)(size - 1) < LargestFragment ? TryRentFragment(thread, size)
            : (uint)(size - PageMap.FrameSize - 1) < LargestShelved - PageMap.FrameSize ? TryRentBlock(thread, size)
            : null;
    }

    /// <summary>One page of order 0.</summary>
    private PageMemory? TryRentPage(PoolThread thread, int size)
    {
        PoolShare share = thread.ShareOf(this);

        // Happens before: a disposer sets the mark, makes every thread pass a fence, and then counts. Either it sees this rent counted, or this thread sees the mark.
        Volatile.Write(ref share.Rents, share.Rents + 1);
        Atomic.Point();
        if (!Volatile.Read(ref _closed))
        {
            PageDescriptor* head = Allocator.TryTakeHot(share.Magazine);
            if (head != null)
            {
                PageMemory memory = thread.Take();
                memory.Start(head->Identity, 0, head->Address, size, PageMemory.OwnerKind.Page, this);
                share.Taken += size;
                return memory;
            }
        }

        share.Rents--;
        return null;
    }

    /// <summary>Keeps a page of many frames whose last reference the caller drops by this. False, with nothing changed, where it is not to be kept.</summary>
    internal bool TryShelve(PageDescriptor* head) => _shelf is { } shelf && !Volatile.Read(ref _closed) && shelf.TryKeep(head);

    /// <summary>A page of order 1 to 4 from the shelf.</summary>
    private PageMemory? TryRentBlock(PoolThread thread, int size)
    {
        if (_shelf is not { } shelf)
        {
            return null;
        }

        PoolShare share = thread.ShareOf(this);

        // Happens before: as above.
        Volatile.Write(ref share.Rents, share.Rents + 1);
        Atomic.Point();
        if (!Volatile.Read(ref _closed))
        {
            PageDescriptor* head = shelf.TryTake(BitOperations.Log2((uint)(size - 1) >> PageMap.FrameShift) + 1);
            if (head != null)
            {
                PageMemory memory = thread.Take();
                memory.Start(head->Identity, 0, head->Address, size, PageMemory.OwnerKind.Page, this);
                share.Taken += size;
                return memory;
            }
        }

        share.Rents--;
        return null;
    }

    /// <summary>A piece of the current page of the thread's cache, or of its stripe.</summary>
    private PageMemory? TryRentFragment(PoolThread thread, int size)
    {
        PoolShare share = thread.ShareOf(this);

        // Happens before: as above.
        Volatile.Write(ref share.Rents, share.Rents + 1);
        Atomic.Point();
        if (!Volatile.Read(ref _closed))
        {
            PageFragment fragment;
            byte* address;
            if (share.Fragments is { } cache ? cache.TryCut(size, out fragment, out address) : TryCut(share, size, out fragment, out address))
            {
                PageMemory memory = thread.Take();
                memory.Start(fragment._identity, fragment._word, address, size, PageMemory.OwnerKind.Fragment, this);
                share.Taken += size;
                return memory;
            }
        }

        share.Rents--;
        return null;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryCut(PoolShare share, int size, out PageFragment fragment, out byte* address)
    {
        if (_stripes is { } stripes)
        {
            return stripes.TryCut(share, size, out fragment, out address);
        }

        fragment = default;
        address = null;
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageMemory RentSlow(int size, CallSite site)
    {
        PageMemory? memory = TryRentSlow(size, out AllocationFailure failure, site);
        return memory ?? throw Failed(size, failure);
    }

    private PageAllocationException Failed(int size, AllocationFailure failure)
    {
        PageAllocatorStatistics now = Allocator.GetStatistics();
        QuireMemoryPoolStatistics mine = GetStatistics();
        return PageAllocationException.For(
            failure,
            $"Pool '{Name}' has no {(size == -1 ? _defaultSize : size)} bytes: {failure}. It has {mine.RentedOwners} owners out, of {mine.RentedBytes} bytes. "
            + $"Allocator '{Allocator.Name}': managed {now.ManagedBytes} of at most {Allocator.LimitBytes} bytes, in use {now.InUseBytes}, free {now.FreeBytes}, largest free order {now.LargestFreeOrder}.");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageMemory? TryRentSlow(int size, out AllocationFailure failure, CallSite site, bool isRetry = false)
    {
        size = size == -1 ? _defaultSize : size;
        if ((uint)size > LargestBuffer)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, $"A rent is of 0 to {LargestBuffer} bytes, or -1 for the pool's default.");
        }

        // Looked at before the count, too: no share of a pool that is gone.
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _closed), this);
        PoolShare share = PoolThread.Mine().ShareOf(this);
        Volatile.Write(ref share.Rents, share.Rents + 1);
        share.Taken += size;
        PageMemory? memory = null;
        try
        {
            // Happens before: as in the hot way.
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _closed), this);
            memory = Take(share, size, out failure, site, isRetry);
        }
        finally
        {
            if (memory is null)
            {
                share.Rents--;
                share.Taken -= size;
            }
        }

        return memory;
    }

    /// <summary>Whether a fragment can be had, without telling anybody that it can't: there is room in a current page, or a page for a new one.</summary>
    private bool CanHaveFragment(int size, out AllocationFailure failure)
    {
        failure = AllocationFailure.None;
        if (_stripes?.HasRoom(size) ?? PageFragmentCache.t_current?.HasRoom(size) ?? false)
        {
            return true;
        }

        PageDescriptor* probe = Allocator.TakePage(0, MigrateType.Unmovable, out failure, isRetry: true);
        if (probe != null)
        {
            new Page(probe->Identity).Put();
        }

        return probe != null;
    }

    private PageMemory? Take(PoolShare share, int size, out AllocationFailure failure, CallSite site, bool isRetry)
    {
        if (size <= LargestFragment)
        {
            int bytes = Math.Max(1, size);
            if (isRetry && !CanHaveFragment(bytes, out failure))
            {
                return null;
            }

            PageFragment fragment;
            bool took = _stripes is { } stripes
                ? stripes.TryTake(share, bytes, out fragment, out failure, site)
                : PageFragmentCache.Current.TryAllocate(bytes, out fragment, out failure, PageFragmentCache.MinAlignment, site.File, site.Line, site.Member);
            if (took)
            {
                share.Fragments = _stripes is null ? PageFragmentCache.t_current : null;
                return PageMemory.Make(fragment, fragment.Address, size, this);
            }

            if (failure != AllocationFailure.None)
            {
                return null;
            }

            // All stripes are occupied at this moment: a page of its own, and nobody waits.
        }

        uint frames = (uint)(Math.Max(1, size) + PageMap.FrameSize - 1) >> PageMap.FrameShift;
        bool tracked = Tracking.Active;
        uint origin = tracked ? Origin.Here(site) : 0;
        PageDescriptor* head = Allocator.TakePage(BitOperations.Log2(BitOperations.RoundUpToPowerOf2(frames)), MigrateType.Unmovable, out failure, origin, isRetry);
        if (head == null)
        {
            return null;
        }

        if (share.MagazineKeeper is null && Allocator.OpenMagazine() is { } magazine)
        {
            share.MagazineKeeper = magazine;
            share.Magazine = magazine.Block;
        }

        uint ticket = tracked ? Ledger.Take(head->Identity, 1, (uint)size, HolderKind.Page, origin) : 0;
        PageMemory page = PageMemory.Fresh(tracked);
        page.Start(head->Identity, ticket, origin, head->Address, size, PageMemory.OwnerKind.Page, this);
        return page;
    }
}
