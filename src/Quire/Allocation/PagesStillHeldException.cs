namespace Quire;

/// <summary>An allocator was to be disposed while pages of it were in use. It still stands.</summary>
public sealed class PagesStillHeldException : InvalidOperationException
{
    /// <summary>Makes one without a message.</summary>
    public PagesStillHeldException()
    {
    }

    /// <summary>Makes one with its message.</summary>
    public PagesStillHeldException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with its message and what caused it.</summary>
    public PagesStillHeldException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The recorded holders, oldest first; empty where the ledger was off.</summary>
    public IReadOnlyList<Holder> Holders { get; private init; } = [];

    /// <summary>Bytes still in use.</summary>
    public long HeldBytes { get; private init; }

    internal static PagesStillHeldException For(string message, IReadOnlyList<Holder> holders, long heldBytes) =>
        new(message) { Holders = holders, HeldBytes = heldBytes };

    internal static PagesStillHeldException For(PageAllocator allocator, long frames)
    {
        IReadOnlyList<Holder> holders = allocator.HoldersOfMine();
        long bytes = frames * PageMap.FrameSize;
        string who = holders.Count != 0 ? Environment.NewLine + new HolderTable(holders)
            : Quire.Holders.IsTracking ? " No holder is recorded: the pages were taken while the ledger was off."
            : " No holder is recorded; keep the ledger on (Holders.Track) to have them named.";
        return For($"Allocator '{allocator.Name}' can't be disposed: {frames} frames ({bytes} bytes) are in use.{who}", holders, bytes);
    }
}
