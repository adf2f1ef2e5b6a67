namespace Quire;

/// <summary>One line of a <see cref="HolderTable"/>: all holders of one kind at one call site.</summary>
public sealed record HolderRow
{
    /// <summary>The call site that answers for them.</summary>
    public CallSite Site { get; init; }

    /// <summary>What kind of reference they hold.</summary>
    public HolderKind Kind { get; init; }

    /// <summary>How many records there are.</summary>
    public int Holders { get; init; }

    /// <summary>How many references they hold together; an estimate where one reference in N is recorded (<see cref="Holder.Weight"/>).</summary>
    public long References { get; init; }

    /// <summary>How many different pages. A page held from two sites counts in both rows.</summary>
    public int Pages { get; init; }

    /// <summary>Bytes in use by them; 0 when not known.</summary>
    public long UsedBytes { get; init; }

    /// <summary>Bytes of the pages that they keep in memory, each page once; 0 when not known.</summary>
    public long PinnedBytes { get; init; }

    /// <summary>Age of the oldest, as of the query.</summary>
    public TimeSpan Oldest { get; init; }

    /// <summary>The threads that took or received them, by name; each once, in the order of their oldest holder.</summary>
    public IReadOnlyList<string> Threads { get; init; } = [];

    /// <summary>The different stacks among the holders, the most frequent first; empty where only call sites were recorded.</summary>
    public IReadOnlyList<CapturedStack> Stacks { get; init; } = [];

    /// <summary>
    /// True for what holds pages by design while it lives: a fragment cache's bias, the movable table, a contiguous range.
    /// </summary>
    public bool IsStructural => Kind is HolderKind.Bias or HolderKind.Movable or HolderKind.Contiguous;
}
