using System.Runtime.CompilerServices;

namespace Quire;

/// <content>How a packet begins, and how fragments are added to it.</content>
public readonly unsafe partial struct PacketBuffer
{
    /// <summary>An empty packet with room for <paramref name="capacity"/> bytes, all of it tail room, from the calling thread's own cache (<c>netdev_alloc_skb</c>). <see cref="Reserve"/> makes head room.</summary>
    /// <param name="capacity">Bytes, 1 to 4 MiB.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is 0, negative or above 4 MiB.</exception>
    /// <exception cref="PageAllocationException">There is no memory; the derived type says why.</exception>
    public static PacketBuffer Allocate(int capacity, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Build(PageFragmentCache.Current.Allocate(capacity, file, line, member), 0, 0, file, line, member);

    /// <summary>The same from a cache whose owner the caller is (<c>napi_alloc_skb</c>).</summary>
    /// <param name="cache">Where the head comes from.</param>
    /// <param name="capacity">Bytes, 1 to 4 MiB.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is 0, negative or above 4 MiB.</exception>
    /// <exception cref="PageAllocationException">There is no memory; the derived type says why.</exception>
    public static PacketBuffer Allocate(PageFragmentCache cache, int capacity, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentNullException.ThrowIfNull(cache);
        return Build(cache.Allocate(capacity, file, line, member), 0, 0, file, line, member);
    }

    /// <summary>
    /// Makes a packet around a buffer that data arrived in (<c>build_skb</c>): the metadata come last, when they are hot and only if there is a packet.
    /// </summary>
    /// <param name="buffer">The fragment; its reference is the packet's from here on.</param>
    /// <param name="headRoom">Where the data begin in it, in bytes.</param>
    /// <param name="length">How many bytes of data there are.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException">The data do not lie in the buffer. The buffer is still the caller's.</exception>
    /// <exception cref="PageBugException">The fragment is stale.</exception>
    public static PacketBuffer Build(PageFragment buffer, int headRoom, int length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Build(new Page(PageIdentity.Unmarked(buffer._identity), buffer.Ticket), buffer.Offset, buffer.Length, headRoom, length, file, line, member);

    /// <summary>The same around a piece of a page.</summary>
    /// <param name="page">The handle of one reference, which is the packet's from here on.</param>
    /// <param name="offset">Where the piece begins, in bytes from the frame that the handle names.</param>
    /// <param name="capacity">How long the piece is: head room, data and tail room.</param>
    /// <param name="headRoom">Where the data begin in the piece.</param>
    /// <param name="length">How many bytes of data there are.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="ArgumentOutOfRangeException">The piece does not lie in the page, or the data not in the piece. The reference is still the caller's.</exception>
    /// <exception cref="PageBugException">The handle is stale, or a pin's.</exception>
    public static PacketBuffer Build(Page page, int offset, int capacity, int headRoom, int length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)headRoom, (uint)capacity, nameof(headRoom));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)(capacity - headRoom), nameof(length));
        PacketPart piece = PartOf(page, offset, capacity, file, line, member);
        return Around(piece.Page, piece.Offset, capacity, headRoom, length);
    }

    /// <summary>The same, of numbers that are right, and a head's handle.</summary>
    internal static PacketBuffer Around(Page page, int offset, int capacity, int headRoom, int length)
    {
        // Every field that the last packet may have left, one by one.
        PacketBody body = PacketBody.OffShelf();
        body.Start = offset;
        body.End = offset + capacity;
        body.Head.Page = page;
        body.Head.Offset = offset + headRoom;
        body.Head.Length = length;
        body.Total = length;
        return new PacketBuffer(body);
    }

    /// <summary>Appends a whole fragment (<c>skb_add_rx_frag</c>). Where it begins on the page at the very byte at which the last one ends, that one grows, and the surplus reference is dropped.</summary>
    /// <param name="fragment">Its reference is the packet's from here on. Its bytes are read by the packet, never written.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PacketBugException">The packet is gone, or has 17 fragments. The fragment is still the caller's.</exception>
    /// <exception cref="PageBugException">The fragment is stale.</exception>
    public void AddFragment(PageFragment fragment, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        AddFragment(new Page(PageIdentity.Unmarked(fragment._identity), fragment.Ticket), fragment.Offset, fragment.Length, file, line, member);

    /// <summary>Appends a piece of a page; see <see cref="AddFragment(PageFragment, string, int, string)"/>.</summary>
    /// <param name="page">The handle of one reference, which is the packet's from here on.</param>
    /// <param name="offset">Where the piece begins, in bytes from the frame that the handle names.</param>
    /// <param name="length">How long it is, 1 or more.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PacketBugException">The packet is gone, or has 17 fragments. The reference is still the caller's.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The piece is empty or does not lie in the page.</exception>
    /// <exception cref="PageBugException">The handle is stale, or a pin's.</exception>
    public void AddFragment(Page page, int offset, int length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("AddFragment", file, line, member);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        PacketPart part = PartOf(page, offset, length, file, line, member);
        if (body.FragmentCount == MaxFragments && !body.Last.Adjoins(part))
        {
            throw PacketBugException.Of(body, $"AddFragment of {length} bytes", $"a packet has at most {MaxFragments} fragments", new CallSite(file, line, member));
        }

        body.Append(ref part, new CallSite(file, line, member));
    }

    /// <summary>A piece of a page by its head's handle, whichever frame the caller's handle names.</summary>
    private static PacketPart PartOf(Page page, int offset, int length, string file, int line, string member)
    {
        PageDescriptor* head = page.HeadDescriptor("Packet");
        int before = (int)(page.FrameNumber - head->Frame) << PageMap.FrameShift;
        int size = PageMap.FrameSize << head->Order;
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)offset, (uint)(size - before), nameof(offset));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)(size - before - offset), nameof(length));
        if (page.MarkedTicket > uint.MaxValue)
        {
            throw PageBug.PutOfPin(head, page.Ticket, "Packet", file, line, member);
        }

        return new PacketPart { Page = new Page(PageIdentity.Unmarked(head->Identity), page.Ticket), Offset = before + offset, Length = length };
    }
}
