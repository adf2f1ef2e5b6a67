namespace Quire;

/// <summary>One live record of the ledger: references to one page, with who holds them since when.</summary>
/// <remarks>
/// A copy, consistent in itself: all of its fields were true of the record at one moment. It does not change afterwards
/// and does not keep the page alive. Safe on any thread.
/// </remarks>
public sealed record Holder
{
    /// <summary>The page's number: its frame, in units of 4 KiB frames (<c>page_to_pfn</c>).</summary>
    public uint FrameNumber => (uint)(Identity & Ledger.FrameMask);

    /// <summary>The generation of the page that is held; the frame's next page has another.</summary>
    public long Generation => (long)(Identity >> Ledger.FrameBits);

    /// <summary>How many of the page's references this holder has; 0 for a counted holder that lends out all of them.</summary>
    public int References { get; init; }

    /// <summary>Bytes of the page that this holder uses.</summary>
    public long Bytes { get; init; }

    /// <summary>Bytes of the whole page that this holder keeps in memory; 0 when nobody filled it in.</summary>
    public long PageBytes { get; init; }

    /// <summary>How many takes this record stands for: 1, or N where one reference in N is recorded. Totals scale by it.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>What kind of reference it is.</summary>
    public HolderKind Kind { get; init; }

    /// <summary>Who took it.</summary>
    public HolderStamp Taken { get; init; }

    /// <summary>Who received it last, when it was handed on; null when nobody restamped it.</summary>
    public HolderStamp? Touched { get; init; }

    /// <summary>Who answers for it now: the last to receive it, otherwise the one who took it.</summary>
    public HolderStamp Current => Touched ?? Taken;

    /// <summary>Frame and generation as the ledger keeps them.</summary>
    internal ulong Identity { get; init; }

    /// <summary>The ticket in the holder's handle.</summary>
    internal uint Ticket { get; init; }

    /// <summary>The ledger's own number of the thread that answers for it now; unlike a managed thread id it is never used again.</summary>
    internal uint CurrentThread { get; init; }

    /// <summary>The leak scope in which it was taken; 0 for none.</summary>
    internal int Scope { get; init; }

    /// <summary>One line: <c>page 0x17ac9: 1 reference (fragment, 23 B) Parser.cs:141 KeepHeader, T9, 480 ms ago</c>.</summary>
    public override string ToString()
    {
        string bytes = Bytes > 0 ? $", {HolderTable.Size(Bytes)}" : "";
        string taken = Touched is null ? "" : $"; taken at {Taken}";
        return $"page 0x{FrameNumber:x}: {HolderTable.Count(References, "reference")} ({HolderTable.Name(Kind)}{bytes}) {Current}{taken}";
    }
}
