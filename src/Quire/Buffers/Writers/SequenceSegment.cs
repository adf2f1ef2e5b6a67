using System.Buffers;

namespace Quire;

/// <summary>One piece of a <see cref="SharedSequence"/>: bytes of a page, and the owner of the reference that keeps them.</summary>
internal sealed class SequenceSegment : ReadOnlySequenceSegment<byte>, IShelved<SequenceSegment>
{
    [ThreadStatic]
    private static Shelf<SequenceSegment>? t_shelf;

    /// <summary>One to be used, as it was left.</summary>
    internal static SequenceSegment OffShelf() => Shelf<SequenceSegment>.Take(ref t_shelf);

    /// <summary>Nobody uses it any more.</summary>
    internal static void ToShelf(SequenceSegment item) => Shelf<SequenceSegment>.Give(ref t_shelf, item);

    private PageMemory? _owner;

    /// <summary>Where the piece begins in its owner's bytes.</summary>
    private int _start;

    /// <summary>Who else has these bytes as a packet's head; null for all others.</summary>
    private PacketShare? _share;

    SequenceSegment? IShelved<SequenceSegment>.Next { get; set; }

    internal SequenceSegment? Following => (SequenceSegment?)Next;

    internal int Length => Memory.Length;

    /// <summary>A segment on part of an owner's bytes; the owner's reference is the segment's from here on.</summary>
    internal static SequenceSegment Take(PageMemory owner, int start, int length, PacketShare? share = null)
    {
        // While the ledger is on no object is used twice: a sequence that outlived its dispose then meets its own owners, which say so.
        SequenceSegment segment = Tracking.Active ? new SequenceSegment() : OffShelf();
        segment._owner = owner;
        segment._start = start;
        segment._share = share;
        segment.Memory = owner.Memory.Slice(start, length);
        segment.RunningIndex = 0;
        segment.Next = null;
        return segment;
    }

    /// <summary>Puts a segment behind this one.</summary>
    internal void Append(SequenceSegment next)
    {
        next.RunningIndex = RunningIndex + Length;
        Next = next;
    }

    /// <summary>Nothing follows this one any more.</summary>
    internal void Cut() => Next = null;

    /// <summary>A segment on part of these bytes, with a reference of its own.</summary>
    internal SequenceSegment Slice(int start, int length, CallSite site)
    {
        PageMemory owner = _owner!.Slice(_start + start, length, site.File, site.Line, site.Member);
        _share?.Add();
        return Take(owner, 0, length, _share);
    }

    internal PageMemory Owner => _owner!;

    /// <summary>Drops the reference.</summary>
    internal void Free(CallSite site)
    {
        PageMemory owner = _owner!;
        PacketShare? share = _share;
        _owner = null;
        _share = null;
        if (!Tracking.Active)
        {
            Memory = default;
            Next = null;
            ToShelf(this);
        }

        share?.Drop();
        owner.Dispose(site.File, site.Line, site.Member);
    }
}
