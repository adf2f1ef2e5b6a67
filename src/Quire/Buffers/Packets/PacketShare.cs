namespace Quire;

/// <summary>
/// Counts the packets that have one head's bytes in common (<c>skb_shared_info.dataref</c>). A head that was never cloned has none.
/// </summary>
/// <remarks>
/// Equation: <c>_count ==</c> the parts of packets, heads and fragments, that name it. The page's own count can't serve: it counts everybody on the
/// page, and the neighbours of a packet's bytes do not matter to it.
/// </remarks>
internal sealed class PacketShare : IShelved<PacketShare>
{
    [ThreadStatic]
    private static Shelf<PacketShare>? t_shelf;

    /// <summary>One to be used, as it was left.</summary>
    internal static PacketShare OffShelf() => Shelf<PacketShare>.Take(ref t_shelf);

    /// <summary>Nobody uses it any more.</summary>
    internal static void ToShelf(PacketShare item) => Shelf<PacketShare>.Give(ref t_shelf, item);

    private int _count;

    PacketShare? IShelved<PacketShare>.Next { get; set; }

    /// <summary>
    /// True while another part names it. The owner of a part that reads false stays alone: only a part's own packet can add another.
    /// </summary>
    /// <remarks>Happens before: acquire. Who finds itself alone, and now writes, comes after all that the others read before they let go.</remarks>
    internal bool IsShared => Atomic.LoadAcquire(ref _count) > 1;

    internal int Count => Atomic.LoadAcquire(ref _count);

    /// <summary>A fresh one, named by one part.</summary>
    internal static PacketShare Take()
    {
        PacketShare share = OffShelf();
        share._count = 1;
        return share;
    }

    /// <summary>One more part names it; the caller's does already.</summary>
    internal void Add() => Atomic.Add(ref _count, 1);

    /// <summary>The caller's part lets go.</summary>
    internal void Drop()
    {
        // Happens before: full fence; what this part's packet read comes before another finds itself alone.
        if (Atomic.Add(ref _count, -1) == 0)
        {
            ToShelf(this);
        }
    }
}
