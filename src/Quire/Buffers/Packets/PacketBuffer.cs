using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// A packet: bytes in a head with room before and behind them, followed by up to 17 fragments of other pages (the kernel's <c>sk_buff</c>).
/// Protocol layers add and remove headers, packets are cloned, cut and joined, and no byte is copied for it.
/// </summary>
/// <remarks>
/// <code>
///   the head: one piece of a page                        the fragments: pieces of any pages
///   +-----------+--------------------+-----------+       +--------------+   +---------+
///   | head room |        data        | tail room |  -->  | fragment 0   |-->| frag. 1 |  at most 17
///   +-----------+--------------------+-----------+       +--------------+   +---------+
///               |&lt;--- HeadLength --->|
///      Push &lt;---|---> Pull           |---> Put
///               |&lt;------------------ Length ------------------------------------------->|
///                                                                            Trim &lt;-----|
/// </code>
/// <para>
/// <b>What it owns.</b> One reference on the page of the head and one on that of each fragment. <see cref="Dispose(string, int, string)"/> drops them: one
/// atomic a page. They may be dropped on any thread.
/// </para>
/// <para>
/// <b>The handle.</b> Sixteen bytes: where the packet's state is, and which packet in it is meant. States are used again, so a packet
/// costs no GC allocation once warm; the version moves on when a packet ends, so a second dispose and a use after it are always found, whoever has the state by
/// then, and the message says where the packet ended if nobody has. (Rejected: a class, of which a stale reference would see the next packet; and a struct that holds
/// the parts, which would be 600 bytes to copy, each copy an owner.) Copying the handle copies no packet: dispose once, by one of the copies.
/// </para>
/// <para>
/// <b>Who may write.</b> Bytes are written in the head only, through <see cref="Push"/>, <see cref="Put"/> and <see cref="WritableHead"/>; fragments are read. A head that a
/// clone has too is refused to both (<see cref="IsShared"/>) until <see cref="Unshare"/> has copied it or the other is gone: the kernel leaves that
/// to the caller's care (<c>skb_cow</c>), here it is checked.
/// </para>
/// <para>
/// <b>Threads.</b> A packet has one owner at a time; clones, and the two halves of a cut packet, are packets of their own and may be used on different threads.
/// Misuse throws <see cref="PacketBugException"/>, which says what and where.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly unsafe partial struct PacketBuffer : IEquatable<PacketBuffer>, IDisposable
{
    /// <summary>The most fragments that a packet has besides its head: 17 (<c>MAX_SKB_FRAGS</c>).</summary>
    public const int MaxFragments = 17;

    private readonly PacketBody? _body;
    private readonly ulong _version;

    private PacketBuffer(PacketBody body)
    {
        _body = body;
        _version = body.Version;
    }

    /// <summary>True while the packet lives. Only its owner can rely on the answer.</summary>
    public bool IsAlive => _body is not null && Atomic.LoadAcquire(ref _body.Version) == _version;

    /// <summary>Bytes of data in the head and all fragments (<c>skb->len</c>).</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public int Length => Body("Length").Total;

    /// <summary>Bytes of data in the head (<c>skb_headlen</c>).</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public int HeadLength => Body("HeadLength").Head.Length;

    /// <summary>Bytes free before the data (<c>skb_headroom</c>).</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public int HeadRoom => Body("HeadRoom").HeadRoom;

    /// <summary>Bytes free behind the data of the head (<c>skb_tailroom</c>, which counts them as 0 where fragments follow; here they are still there for who drops the fragments).</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public int TailRoom => Body("TailRoom").TailRoom;

    /// <summary>How many fragments follow the head: 0 to 17.</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public int FragmentCount => Body("FragmentCount").FragmentCount;

    /// <summary>True while another packet has the head's bytes too: they may be read, and not written (<c>skb_cloned</c>).</summary>
    /// <remarks>Exact for clones. The halves of a clone that was cut count as two, though they have no byte in common.</remarks>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public bool IsShared => Body("IsShared").IsShared;

    /// <summary>The head's data. Valid until the packet ends.</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public ReadOnlySpan<byte> Head => Body("Head").Head.Span;

    /// <summary>The data of one fragment, 0 for the first. Valid until the packet ends or drops it.</summary>
    /// <exception cref="PacketBugException">The packet is gone, or has no such fragment.</exception>
    public ReadOnlySpan<byte> Fragment(int index, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Fragment", file, line, member);
        return (uint)index < (uint)body.FragmentCount
            ? body.Fragments[index].Span
            : throw PacketBugException.Of(body, $"Fragment {index}", $"it has {body.FragmentCount} fragments", new CallSite(file, line, member));
    }

    /// <summary>The head's data, to be written in place.</summary>
    /// <exception cref="PacketBugException">The packet is gone, or a clone has these bytes too.</exception>
    public Span<byte> WritableHead([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("WritableHead", file, line, member);
        return body.IsShared ? throw Shared(body, "WritableHead", file, line, member) : body.Head.Span;
    }

    /// <summary>Turns tail room of an empty packet into head room (<c>skb_reserve</c>).</summary>
    /// <param name="bytes">How many, 0 or more.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PacketBugException">The packet is gone or has data, or there is less tail room.</exception>
    public void Reserve(int bytes, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Reserve", file, line, member);
        if (body.Total != 0)
        {
            throw PacketBugException.Of(body, $"Reserve of {bytes} bytes", "only an empty packet's data can be moved", new CallSite(file, line, member));
        }

        if ((uint)bytes > (uint)body.TailRoom)
        {
            throw OutOfRange(body, "Reserve", bytes, body.TailRoom, "of tail room", file, line, member);
        }

        body.Head.Offset += bytes;
    }

    /// <summary>Adds bytes before the data, out of the head room (<c>skb_push</c>): a header.</summary>
    /// <param name="bytes">How many, 0 or more.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The new bytes, with whatever was there.</returns>
    /// <exception cref="PacketBugException">The packet is gone, there is less head room, or a clone has the head too. Nothing was changed.</exception>
    public Span<byte> Push(int bytes, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Push", file, line, member);
        if ((uint)bytes > (uint)body.HeadRoom)
        {
            throw OutOfRange(body, "Push", bytes, body.HeadRoom, "of head room", file, line, member);
        }

        if (body.IsShared)
        {
            throw Shared(body, "Push", file, line, member);
        }

        byte* page = body.Head.Base;
        body.Head.Offset -= bytes;
        body.Head.Length += bytes;
        body.Total += bytes;
        return new Span<byte>(page + body.Head.Offset, bytes);
    }

    /// <summary>Takes bytes off the front, head first, then fragments (<c>skb_pull</c>, and beyond the head <c>pskb_pull</c>, without its copying). What is pulled from the head becomes head room.</summary>
    /// <param name="bytes">How many, 0 to <see cref="Length"/>.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PacketBugException">The packet is gone or shorter. Nothing was changed.</exception>
    public void Pull(int bytes, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Pull", file, line, member);
        if ((uint)bytes > (uint)body.Total)
        {
            throw OutOfRange(body, "Pull", bytes, body.Total, "of data", file, line, member);
        }

        body.TakeOffFront(bytes, new CallSite(file, line, member));
    }

    /// <summary>Adds bytes behind the data of the head, out of the tail room (<c>skb_put</c>).</summary>
    /// <param name="bytes">How many, 0 or more.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The new bytes, with whatever was there.</returns>
    /// <exception cref="PacketBugException">The packet is gone, there is less tail room, fragments follow the head, or a clone has the head too. Nothing was changed.</exception>
    public Span<byte> Put(int bytes, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Put", file, line, member);
        if (body.FragmentCount != 0)
        {
            throw PacketBugException.Of(body, $"Put of {bytes} bytes", "fragments follow the head, and the bytes would come before them", new CallSite(file, line, member));
        }

        if ((uint)bytes > (uint)body.TailRoom)
        {
            throw OutOfRange(body, "Put", bytes, body.TailRoom, "of tail room", file, line, member);
        }

        if (body.IsShared)
        {
            throw Shared(body, "Put", file, line, member);
        }

        Span<byte> added = new(body.Head.Base + body.Head.End, bytes);
        body.Head.Length += bytes;
        body.Total += bytes;
        return added;
    }

    /// <summary>Cuts the packet down to <paramref name="length"/> bytes; fragments beyond are dropped (<c>skb_trim</c>, <c>pskb_trim</c>). What is cut from the head becomes tail room.</summary>
    /// <param name="length">What remains, 0 to <see cref="Length"/>.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <exception cref="PacketBugException">The packet is gone or shorter. Nothing was changed.</exception>
    public void Trim(int length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Trim", file, line, member);
        if ((uint)length > (uint)body.Total)
        {
            throw OutOfRange(body, "Trim to", length, body.Total, "of data", file, line, member);
        }

        body.TakeOffEnd(body.Total - length, new CallSite(file, line, member));
    }

    /// <summary>Ends the packet: drops its references, one atomic a page (<c>kfree_skb</c>). Any thread; once.</summary>
    /// <exception cref="PacketBugException">The packet ended before. The message says where, unless its state has served another since.</exception>
    public void Dispose([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody? body = _body;
        if (body is null || !body.TryEnd(_version, "Dispose", file, line, member))
        {
            throw PacketBugException.Stale(body, _version, "Dispose", new CallSite(file, line, member));
        }

        if (!body.IsPlain)
        {
            DisposeParts(body, file, line, member);
            return;
        }

        // Read before the state is another's. The words one by one: a copy of the whole part would wait for what was stored piecemeal just before.
        ulong identity = body.Head.Page._identity;
        ulong ticket = body.Head.Page.Ticket;
        PacketBody.ToShelf(body);
        if (identity != 0)
        {
            new PageFragment(identity, ticket << PageFragment.TicketShift).Free(file, line, member);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void DisposeParts(PacketBody body, string file, int line, string member)
    {
        try
        {
            body.FreeAll(new CallSite(file, line, member));
        }
        finally
        {
            PacketBody.ToShelf(body);
        }
    }

    void IDisposable.Dispose()
    {
        CallSite site = Tracking.Active ? Caller.Find() : default;
        Dispose(site.File ?? "", site.Line, site.Member ?? "");
    }

    /// <summary>Ends many packets with one atomic a page, however many of them lie in it.</summary>
    /// <exception cref="PacketBugException">A packet ended before. All the others are gone; the message names the first bad one's index.</exception>
    public static void DisposeAll(ReadOnlySpan<PacketBuffer> packets, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        PacketBatch.Dispose(packets, new CallSite(file, line, member));

    /// <summary>Says that responsibility passed on: blame shows this line from now on for each page of the packet. Free while the ledger is off.</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public void Touch([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Touch", file, line, member);
        body.Head.Page.Touch(file, line, member);
        for (int i = 0; i < body.FragmentCount; i++)
        {
            body.Fragments[i].Page.Touch(file, line, member);
        }
    }

    /// <summary>As <see cref="Touch"/>, and moves the packet into the caller's <see cref="PageLeakScope"/>, which answers for it from here on.</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public void Transfer([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("Transfer", file, line, member);
        body.Head.Page.Transfer(file, line, member);
        for (int i = 0; i < body.FragmentCount; i++)
        {
            body.Fragments[i].Page.Transfer(file, line, member);
        }
    }

    /// <summary>True where both handles mean the same packet.</summary>
    public bool Equals(PacketBuffer other) => _body == other._body && _version == other._version;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PacketBuffer other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_body, _version);

    /// <summary>The packet's lengths, or that it is gone. Never throws.</summary>
    public override string ToString() => IsAlive
        ? $"packet of {_body!.Total} bytes: head room {_body.HeadRoom}, head {_body.Head.Length}, tail room {_body.TailRoom}, {_body.FragmentCount} fragments"
        : "packet that is gone";

    /// <summary>See <see cref="Equals(PacketBuffer)"/>.</summary>
    public static bool operator ==(PacketBuffer left, PacketBuffer right) => left.Equals(right);

    /// <summary>See <see cref="Equals(PacketBuffer)"/>.</summary>
    public static bool operator !=(PacketBuffer left, PacketBuffer right) => !left.Equals(right);

    internal void Verify() => Body("Verify").Verify();

    /// <summary>The packet's state, for tests.</summary>
    internal PacketBody State => Body("State");

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PacketBody Body(string call, string file = "", int line = 0, string member = "")
    {
        PacketBody? body = _body;
        return body is not null && body.Version == _version ? body : throw PacketBugException.Stale(body, _version, call, new CallSite(file, line, member));
    }

    /// <summary>Makes every handle of this packet stale; its state is the caller's then.</summary>
    private PacketBody End(string call, CallSite site) =>
        TryEnd(call, site, out PacketBody? body) ? body : throw PacketBugException.Stale(_body, _version, call, site);

    /// <summary>The same, without a word where the packet has ended before.</summary>
    internal bool TryEnd(string call, CallSite site, [NotNullWhen(true)] out PacketBody? body)
    {
        body = _body;
        return body is not null && body.TryEnd(_version, call, site.File, site.Line, site.Member);
    }

    /// <summary>What is wrong with the handle of a packet that has ended.</summary>
    internal PacketBugException Stale(string call, CallSite site) => PacketBugException.Stale(_body, _version, call, site);

    private static PacketBugException Shared(PacketBody body, string call, string file, int line, string member) =>
        PacketBugException.Of(body, call, $"{body.Head.Share!.Count} packets have the head's bytes; Unshare gives this one its own", new CallSite(file, line, member));

    private static PacketBugException OutOfRange(PacketBody body, string call, int asked, int there, string what, string file, int line, string member) =>
        PacketBugException.Of(body, $"{call} {asked} bytes", asked < 0 ? "the number is negative" : $"there are only {there} bytes {what}", new CallSite(file, line, member));
}
