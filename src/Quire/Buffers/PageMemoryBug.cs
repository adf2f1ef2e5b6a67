namespace Quire;

/// <summary>Makes the exceptions of owners: what was called on which bytes, and who was there before where it is known.</summary>
internal static class PageMemoryBug
{
    internal static PageBugException DisposedBefore(string operation, uint frame, int length, uint taken, uint released, CallSite here) =>
        Make($"{operation} of {Name(frame, length)}: it was disposed before.", operation, frame, taken, released, here);

    internal static PageBugException UsedAfterDispose(string operation, uint frame, int length, uint taken, uint released, CallSite here) =>
        Make($"{operation} of {Name(frame, length)} that was disposed.", operation, frame, taken, released, here);

    internal static PageBugException NotAPin(uint frame, int length) =>
        new($"Unpin of {Name(frame, length)}: it is no pin. A pin ends when the MemoryHandle that Pin gave is disposed.", frame, null);

    private static PageBugException Make(string what, string operation, uint frame, uint taken, uint released, CallSite here)
    {
        CallSite first = Origin.SiteOf(released == PageMemory.Somebody ? 0 : released);
        string places = taken == 0 && released == 0
            ? " Who took and disposed it is not known: keep the ledger on (Holders.Track) to have it named."
            : $" Taken: {Place(taken)}. First dispose: {first}.";
        string call = here.IsUnknown ? "" : $" This {operation.ToLowerInvariant()}: {here}.";
        return new PageBugException(what + places + call, frame, first.IsUnknown ? null : first);
    }

    private static string Place(uint origin) => origin == 0 ? "while the ledger was off" : Origin.SiteOf(origin).ToString();

    private static string Name(uint frame, int length) => frame == 0 ? $"a PageMemory of {length} bytes in memory that is gone" : $"a PageMemory of {length} bytes in page 0x{frame:x}";
}
