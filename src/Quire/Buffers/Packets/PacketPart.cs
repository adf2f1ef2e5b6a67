using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Some bytes of a page, and one reference on that page: what a packet is made of.</summary>
internal unsafe struct PacketPart
{
    /// <summary>The head's handle, which stands for this part's own reference. <c>default</c>: no memory.</summary>
    internal Page Page;

    /// <summary>Bytes from the page's first to the part's first.</summary>
    internal int Offset;
    internal int Length;

    /// <summary>Who else has these bytes, where they are or were a packet's head; null where nobody ever had.</summary>
    internal PacketShare? Share;

    internal readonly bool HasMemory => Page._identity != 0;

    /// <summary>Where the part's page begins.</summary>
    internal readonly byte* Base
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Page._identity == 0 ? null : Page.HeadDescriptor("Packet")->Address;
    }

    internal readonly Span<byte> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(Base + Offset, Length);
    }

    internal readonly int End => Offset + Length;

    /// <summary>The reference as a fragment's, for the frees that know fragments: the place within the page does not matter to them.</summary>
    internal readonly PageFragment Handle => new(Page._identity, (ulong)Page.Ticket << PageFragment.TicketShift);

    /// <summary>True where <paramref name="next"/> begins where this ends, and both have the same sharers, so that one reference can do for both (<c>skb_can_coalesce</c>).</summary>
    internal readonly bool Adjoins(in PacketPart next) =>
        Page == next.Page && HasMemory && End == next.Offset && Share == next.Share;

    /// <summary>The same bytes with a reference of their own.</summary>
    internal readonly PacketPart Get(CallSite site)
    {
        PacketPart copy = this;
        if (HasMemory)
        {
            copy.Page = Page.Get(site.File, site.Line, site.Member);
            Share?.Add();
        }

        return copy;
    }

    /// <summary>Drops the reference; the part has no memory afterwards.</summary>
    internal void Free(CallSite site)
    {
        PacketPart old = this;
        this = default;
        if (old.HasMemory)
        {
            // The share first: while the reference holds, whoever is told that it is alone still finds the memory there.
            old.Share?.Drop();
            old.Handle.Free(site.File, site.Line, site.Member);
        }
    }
}

/// <summary>Room for as many fragments as the kernel gives a packet (<c>MAX_SKB_FRAGS</c>): 64 KiB in pages of 4 KiB, and one because they need not begin at a page's first byte.</summary>
[InlineArray(PacketBuffer.MaxFragments)]
internal struct PacketParts
{
    private PacketPart _first;
}
