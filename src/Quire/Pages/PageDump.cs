using System.Text;

namespace Quire;

/// <summary>Writes out a page for a person (<c>dump_page</c>).</summary>
internal static unsafe class PageDump
{
    internal static string Of(Page page)
    {
        uint frame = page.FrameNumber;
        StringBuilder text = new();
        text.Append($"page 0x{frame:x} gen {page.Generation}");
        if (!PageMap.IsKnown(frame))
        {
            return text.Append(": no such frame (default, torn or made-up handle)").ToString();
        }

        PageDescriptor* named = PageMap.Descriptor(frame);
        PageDescriptor* head = page.HeadOrNull();
        if (head == null)
        {
            text.Append($": STALE; the frame is {named->State} at gen {PageIdentity.Generation(named->Identity)} now");
            head = PageMap.HeadOf(named);
        }

        if (head != named)
        {
            text.Append($", tail {frame - head->Frame} of page 0x{head->Frame:x}");
        }

        int count = PageRef.Count(head);
        text.AppendLine();
        text.AppendLine($"  count {count}{(PageRef.IsFrozen(head) ? " (frozen)" : "")}  order {head->Order} ({(long)PageMap.FrameSize << head->Order} bytes)  state {head->State}  type {head->Type}  flags {head->Flags}");
        text.AppendLine($"  address 0x{(nuint)head->Address:x}  allocator '{PageOwners.Find(head->Owner)?.Name ?? "none"}'  mapping {head->Mapping}");
        if (head->State == PageState.InUse)
        {
            PageHolders holders = Holders.Of(head);
            foreach (Holder holder in holders.Entries)
            {
                text.AppendLine($"  held: {holder}");
            }

            if (holders.Untracked > 0)
            {
                text.AppendLine($"  held: {holders.Untracked} untracked (taken while the ledger was off)");
            }
        }

        return text.ToString().TrimEnd();
    }
}
