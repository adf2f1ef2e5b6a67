using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// What is done to a block's descriptors between the free lists and a user, in both directions
/// (the kernel's <c>prep_new_page</c> and <c>free_pages_prepare</c>). The caller alone owns the block.
/// </summary>
/// <remarks>
/// Generations: a page gets the highest that any of its frames had; its head moves one on when the page is freed or renewed in place, and handles to its
/// tails have the head's. A frame that was a tail starts at what its head has come to since, which is above what it had in use. So no frame ever has a generation twice, and neither a
/// handle to a head nor one to a tail ever means a later page.
/// </remarks>
internal static unsafe class PagePreparation
{
    /// <summary>From here on a freed page is retired. One use of a page moves a generation by 2 at the most, so the last is never passed.</summary>
    internal const long RetireAt = PageIdentity.LastGeneration - 16;

    private const ulong RetireAtWord = (ulong)RetireAt << PageIdentity.FrameBits;

    /// <summary>Makes a block of 2^<paramref name="order"/> frames one page in use, with count 0 still.</summary>
    /// <returns>False where the block is bad: somebody counts references on memory that was free.</returns>
    internal static bool TryMakePage(PageDescriptor* head, int order, MigrateType type)
    {
        uint first = head->Frame;
        ulong generation = 0;
        for (uint i = 0; i < 1u << order; i++)
        {
            PageDescriptor* frame = head + i;
            if (PageRef.Count(frame) != 0)
            {
                return false;
            }

            generation = Math.Max(generation, Fresh(frame));
        }

        for (uint i = 1; i < 1u << order; i++)
        {
            PageDescriptor* tail = head + i;
            tail->State = PageState.Tail;
            tail->Head = first;
            tail->Identity = generation | (first + i) | PageIdentity.TailBit;
        }

        head->Identity = generation | first;
        head->Head = first;
        head->Order = (byte)order;
        head->Type = type;
        head->Mapping = 0;
        head->WholeLength = 0;
        head->BiasOwner = 0;
        head->State = PageState.InUse;
        return true;
    }

    /// <summary>A generation that no handle to this free frame has, as the bits of an identity.</summary>
    private static ulong Fresh(PageDescriptor* frame)
    {
        ulong own = frame->Identity;
        if ((own & PageIdentity.TailBit) == 0)
        {
            return own & ~(ulong)PageIdentity.FrameMask;
        }

        // Handles to a tail have the generation that its head had in use. The old head has moved on since, by one at least when it was freed, and its
        // new generation was never given to a handle of this frame. It may be in other hands by now: it is only higher for that.
        ulong head = PageIdentity.Unmarked(Atomic.LoadAcquire(ref PageMap.HeadOf(frame)->Identity));
        return Math.Max(PageIdentity.Unmarked(own) + PageIdentity.GenerationOne, head) & ~(ulong)PageIdentity.FrameMask;
    }

    /// <summary>Ends the handles to a page that nobody holds any more. False where its generations are used up: it must be retired.</summary>
    internal static bool TryEndGeneration(PageDescriptor* head)
    {
        // Happens before: a plain store; the page leaves this thread only through a gate, or by the release of an unfreeze.
        head->Identity += PageIdentity.GenerationOne;
        return IsUsable(head->Identity);
    }

    /// <summary>True while an identity's generation is not among the last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsUsable(ulong identity) => identity < RetireAtWord;

    /// <summary>Clears the bytes of a page.</summary>
    internal static void Zero(PageDescriptor* head) => new Span<byte>(head->Address, PageMap.FrameSize << head->Order).Clear();
}
