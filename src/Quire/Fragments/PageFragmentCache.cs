using System.Numerics;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// Cuts pages into fragments: many references are taken at once when a page is taken, given out without an atomic, and
/// what is left of them is dropped at once by a drain (the kernel's <c>page_frag_cache</c>).
/// </summary>
/// <remarks>
/// <para>
/// Equation, for the current page and for every retained one: <c>count == bias + fragments out (+ references others took)</c>, where for the current page
/// <c>bias == full bias - given out + given back</c>. The bias is the cache's own share of the count; it lies in the cache, so giving out a fragment touches no shared memory.
/// </para>
/// <para>
/// A fragment moves the offset up and takes one from the bias, in one word. A free by the owner while the page is current gives one back: the
/// handle's identity is compared with the current page's, which checks the generation too. Any other free is one
/// atomic on the page. When the page is used up, the cache takes the first of these that works:
/// reuse it in place, if everything came back (only through a freeze with the exact count, and with a new generation: a count that
/// looks right proves nothing while others may get and put); reuse the oldest of up to <see cref="RetainedPages"/> used-up pages that it keeps its bias on;
/// take a page of order 3, or of order 0 where there is none.
/// </para>
/// <para>
/// One owner at a time: a thread, or whoever holds a lock of the user's. Fragments may be freed by anyone on any thread.
/// <see cref="Current"/> is the calling thread's own cache. Fragment pages are always unmovable, outside contiguous areas.
/// </para>
/// </remarks>
public sealed unsafe partial class PageFragmentCache : IDisposable, IBiasOwner
{
    /// <summary>Order of a cache's pages: 3, that is 32 KiB (<c>PAGE_FRAG_CACHE_MAX_ORDER</c>).</summary>
    public const int PageOrder = 3;

    /// <summary>The largest fragment that shares a page, in bytes (<c>PAGE_FRAG_CACHE_MAX_SIZE</c>); a larger one gets a page of its own, up to 4 MiB.</summary>
    public const int MaxSharedSize = PageMap.FrameSize << PageOrder;

    /// <summary>Every fragment begins at a multiple of this many bytes.</summary>
    public const int MinAlignment = 8;

    /// <summary>The references a page has in the cache's hands: more than fragments fit, by one at least, so that they never run out before the page does.</summary>
    internal const int FullBias = MaxSharedSize + 1;

    private const ulong OneOut = 1ul << 32;

    /// <summary>Frees by the owner of references that others took only ever raise count and bias: from here on the excess goes back.</summary>
    private const uint MostBack = 1 << 20;

    /// <summary>The identity of no page: what an empty cache compares handles with. Marked as no handle is, and nothing that memory filled with one byte holds.</summary>
    private const ulong NoPage = PageIdentity.TailBit | 0x5A0F_C396_1E2D_4B78;

    [ThreadStatic]
    internal static PageFragmentCache? t_current;

    private readonly PageAllocator _allocator;

    /// <summary>Fragments given out of the current page in the high half, offset in the low: one word, so that taking a fragment is one load and one store.</summary>
    private ulong _out;

    /// <summary>References given back to the bias. Apart from <see cref="_out"/>, so that a run of frees does not wait for the run of takes before it.</summary>
    private uint _back;
    private ulong _identity = NoPage;
    private uint _size;
    private PageDescriptor* _page;
    private byte* _base;

    /// <summary>The thread whose own cache this is; null for one that its user drains.</summary>
    private readonly Thread? _thread;

    /// <summary>Makes a cache that takes its pages from an allocator; no page is taken yet. Dispose it when it is done with: its pages are in use until then.</summary>
    public PageFragmentCache(PageAllocator? allocator = null) => _allocator = allocator ?? PageAllocator.Shared;

    private PageFragmentCache(Thread thread)
        : this(PageAllocator.Shared) => _thread = thread;

    /// <summary>The calling thread's own cache on <see cref="PageAllocator.Shared"/>, drained when the thread has ended (<c>netdev_alloc_frag</c>). A ref struct: it can't leave the thread.</summary>
    public static LocalFragmentCache Current
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(t_current ?? OpenCurrent());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static PageFragmentCache OpenCurrent() => t_current = new PageFragmentCache(Thread.CurrentThread);

    /// <summary>The references that the cache has left on its current page.</summary>
    public int Bias => _page == null ? 0 : BiasOf(_out, _back);

    /// <summary>Takes a fragment aligned to 8 bytes (<c>page_frag_alloc</c>).</summary>
    /// <param name="size">Bytes, 1 to 4 MiB.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The fragment; its bytes are whatever was there.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="size"/> is 0, negative or above 4 MiB.</exception>
    /// <exception cref="PageAllocationException">There is no memory for another page; the derived type says why.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageFragment Allocate(int size, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        // One unsigned comparison refuses 0, negative sizes and what does not fit, and can't wrap: offset <= _size.
        ulong state = _out;
        uint offset = (uint)state;
        if ((uint)(size - 1) < _size - offset && !Tracking.Active)
        {
            _out = state + OneOut + (((uint)size + (MinAlignment - 1)) & ~(uint)(MinAlignment - 1));
            return new PageFragment(_identity, offset | ((ulong)(uint)size << PageFragment.LengthShift));
        }

        return AllocateSlow(size, MinAlignment, file, line, member);
    }

    /// <summary>Takes a fragment and its bytes at once: the cache knows where they are, so writing to a fresh fragment needs no look at its page.</summary>
    /// <param name="size">Bytes, 1 to 4 MiB.</param>
    /// <param name="bytes">The fragment's bytes, as <see cref="PageFragment.Span"/> would give them.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="size"/> is 0, negative or above 4 MiB.</exception>
    /// <exception cref="PageAllocationException">There is no memory for another page; the derived type says why.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageFragment Allocate(int size, out Span<byte> bytes, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ulong state = _out;
        uint offset = (uint)state;
        if ((uint)(size - 1) < _size - offset && !Tracking.Active)
        {
            _out = state + OneOut + (((uint)size + (MinAlignment - 1)) & ~(uint)(MinAlignment - 1));
            bytes = new Span<byte>(_base + offset, size);
            return new PageFragment(_identity, offset | ((ulong)(uint)size << PageFragment.LengthShift));
        }

        PageFragment fragment = AllocateSlow(size, MinAlignment, file, line, member);
        bytes = fragment.Span;
        return fragment;
    }

    /// <summary>Takes a fragment whose address is a multiple of <paramref name="alignment"/> (<c>page_frag_alloc_align</c>).</summary>
    /// <param name="size">Bytes, 1 to 4 MiB.</param>
    /// <param name="alignment">A power of two, 1 to 32 KiB.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size or the alignment is none.</exception>
    /// <exception cref="PageAllocationException">There is no memory for another page; the derived type says why.</exception>
    public PageFragment Allocate(int size, int alignment, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        AllocateSlow(size, alignment, file, line, member);

    /// <summary>Takes a fragment, or says why not.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size or the alignment is none.</exception>
    public bool TryAllocate(int size, out PageFragment fragment, out AllocationFailure failure, int alignment = MinAlignment, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        TryAllocateSlow(size, alignment, out fragment, out failure, file, line, member);

    /// <summary>Frees a fragment as this cache's owner: no atomic while its page is current here, one otherwise (<c>page_frag_free</c>).</summary>
    /// <exception cref="PageBugException">The fragment was freed before. Nothing was changed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Free(PageFragment fragment, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (!TryGiveBack(fragment._identity))
        {
            FreeElsewhere(fragment, file, line, member);
        }
    }

    /// <summary>Frees many fragments as this cache's owner, with one atomic a page and none for the current one.</summary>
    /// <exception cref="PageBugException">A fragment could not be freed. All the others were.</exception>
    public void Free(ReadOnlySpan<PageFragment> fragments, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        FragmentBatch.Free(fragments, this, new CallSite(file, line, member));

    /// <summary>Gives one reference back to the bias if the handle means the current page, at its present generation, and carries no ticket.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryGiveBack(ulong identity)
    {
        if (identity != _identity)
        {
            return false;
        }

        uint back = _back + 1;
        if (back >= MostBack)
        {
            back = WithoutExcess(back);
        }

        _back = back;
        return true;
    }

    /// <summary>The same for many references at once.</summary>
    internal bool TryGiveBack(ulong identity, int references)
    {
        if (identity != _identity)
        {
            return false;
        }

        uint back = _back + (uint)references;
        _back = back >= MostBack ? WithoutExcess(back) : back;
        return true;
    }

    /// <summary>True where the handle means the current page, tracked or not.</summary>
    internal bool Holds(ulong identity) => PageIdentity.Unmarked(identity) == _identity;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FreeElsewhere(PageFragment fragment, string file, int line, string member)
    {
        if (!Holds(fragment._identity))
        {
            PageFragment.FreeShared(fragment._identity, fragment._word, file, line, member);
            return;
        }

        FreeTracked(fragment, file, line, member);
    }

    /// <summary>Gives what the bias would have above a full one back to the page; returns what is left of <paramref name="back"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint WithoutExcess(uint back)
    {
        int excess = BiasOf(_out, back) - FullBias;
        PageRef.SubNotLast(_page, excess, "Free", origin: 0);
        return back - (uint)excess;
    }

    private static int BiasOf(ulong given, uint back) => FullBias - (int)(given >> 32) + (int)back;

    /// <summary>A fragment of the current page that has a ticket.</summary>
    internal void FreeTracked(PageFragment fragment, string file, int line, string member)
    {
        if (fragment.IsTracked)
        {
            Page.ReleaseTicket(_page, fragment.Ticket, 1, "Free", Origin.Here(file, line, member));
        }

        TryGiveBack(_identity, 1);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageFragment AllocateSlow(int size, int alignment, string file, int line, string member) =>
        TryAllocateSlow(size, alignment, out PageFragment fragment, out AllocationFailure failure, file, line, member)
            ? fragment
            : throw PageAllocationException.For(failure, $"No page for a fragment of {size} bytes from allocator '{_allocator.Name}': {failure}.");

    private bool TryAllocateSlow(int size, int alignment, out PageFragment fragment, out AllocationFailure failure, string file, int line, string member)
    {
        CheckRequest(size, alignment);
        ObjectDisposedException.ThrowIf(_closed, this);
        fragment = default;
        failure = AllocationFailure.None;
        uint origin = Tracking.Active ? Origin.Here(file, line, member) : 0;

        // Twice at most: a fallback page of order 0 may be too small, and then the request gets a page of its own. The cache keeps its page.
        for (int attempt = 0; attempt < 2 && size <= MaxSharedSize; attempt++)
        {
            uint offset = ((uint)_out + (uint)alignment - 1) & ~((uint)alignment - 1);
            if (offset <= _size && (uint)size <= _size - offset && alignment <= (int)_size)
            {
                uint next = (offset + (uint)size + (MinAlignment - 1)) & ~(uint)(MinAlignment - 1);
                _out = (((_out >> 32) + 1) << 32) | next;
                fragment = PageFragment.Recorded(_identity, offset | ((ulong)(uint)size << PageFragment.LengthShift), size, origin);
                return true;
            }

            if (_size != 0 && (size > (int)_size || alignment > (int)_size))
            {
                break;
            }

            if (!TryNextPage(out failure, origin))
            {
                return false;
            }
        }

        return TryAllocateWhole(size, alignment, out fragment, out failure, origin);
    }

    /// <summary>True where the current page has room for a fragment of so many bytes. Owner only.</summary>
    internal bool HasRoom(int size) => (uint)(size - 1) < _size - (uint)_out;

    /// <summary>A fragment of the current page, if there is room, and where its bytes are. For the cache's present owner, while the ledger is off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryCut(int size, out PageFragment fragment, out byte* address)
    {
        ulong state = _out;
        uint offset = (uint)state;
        if ((uint)(size - 1) >= _size - offset)
        {
            fragment = default;
            address = null;
            return false;
        }

        _out = state + OneOut + (((uint)size + (MinAlignment - 1)) & ~(uint)(MinAlignment - 1));
        fragment = new PageFragment(_identity, offset | ((ulong)(uint)size << PageFragment.LengthShift));
        address = _base + offset;
        return true;
    }

    /// <summary>A page that is one fragment: for requests that no shared page holds.</summary>
    private bool TryAllocateWhole(int size, int alignment, out PageFragment fragment, out AllocationFailure failure, uint origin)
    {
        int frames = (Math.Max(size, alignment) + PageMap.FrameSize - 1) >> PageMap.FrameShift;
        PageDescriptor* page = _allocator.TakePage(BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)frames)), MigrateType.Unmovable, out failure, origin);
        if (page == null)
        {
            fragment = default;
            return false;
        }

        page->WholeLength = size;
        fragment = PageFragment.Recorded(page->Identity, 0, size, origin);
        return true;
    }

    private static void CheckRequest(int size, int alignment)
    {
        const int Most = PageMap.FrameSize << Page.MaxOrder;
        if (size is <= 0 or > Most)
        {
            throw new ArgumentOutOfRangeException(nameof(size), size, $"A fragment has 1 to {Most} bytes.");
        }

        if (alignment is <= 0 or > MaxSharedSize || !BitOperations.IsPow2(alignment))
        {
            throw new ArgumentOutOfRangeException(nameof(alignment), alignment, $"An alignment is a power of two from 1 to {MaxSharedSize}.");
        }
    }
}
