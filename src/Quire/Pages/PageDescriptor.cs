using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// What is known of one 4 KiB frame: one cache line in a native map indexed by frame number (the kernel's <c>struct page</c>).
/// </summary>
/// <remarks>
/// A page of order n is 2^n frames; the descriptor of its first frame, the head, speaks for all. A tail keeps only the way
/// to its head. Invariants, checked by <see cref="PageAllocator.Verify"/>:
/// <list type="bullet">
/// <item>count &gt; 0 or frozen: <see cref="State"/> is <see cref="PageState.InUse"/> and the frame is a head;</item>
/// <item>on any free list: the count is 0, and no handle's identity equals <see cref="Identity"/> (it moved on when the page was freed);</item>
/// <item><see cref="Identity"/>'s generation never goes back, not even when the frame's memory goes offline and comes again.</item>
/// </list>
/// The four bytes at 4 are read as one word by the hot paths (<see cref="Summary"/>).
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = SizeInBytes)]
internal unsafe struct PageDescriptor
{
    internal const int SizeInBytes = 64;

    /// <summary>The reference count; only <see cref="PageRef"/> can reach into it.</summary>
    [FieldOffset(0)] internal PageRef Ref;

    /// <summary>State, order, type and flags in one word.</summary>
    [FieldOffset(4)] internal uint Summary;
    [FieldOffset(4)] internal PageState State;
    [FieldOffset(5)] internal byte Order;

    /// <summary>The type it was asked for while in use; the list it stands on while free.</summary>
    [FieldOffset(6)] internal MigrateType Type;
    [FieldOffset(7)] internal PageFlags Flags;

    /// <summary>Frame number, generation, tail mark: see <see cref="PageIdentity"/>.</summary>
    [FieldOffset(8)] internal ulong Identity;

    /// <summary>Where the frame's bytes are.</summary>
    [FieldOffset(16)] internal byte* Address;

    /// <summary>Links of the one list that the frame is on, as frame numbers; 0 is none.</summary>
    [FieldOffset(24)] internal uint Next;
    [FieldOffset(28)] internal uint Previous;

    /// <summary>Frame number of the head: its own, or for a tail another's.</summary>
    [FieldOffset(32)] internal uint Head;

    /// <summary>Which allocator the frame belongs to (<see cref="PageOwners"/>).</summary>
    [FieldOffset(36)] internal ushort Owner;

    /// <summary>Migrate type of the page block; kept in the block's first frame, under the allocator's gate.</summary>
    [FieldOffset(38)] internal MigrateType BlockType;

    /// <summary>First raw record of the ledger, for references taken without a handle.</summary>
    [FieldOffset(40)] internal uint RawRecords;

    /// <summary>Entry of the movable table whose data the page holds; 0 for other pages.</summary>
    [FieldOffset(48)] internal int Mapping;

    /// <summary>Bytes asked for, where the whole page is one fragment; pages, at the first frame of a contiguous range; 0 otherwise.</summary>
    [FieldOffset(52)] internal int WholeLength;

    /// <summary>Which fragment cache has its bias on the page (<see cref="IBiasOwner"/>); 0 where none ever had since its allocation.</summary>
    [FieldOffset(56)] internal ushort BiasOwner;

    internal readonly uint Frame => PageIdentity.Frame(Identity);

    /// <summary>The <see cref="Summary"/> of an order-0 unmovable page in use, with nothing special about it.</summary>
    internal const uint PlainInUse = (uint)PageState.InUse;

    /// <summary>The same page, free in a magazine.</summary>
    internal const uint PlainInMagazine = (uint)PageState.Magazine;
}
