using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Packets made of packets: clones, halves, joins, and copies where a packet must have its bytes to itself.</content>
public readonly unsafe partial struct PacketBuffer
{
    /// <summary>Another packet with the same bytes, and a reference of its own on each page (<c>skb_clone</c>). Both may be pulled, trimmed and cut, each for itself; the head's bytes may be written by neither while both live.</summary>
    /// <returns>A packet to be disposed on its own; on any thread.</returns>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public PacketBuffer Clone([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Clone", file, line, member);
        CallSite site = new(file, line, member);
        if (body.Head.HasMemory)
        {
            body.Head.Share ??= PacketShare.Take();
        }

        PacketBody clone = PacketBody.Take();
        try
        {
            clone.Head = body.Head.Get(site);
            clone.Start = body.Start;
            clone.End = body.End;
            for (int i = 0; i < body.FragmentCount; i++)
            {
                clone.Fragments[i] = body.Fragments[i].Get(site);
                clone.FragmentCount++;
            }
        }
        catch
        {
            clone.FreeAll(site);
            PacketBody.ToShelf(clone);
            throw;
        }

        clone.Total = body.Total;
        return new PacketBuffer(clone);
    }

    /// <summary>
    /// Makes sure that the head is this packet's alone, with at least so much room (<c>skb_cow</c>): where it is not, the head's data are copied
    /// into memory of the calling thread's own cache. Fragments stay shared, since nobody writes to them.
    /// </summary>
    /// <param name="headRoom">Bytes wanted before the data, 0 or more.</param>
    /// <param name="tailRoom">Bytes wanted behind the data, 0 or more.</param>
    /// <param name="cache">Where to take the memory from; null for the calling thread's own cache.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The bytes that were copied; 0 where nothing had to be.</returns>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A room is negative, or head and rooms are above 4 MiB.</exception>
    /// <exception cref="PageAllocationException">There is no memory; the packet is as it was.</exception>
    public int Unshare(int headRoom = 0, int tailRoom = 0, PageFragmentCache? cache = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Unshare", file, line, member);
        ArgumentOutOfRangeException.ThrowIfNegative(headRoom);
        ArgumentOutOfRangeException.ThrowIfNegative(tailRoom);
        if (!body.IsShared && body.HeadRoom >= headRoom && body.TailRoom >= tailRoom)
        {
            return 0;
        }

        MoveHead(body, body.Head.Length, headRoom, tailRoom, cache, new CallSite(file, line, member));
        return body.Head.Length;
    }

    /// <summary>Makes sure that the first bytes lie in the head, so that a header can be read as one span (<c>pskb_may_pull</c>); where they do not, head and fragments are copied as far as need be.</summary>
    /// <param name="length">How many, 0 to <see cref="Length"/>; all with <c>packet.Linearize(packet.Length)</c> (<c>skb_linearize</c>).</param>
    /// <param name="cache">Where to take the memory from; null for the calling thread's own cache.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The first <paramref name="length"/> bytes.</returns>
    /// <exception cref="PacketBugException">The packet is gone or shorter. Nothing was changed.</exception>
    /// <exception cref="PageAllocationException">There is no memory; the packet is as it was.</exception>
    public ReadOnlySpan<byte> Linearize(int length, PageFragmentCache? cache = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Linearize", file, line, member);
        if ((uint)length > (uint)body.Total)
        {
            throw OutOfRange(body, "Linearize", length, body.Total, "of data", file, line, member);
        }

        if (length > body.Head.Length)
        {
            MoveHead(body, length, body.HeadRoom, 0, cache, new CallSite(file, line, member));
        }

        return body.Head.Span[..length];
    }

    /// <summary>
    /// Cuts the packet in two (<c>skb_split</c>): this one keeps the first bytes, the result has the rest. No byte is copied; a head or fragment that is cut
    /// is referenced by both, each for its own bytes: two halves of a head are both writable.
    /// </summary>
    /// <param name="at">How many bytes this packet keeps, 0 to <see cref="Length"/>.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The rest, to be disposed on its own. Cut within the head, it has no head room, and this one no tail room.</returns>
    /// <exception cref="PacketBugException">The packet is gone or shorter. Nothing was changed.</exception>
    public PacketBuffer Split(int at, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Split", file, line, member);
        if ((uint)at > (uint)body.Total)
        {
            throw OutOfRange(body, "Split at", at, body.Total, "of data", file, line, member);
        }

        CallSite site = new(file, line, member);
        PacketBody rest = PacketBody.Take();
        try
        {
            if (at < body.Head.Length)
            {
                SplitHead(body, rest, at, site);
            }
            else
            {
                SplitFragments(body, rest, at, site);
            }
        }
        catch
        {
            PacketBody.ToShelf(rest);
            throw;
        }

        rest.Total = body.Total - at;
        body.Total = at;
        return new PacketBuffer(rest);
    }

    /// <summary>Appends another packet, which is gone afterwards; see <see cref="TryCoalesce"/>.</summary>
    /// <exception cref="PacketBugException">A packet is gone, both are the same, or there would be more than 17 fragments. Nothing was changed.</exception>
    public void Coalesce(PacketBuffer next, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (!TryCoalesce(next, file, line, member))
        {
            throw PacketBugException.Of(_body!, $"Coalesce with a packet of {next.Length} bytes", $"there would be more than {MaxFragments} fragments", new CallSite(file, line, member));
        }
    }

    /// <summary>
    /// Appends another packet's bytes, which is gone afterwards (<c>skb_try_coalesce</c>). No byte is copied: its head becomes a fragment here. Neighbours on one page become
    /// one fragment, or one head again where a head had been cut, and the surplus reference is dropped.
    /// </summary>
    /// <param name="next">The packet to append; on success it belongs to this one.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>False where there would be more than 17 fragments; nothing was changed.</returns>
    /// <exception cref="PacketBugException">A packet is gone, or both are the same.</exception>
    public bool TryCoalesce(PacketBuffer next, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Coalesce", file, line, member);
        PacketBody other = next.Body("Coalesce", file, line, member);
        CallSite site = new(file, line, member);
        if (body == other)
        {
            throw PacketBugException.Of(body, "Coalesce", "both packets are the same", site);
        }

        bool joins = HeadsJoin(body, other);
        if (FragmentsWith(body, other, joins) > MaxFragments)
        {
            return false;
        }

        next.End("Coalesce", site);
        if (joins)
        {
            body.Head.Length += other.Head.Length;
            body.Total += other.Head.Length;
            body.End = other.End;
            other.Head.Free(site);
        }
        else
        {
            body.Append(ref other.Head, site);
        }

        for (int i = 0; i < other.FragmentCount; i++)
        {
            body.Append(ref other.Fragments[i], site);
        }

        other.Clear();
        PacketBody.ToShelf(other);
        return true;
    }

    /// <summary>True where the other's head continues this one's, as after a cut: they become one head again.</summary>
    private static bool HeadsJoin(PacketBody body, PacketBody other) =>
        body.FragmentCount == 0 && body.TailRoom == 0 && other.HeadRoom == 0 && other.Head.HasMemory && body.Head.Adjoins(other.Head);

    /// <summary>How many fragments the two would have together.</summary>
    private static int FragmentsWith(PacketBody body, PacketBody other, bool headsJoin)
    {
        int count = body.FragmentCount;
        PacketPart last = count == 0 ? default : body.Last;
        for (int i = headsJoin || other.Head.Length == 0 ? 0 : -1; i < other.FragmentCount; i++)
        {
            PacketPart part = i < 0 ? other.Head : other.Fragments[i];
            if (last.Adjoins(part))
            {
                last.Length += part.Length;
            }
            else
            {
                last = part;
                count++;
            }
        }

        return count;
    }

    private static void SplitHead(PacketBody body, PacketBody rest, int at, CallSite site)
    {
        rest.Head = body.Head.Get(site);
        rest.Head.Offset += at;
        rest.Head.Length -= at;
        rest.Start = rest.Head.Offset;
        rest.End = body.End;
        body.Head.Length = at;
        body.End = body.Head.End;
        MoveFragments(body, 0, rest);
    }

    private static void SplitFragments(PacketBody body, PacketBody rest, int at, CallSite site)
    {
        int left = at - body.Head.Length;
        int first = 0;
        while (first < body.FragmentCount && left >= body.Fragments[first].Length)
        {
            left -= body.Fragments[first++].Length;
        }

        if (left != 0)
        {
            ref PacketPart cut = ref body.Fragments[first];
            PacketPart second = cut.Get(site);
            second.Offset += left;
            second.Length -= left;
            cut.Length = left;
            rest.Fragments[rest.FragmentCount++] = second;
            first++;
        }

        MoveFragments(body, first, rest);
    }

    private static void MoveFragments(PacketBody from, int first, PacketBody to)
    {
        for (int i = first; i < from.FragmentCount; i++)
        {
            to.Fragments[to.FragmentCount++] = from.Fragments[i];
            from.Fragments[i] = default;
        }

        from.FragmentCount = Math.Min(from.FragmentCount, first);
    }

    /// <summary>Gives the packet a new head that begins with its first <paramref name="length"/> bytes, which may come from fragments too.</summary>
    private static void MoveHead(PacketBody body, int length, int headRoom, int tailRoom, PageFragmentCache? cache, CallSite site)
    {
        long capacity = (long)headRoom + length + tailRoom;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, PageMap.FrameSize << Page.MaxOrder, nameof(headRoom));
        int size = Math.Max(1, (int)capacity);
        PageFragment memory = cache is null ? PageFragmentCache.Current.Allocate(size, site.File, site.Line, site.Member) : cache.Allocate(size, site.File, site.Line, site.Member);
        body.CopyTo(memory.Span.Slice(headRoom, length), length);

        PacketPart old = body.Head;
        int total = body.Total;
        body.TakeOffFront(length, site);
        body.Head = new PacketPart
        {
            Page = new Page(PageIdentity.Unmarked(memory._identity), memory.Ticket),
            Offset = memory.Offset + headRoom,
            Length = length,
        };
        body.Start = memory.Offset;
        body.End = memory.Offset + size;
        body.Total = total;
        old.Free(site);
    }
}
