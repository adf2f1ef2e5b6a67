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

    internal static PagesStillHeldException For(PageAllocator allocator, PageAllocatorStatistics now)
    {
        IReadOnlyList<Holder> holders = allocator.HoldersOfMine();
        string who = holders.Count == 0
            ? " No holder is recorded; keep the ledger on (Holders.Track) to have them named."
            : Environment.NewLine + new HolderTable(holders);
        return new PagesStillHeldException($"Allocator '{allocator.Name}' can't be disposed: {now.InUseFrames} frames ({now.InUseBytes} bytes) are in use.{who}")
        {
            Holders = holders,
            HeldBytes = now.InUseBytes,
        };
    }
}
