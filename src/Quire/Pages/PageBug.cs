namespace Quire;

/// <summary>Makes the exceptions of the page room: one sentence what, the page as it is, and who was there before where the ledger knows.</summary>
internal static unsafe class PageBug
{
    internal static PageBugException SetOfOwned(PageDescriptor* head, int count) =>
        Bug(head, $"Set to {count} of {Name(head)}: its count is {PageRef.Count(head)}{(PageRef.IsFrozen(head) ? " (frozen)" : "")}; a count may be set only while it is 0, and never below.");

    internal static Exception CannotAdd(PageDescriptor* head, int references, bool frozen, string operation)
    {
        if (references <= 0)
        {
            return NotPositive(references, operation);
        }

        int count = PageRef.Count(head);
        string why = frozen ? "the page is frozen: it is being migrated or reused, and only its freezer owns it"
            : count == 0 ? "its count is 0: the page is free, and the caller owns no reference"
            : $"its count is {count} and would pass {int.MaxValue}";
        return Bug(head, $"{operation} of {references} on {Name(head)}: {why}.{FreedBy(head)}");
    }

    internal static Exception CannotSub(PageDescriptor* head, int references, bool frozen, string operation)
    {
        if (references <= 0)
        {
            return NotPositive(references, operation);
        }

        int count = PageRef.Count(head);
        string why = frozen ? "the page is frozen: it is being migrated or reused, and only its freezer owns it"
            : count == references ? $"its count is {count}, and this operation may not drop the last reference"
            : $"its count is only {count}";
        return Bug(head, $"{operation} of {references} on {Name(head)}: {why}.{FreedBy(head)}");
    }

    internal static PageBugException UnfreezeOfUnfrozen(PageDescriptor* head, int count) =>
        Bug(head, $"Unfreeze to {count} of {Name(head)}: its count is {PageRef.Count(head)}; only a frozen page may be unfrozen, to a count that is not negative.");

    /// <summary>A handle to bytes that the page does not have. Its page is alive: half of it may well be right.</summary>
    internal static PageBugException Torn(PageDescriptor* head, string handle) =>
        new($"Address of {handle}: the page has {(long)PageMap.FrameSize << head->Order} bytes; the handle is torn or made up.", head->Frame, null);

    internal static PageBugException Stale(ulong identity, string operation, string file = "", int line = 0, string member = "")
    {
        uint frame = PageIdentity.Frame(identity);
        string handle = $"page 0x{frame:x} (gen {PageIdentity.Generation(identity)})";
        string here = file.Length == 0 ? "" : $" This call: {new CallSite(file, line, member)}.";
        if (!PageMap.IsKnown(frame))
        {
            return new PageBugException($"{operation} on {handle}: no such page; the handle is default, torn or made up.{here}", frame, null);
        }

        PageDescriptor* page = PageMap.Descriptor(frame);
        string now = page->State == PageState.Offline ? "its memory was released" : $"the frame is at gen {PageIdentity.Generation(page->Identity)} now ({page->State})";
        LedgerConflict? last = Ledger.LastReleaseOf(PageIdentity.Unmarked(identity));
        return new PageBugException($"{operation} on {handle}: the page was freed; {now}.{Freed(last)}{here}", frame, last?.Released?.Site);
    }

    internal static PageBugException AlreadyPut(PageDescriptor* head, uint ticket, string operation)
    {
        LedgerConflict? conflict = Ledger.ReleaseOf(ticket);
        return new PageBugException(
            $"{operation} on {Name(head)} by a handle whose reference was dropped.{First(conflict)}", head->Frame, conflict?.Released?.Site);
    }

    internal static PageBugException NotReleased(PageDescriptor* head, LedgerRelease release, int references, string operation, uint origin)
    {
        string here = $" This {operation.ToLowerInvariant()}: {Origin.SiteOf(origin)}.";
        string what = release.Outcome switch
        {
            LedgerOutcome.TooMany => $"{operation} of {references} on {Name(head)}: the handle stands for {release.Remaining} only.",
            LedgerOutcome.WrongPage => $"{operation} on {Name(head)}: the handle's ticket belongs to another page.",
            _ => $"{operation} on {Name(head)}: this reference was dropped before.",
        };
        return new PageBugException(what + First(release.Conflict) + here, head->Frame, release.Conflict?.Released?.Site);
    }

    internal static PageBugException TooManyHandles(PageDescriptor* head, int handles, int dropped) =>
        Bug(head, $"Free of {handles} fragments of {Name(head)}: it had only {dropped} references left, so {(handles - dropped == 1 ? "one was" : $"{handles - dropped} were")} freed before or stood in the batch twice.");

    internal static PageBugException BiasNotThere(PageDescriptor* head, int bias, int count) =>
        Bug(head, $"Drain of {Name(head)}: the fragment cache has {bias} of its references, and its count is only {count}: a fragment of it was freed twice. The page is kept out of use.");

    internal static PageBugException PutOfPin(PageDescriptor* head, uint ticket, string operation, string file, int line, string member)
    {
        string taken = Ledger.Find(ticket) is { } pin ? $" Pinned: {pin.Current}." : "";
        return Bug(head, $"{operation} of {Name(head)} by a pin's handle: a pin is ended with Unpin, which drops its reference.{taken} This {operation.ToLowerInvariant()}: {new CallSite(file, line, member)}.");
    }

    internal static PageBugException ForeignPage(PageDescriptor* head, string allocator) =>
        Bug(head, $"Free of {Name(head)} to allocator '{allocator}': it belongs to allocator '{PageOwners.Find(head->Owner)?.Name}'. Use Page.Put where the allocator is not known.");

    internal static PageBugException NotUnreferenced(PageDescriptor* head, string allocator) =>
        Bug(head, $"FreeUnreferenced of {Name(head)} to allocator '{allocator}': its count is {PageRef.Count(head)} and its allocator '{PageOwners.Find(head->Owner)?.Name}'; only a page of this allocator whose count is 0 can be freed so.");

    internal static PageBugException ReleaseOfUnused(PageDescriptor* head) =>
        Bug(head, $"Free of {Name(head)}: it is not in use (state {head->State}).");

    /// <summary>A head as messages show it.</summary>
    internal static string Name(PageDescriptor* head) =>
        $"page 0x{head->Frame:x} (gen {PageIdentity.Generation(head->Identity)}, order {head->Order})";

    private static PageBugException Bug(PageDescriptor* head, string message) => new(message, head->Frame, null);

    private static ArgumentOutOfRangeException NotPositive(int references, string operation) =>
        new(nameof(references), references, $"{operation} of {references} references: the number must be 1 or more.");

    private static string FreedBy(PageDescriptor* head) => PageRef.Count(head) == 0 ? Freed(Ledger.LastReleaseOf(PageIdentity.Unmarked(head->Identity))) : "";

    private static string Freed(LedgerConflict? conflict) => conflict?.Released is { } put ? $" Last put, which freed it: {put}." : "";

    private static string First(LedgerConflict? conflict) =>
        conflict is null ? "" : (conflict.Taken is { } taken ? $" Taken: {taken}." : "") + (conflict.Released is { } put ? $" First put: {put}." : "");
}
