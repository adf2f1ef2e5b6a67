using System.Numerics;

namespace Quire;

/// <summary>How a <see cref="PacketReceiveRing"/> divides its pages among frames.</summary>
public enum ReceiveLayout
{
    /// <summary>
    /// Each page is two halves, a frame a half, whatever the frame's length; after each frame the other half is used, if it has come back (<c>page_offset ^= truesize</c>, as
    /// igb does where pages are small). For frames of one kind that fill a half: network frames of 1,500 bytes in halves of 2 KiB.
    /// </summary>
    Halves,

    /// <summary>
    /// Frames lie one behind the other, each as long as it is; a page is used from front to back, and from the front again when all of it has come back (<c>page_offset += truesize</c>, as
    /// igb does where pages are large). For datagrams of 0 to 65,535 bytes, of which most are short.
    /// </summary>
    Packed,
}

/// <summary>How a <see cref="PacketReceiveRing"/> is made. Read once, by its constructor.</summary>
public sealed class PacketReceiveRingOptions
{
    /// <summary>Where pages come from.</summary>
    public PageAllocator Allocator { get; init; } = PageAllocator.Shared;

    /// <summary>Pages that the ring works on in turn, 1 to 4,096. More let packets be held longer before a page has to be replaced.</summary>
    public int Slots { get; init; } = 64;

    /// <summary>Order of a slot's page, 0 (4 KiB) to 10 (4 MiB). With <see cref="ReceiveLayout.Halves"/> it decides how long a frame may be: 2,048 bytes less the head room at order 0, 64 KiB less the head room at order 5.</summary>
    public int Order { get; init; }

    /// <summary>Bytes kept free before each frame, for headers to be pushed (<c>NET_SKB_PAD</c>): 64.</summary>
    public int HeadRoom { get; init; } = 64;

    /// <summary>How pages are divided.</summary>
    public ReceiveLayout Layout { get; init; } = ReceiveLayout.Halves;

    /// <summary>The longest frame in bytes. 0: what a half holds, or with <see cref="ReceiveLayout.Packed"/> 65,535, which no UDP datagram exceeds.</summary>
    public int LargestFrame { get; init; }

    /// <summary>Options for UDP sockets: datagrams of any length, packed into pages of 512 KiB.</summary>
    /// <param name="allocator">Where pages come from; null for the shared allocator.</param>
    /// <param name="slots">Pages that the ring works on in turn.</param>
    public static PacketReceiveRingOptions ForDatagrams(PageAllocator? allocator = null, int slots = 8) => new()
    {
        Allocator = allocator ?? PageAllocator.Shared,
        Slots = slots,
        Order = 7,
        Layout = ReceiveLayout.Packed,
    };

    /// <summary>The longest frame, after the options have been found to be some.</summary>
    /// <exception cref="ArgumentException">An option is none; nothing was made yet.</exception>
    internal int Validated()
    {
        ArgumentNullException.ThrowIfNull(Allocator, nameof(Allocator));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Slots, nameof(Slots));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Slots, 4096, nameof(Slots));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)Order, (uint)Page.MaxOrder, nameof(Order));
        ArgumentOutOfRangeException.ThrowIfNegative(HeadRoom, nameof(HeadRoom));
        ArgumentOutOfRangeException.ThrowIfNegative(LargestFrame, nameof(LargestFrame));
        if (Layout is not (ReceiveLayout.Halves or ReceiveLayout.Packed))
        {
            throw new ArgumentOutOfRangeException(nameof(Layout), Layout, "No such layout.");
        }

        int room = (PageMap.FrameSize << Order) / (Layout == ReceiveLayout.Halves ? 2 : 1);
        int largest = LargestFrame != 0 ? LargestFrame : Layout == ReceiveLayout.Halves ? Math.Max(1, room - HeadRoom) : ushort.MaxValue;
        long needed = (long)HeadRoom + largest;
        return needed <= room
            ? largest
            : throw new ArgumentException(
                $"A frame of {largest} bytes with {HeadRoom} bytes of head room needs {needed} bytes, and {(Layout == ReceiveLayout.Halves ? "half a page" : "a page")} of order {Order} has {room}; "
                + $"order {OrderFor(needed * (Layout == ReceiveLayout.Halves ? 2 : 1))} would do.");
    }

    private static int OrderFor(long bytes) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, PageMap.FrameSize))) - PageMap.FrameShift;
}

/// <summary>What a <see cref="PacketReceiveRing"/> has done since it was made.</summary>
public readonly record struct PacketReceiveRingStatistics
{
    /// <summary>Frames handed out as packets.</summary>
    public long Frames { get; init; }

    /// <summary>Bytes of data in them.</summary>
    public long Bytes { get; init; }

    /// <summary>Times that a slot went on with the other half of its page, which had come back.</summary>
    public long Flipped { get; init; }

    /// <summary>Times that a page was used from its front again, after all of it had come back.</summary>
    public long Restarted { get; init; }

    /// <summary>Times that a page was kept: no atomic, no allocator.</summary>
    public long Reused => Flipped + Restarted;

    /// <summary>Times that a page was still held by packets, so that it was drained and another one taken.</summary>
    public long Replaced { get; init; }

    /// <summary>Frames lost because there was no memory for another page.</summary>
    public long Failures { get; init; }

    /// <summary>Pages that the ring has now.</summary>
    public int Pages { get; init; }
}
