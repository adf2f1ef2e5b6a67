namespace Quire;

/// <summary>Makes the exceptions about movable pages and pins: what was called, where the handle comes from, and who was there before.</summary>
internal static unsafe class MovableBug
{
    internal static PageBugException Stale(uint index, uint generation, string operation, string file, int line, string member)
    {
        string here = $" This {operation.ToLowerInvariant()}: {new CallSite(file, line, member)}.";
        MovableEntry* entry = MovableTable.Find(index);
        if (entry == null || (generation & 1) == 0)
        {
            return new PageBugException($"{operation} of a movable page that never was: the handle is default, torn or made up.{here}");
        }

        // The places are those of the handle's own life only until the entry is taken again.
        ulong word = Atomic.LoadAcquire(ref entry->Word);
        CallSite allocated = CallSiteTable.SiteOf(entry->AllocatedAt);
        CallSite freed = CallSiteTable.SiteOf(entry->FreedAt);
        bool known = MovableWord.Generation(word) == generation + 1;
        string places = known ? $" Allocated: {allocated}. Freed: {freed}." : "";
        return new PageBugException($"{operation} of movable page {index}.{generation}: it was freed.{places}{here}", 0, known ? freed : null);
    }

    internal static PageBugException FreeOfPinned(MovableEntry* entry, uint pins, string file, int line, string member)
    {
        ulong identity = Atomic.LoadAcquire(ref entry->Identity);
        IEnumerable<Holder> holders = Ledger.Of(identity).Where(static holder => holder.Kind is HolderKind.Pin or HolderKind.LongTermPin);
        string who = string.Concat(holders.Select(static holder => $" Pinned: {holder.Current}."));
        return new PageBugException(
            $"Free of a movable page while it has {HolderTable.Count(pins, "pin")}: end them first.{who} This free: {new CallSite(file, line, member)}.",
            PageIdentity.Frame(identity),
            null);
    }

    internal static PageBugException PinEnded(ulong identity, LedgerRelease release, string file, int line, string member)
    {
        string first = release.Conflict?.Taken is { } taken ? $" Taken: {taken}." : "";
        string ended = release.Conflict?.Released is { } end ? $" First end: {end}." : "";
        return new PageBugException(
            $"Unpin of page 0x{PageIdentity.Frame(identity):x} (gen {PageIdentity.Generation(identity)}): this pin ended before.{first}{ended} This unpin: {new CallSite(file, line, member)}.",
            PageIdentity.Frame(identity),
            release.Conflict?.Released?.Site);
    }

    internal static PageBugException NotAPin() => new("A pin that was never taken: the value is default.");

    internal static PageBugException Ended(in PagePin pin, string operation)
    {
        LedgerConflict? conflict = Ledger.ReleaseOf(pin.Ticket);
        string ended = conflict?.Released is { } end ? $" Ended: {end}." : "";
        return new PageBugException(
            $"{operation} of a pin on page 0x{PageIdentity.Frame(pin.Identity):x} (gen {PageIdentity.Generation(pin.Identity)}) that has ended: the data may be elsewhere by now.{ended}",
            PageIdentity.Frame(pin.Identity),
            conflict?.Released?.Site);
    }
}
