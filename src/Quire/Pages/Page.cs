using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// A handle to a page: a power of two of 4 KiB frames, counted as one. The head's descriptor speaks for all its frames;
/// a handle may name a tail, and counts on the head all the same.
/// </summary>
/// <remarks>
/// <para>
/// Sixteen bytes: which page (frame number and generation, see <c>PageIdentity</c>) and, while the ledger is on, the ticket
/// of the reference that this handle stands for. Copying the value copies no reference: each <see cref="Get(string, int, string)"/> gives a
/// handle of its own, and each is put once.
/// </para>
/// <para>
/// The generation moves on when a page is freed, so every call on a handle to a page that is gone throws
/// <see cref="PageBugException"/>. That check is always on. It finds every misuse that comes after the free; a misuse that
/// races with the free itself on another thread is found always only while the ledger is on (<see cref="Holders.Track"/>).
/// Handles may be used on any thread.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly unsafe partial struct Page : IEquatable<Page>
{
    internal readonly ulong _identity;
    private readonly ulong _ticket;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Page(ulong identity)
    {
        _identity = identity;
        _ticket = 0;
    }

    internal Page(ulong identity, uint ticket)
    {
        _identity = ticket == 0 ? identity : identity | PageIdentity.TrackedBit;
        _ticket = ticket;
    }

    /// <summary>A handle that stands for a pin's reference: it is recorded like any other, and only the pin's own end may drop it.</summary>
    internal static Page OfPin(ulong identity, uint ticket) => new(identity, ticket, PinMark);

    private Page(ulong identity, uint ticket, ulong mark)
        : this(identity, ticket) => _ticket |= ticket == 0 ? 0 : mark;

    /// <summary>Above the ticket's 32 bits: the reference is a pin's.</summary>
    private const ulong PinMark = 1ul << 32;

    /// <summary>The size of a frame, the smallest page: 4,096 bytes.</summary>
    public const int FrameSize = PageMap.FrameSize;

    /// <summary>The largest order: 10, that is 1,024 frames or 4 MiB (<c>MAX_PAGE_ORDER</c>).</summary>
    public const int MaxOrder = 10;

    /// <summary>Number of the frame that the handle names, its pfn; 0 for <c>default</c>.</summary>
    public uint FrameNumber => PageIdentity.Frame(_identity);

    /// <summary>The generation the frame had when the handle was made; a frame never has one twice.</summary>
    public long Generation => PageIdentity.Generation(_identity);

    /// <summary>True while the page that the handle means is in use. Only the owner of a reference can rely on the answer.</summary>
    public bool IsAlive => HeadOrNull() != null;

    /// <summary>True where the handle names a frame of the page other than its first.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    public bool IsTail => HeadDescriptor("IsTail")->Frame != FrameNumber;

    /// <summary>A handle to the page's first frame; it stands for no reference of its own (<c>compound_head</c>).</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    public Page Head => new(HeadDescriptor("Head")->Identity);

    /// <summary>The page is 2 to the power of this many frames.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    public int Order => HeadDescriptor("Order")->Order;

    /// <summary>Size of the whole page in bytes.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    public int Length => FrameSize << Order;

    /// <summary>Where the named frame's bytes begin. Valid while a reference is held.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    public byte* Address
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            PageDescriptor* page = PageMap.DescriptorOf(_identity);
            return page->Identity == _identity ? page->Address : AddressSlow(_identity, _ticket);
        }
    }

    /// <summary>The bytes from the named frame to the end of the page. Valid while a reference is held; the span itself is not checked again.</summary>
    /// <exception cref="PageBugException">The handle is stale; while the ledger is on, also when this handle's reference was put.</exception>
    public Span<byte> Span
    {
        get
        {
            PageDescriptor* head = HeadDescriptor("Span");
            uint before = FrameNumber - head->Frame;
            return new Span<byte>(Address, (FrameSize << head->Order) - ((int)before << PageMap.FrameShift));
        }
    }

    /// <summary>The page that holds an address, without a reference: follow with <see cref="TryGet(out Page, out PageGetFailure, string, int, string)"/> unless you own one (<c>virt_to_page</c>).</summary>
    /// <returns>False where the address is not in page memory or its page is free.</returns>
    public static bool TryFromAddress(void* address, out Page page) => TryFromFrame(PageMap.FrameAt(address), out page);

    /// <summary>The page of a frame number, without a reference (<c>pfn_to_page</c>).</summary>
    /// <returns>False where the number stands for no page in use.</returns>
    public static bool TryFromFrame(uint frame, out Page page)
    {
        page = default;
        if (!PageMap.IsKnown(frame))
        {
            return false;
        }

        // The handle carries the head's generation: what changes hands after this line makes it stale, not wrong. A count of 0 is a page on its way
        // out, whose next generation may be written already.
        PageDescriptor* head = PageMap.HeadOf(PageMap.Descriptor(frame));
        Page named = new(PageIdentity.Of(frame, PageIdentity.Generation(Atomic.LoadAcquire(ref head->Identity))));
        if (head->State != PageState.InUse || (PageRef.Count(head) == 0 && !PageRef.IsFrozen(head)) || named.HeadOrNull() != head)
        {
            return false;
        }

        page = named;
        return true;
    }

    /// <summary>A handle to frame <paramref name="index"/> of this page, with no reference of its own.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The page has no such frame.</exception>
    public Page Frame(int index)
    {
        PageDescriptor* head = HeadDescriptor("Frame");
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, 1 << head->Order);
        return new Page(PageIdentity.Of(head->Frame + (uint)index, PageIdentity.Generation(head->Identity)));
    }

    /// <summary>All that is known of the page, for a person (<c>dump_page</c>). Never throws, whatever the handle holds.</summary>
    public string Dump() => PageDump.Of(this);

    /// <summary>True where both handles mean the same frame at the same generation; tickets do not count.</summary>
    public bool Equals(Page other) => PageIdentity.Unmarked(_identity) == PageIdentity.Unmarked(other._identity);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Page other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => PageIdentity.Unmarked(_identity).GetHashCode();

    /// <summary>The frame number in hexadecimal and the generation, as messages show a page.</summary>
    public override string ToString() => $"page 0x{FrameNumber:x} (gen {Generation})";

    /// <summary>See <see cref="Equals(Page)"/>.</summary>
    public static bool operator ==(Page left, Page right) => left.Equals(right);

    /// <summary>See <see cref="Equals(Page)"/>.</summary>
    public static bool operator !=(Page left, Page right) => !left.Equals(right);

    internal uint Ticket => (uint)_ticket;

    /// <summary>The ticket with its mark, as the put wants it.</summary>
    internal ulong MarkedTicket => _ticket;

    internal bool IsTracked => (_identity & PageIdentity.TrackedBit) != 0;

    /// <summary>The head's descriptor of the page that this handle means.</summary>
    /// <exception cref="PageBugException">The handle is stale, or its own reference is known to have been put.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageDescriptor* HeadDescriptor(string operation)
    {
        PageDescriptor* page = PageMap.DescriptorOf(_identity);
        return page->Identity == _identity ? page : HeadDescriptorSlow(_identity, _ticket, operation);
    }

    /// <summary>The same, or null where the handle is stale.</summary>
    internal PageDescriptor* HeadOrNull()
    {
        if (!PageMap.IsKnown(FrameNumber))
        {
            return null;
        }

        ulong identity = PageIdentity.Unmarked(_identity);
        PageDescriptor* page = PageMap.DescriptorOf(identity);
        ulong current = Atomic.LoadAcquire(ref page->Identity);
        if (current == identity)
        {
            return page;
        }

        if ((current & PageIdentity.TailBit) == 0)
        {
            return null;
        }

        // A tail's handle has the head's generation, which moves when the page is freed or renewed. That the head still covers the frame is asked
        // too: a frame inside a free block remembers a head that may be a page without it by now.
        PageDescriptor* head = PageMap.HeadOf(page);
        ulong whole = Atomic.LoadAcquire(ref head->Identity);
        return (whole & PageIdentity.TailBit) == 0
            && PageIdentity.Generation(whole) == PageIdentity.Generation(identity)
            && PageIdentity.Frame(identity) - PageIdentity.Frame(whole) < 1u << head->Order
            ? head
            : null;
    }

    // The cold halves of inlined methods are static and get the two words: a call on the handle itself would take its address, and the caller would
    // then keep it in memory instead of in registers, on the hot path too.
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static PageDescriptor* HeadDescriptorSlow(ulong identity, ulong ticket, string operation)
    {
        Page page = new(PageIdentity.Unmarked(identity), (uint)ticket);
        PageDescriptor* head = page.HeadOrNull();
        if (head == null)
        {
            throw PageBug.Stale(identity, operation);
        }

        if (page.IsTracked && !Ledger.IsLive(page.Ticket, PageIdentity.Unmarked(head->Identity)))
        {
            throw PageBug.AlreadyPut(head, page.Ticket, operation);
        }

        return head;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static byte* AddressSlow(ulong identity, ulong ticket)
    {
        HeadDescriptorSlow(identity, ticket, "Address");
        return PageMap.DescriptorOf(identity)->Address;
    }
}
