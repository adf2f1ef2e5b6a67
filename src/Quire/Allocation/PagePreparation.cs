using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// What is done to a block's descriptors between the free lists and a user, in both directions
/// (the kernel's <c>prep_new_page</c> and <c>free_pages_prepare</c>). The caller alone owns the block.
/// </summary>
/// <remarks>
/// Generations: a page gets the highest that any of its frames had; its head moves one on when the page is freed or renewed in place, and handles to its
/// tails have the head's; when it is freed they get what it had come to (<see cref="SettleTails"/>). A frame that was a tail starts one above. So no frame ever has a generation twice, and neither a
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
        return (PageIdentity.Unmarked(own) & ~(ulong)PageIdentity.FrameMask) + ((own & PageIdentity.TailBit) != 0 ? PageIdentity.GenerationOne : 0);
    }

    /// <summary>
    /// Before a page's generation ends for good: its tails get the last one that handles to them had, if the page was renewed in place meanwhile. Each
    /// frame then knows by itself where it stands, and does not have to ask a head that is in other hands, or worn out, by the time it is taken again.
    /// </summary>
    internal static void SettleTails(PageDescriptor* head)
    {
        if (head->Order == 0 || PageIdentity.Generation(head[1].Identity) == PageIdentity.Generation(head->Identity))
        {
            return;
        }

        ulong generation = head->Identity & ~(ulong)PageIdentity.FrameMask;
        for (uint i = 1; i < 1u << head->Order; i++)
        {
            head[i].Identity = generation | (head->Frame + i) | PageIdentity.TailBit;
        }
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
