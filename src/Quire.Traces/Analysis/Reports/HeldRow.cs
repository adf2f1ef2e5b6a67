namespace Quire.Traces.Analysis;

/// <summary>What one call site (or stack) held at the end.</summary>
public sealed record HeldRow
{
    /// <summary>The innermost frame of the stack, <c>Type.Method File.cs:12</c>, or the call site.</summary>
    public required string Site { get; init; }

    /// <summary>What kind of reference.</summary>
    public required string Class { get; init; }

    /// <summary>References, as recorded.</summary>
    public required long References { get; init; }

    /// <summary>In a sampled recording an estimate of all; else null.</summary>
    public required long? ReferencesEstimated { get; init; }

    /// <summary>Different pages.</summary>
    public required int Pages { get; init; }

    /// <summary>Bytes of those that are used.</summary>
    public required long UsedBytes { get; init; }

    /// <summary>Bytes of memory that stay because of them.</summary>
    public required long PinnedBytes { get; init; }

    /// <summary>How long the oldest has been held, in ns.</summary>
    public required long OldestNs { get; init; }

    /// <summary>The page of the oldest.</summary>
    public required ulong OldestPfn { get; init; }

    /// <summary>References held at the end of each eighth of the recording.</summary>
    public required IReadOnlyList<long> Trend { get; init; }

    /// <summary><c>growing</c>, <c>steady</c> or <c>shrinking</c>.</summary>
    public required string TrendWord { get; init; }

    /// <summary>References that came to this site during the recording; in a kernel's trace, at this stack.</summary>
    public required long Taken { get; init; }

    /// <summary>References that left it.</summary>
    public required long Released { get; init; }

    /// <summary>In a kernel's trace: references taken in this function by whatever way and of whatever class; null elsewhere.</summary>
    public long? SiteTaken { get; init; }

    /// <summary>Of those, the ones given back.</summary>
    public long? SiteReleased { get; init; }

    /// <summary>It grows, or is against a rule.</summary>
    public required bool Suspicious { get; init; }

    /// <summary>The rule it is against: <c>short_pin</c>, <c>max_age</c>, <c>failed_attempt</c>; else null.</summary>
    public required string? AgainstRule { get; init; }

    /// <summary>Whether pages are held so by design: a cache's reserve, the movable table, an allocated range.</summary>
    public required bool Structural { get; init; }

    /// <summary>Threads that answer for them, those with most first.</summary>
    public required IReadOnlyList<TraceTask> Tasks { get; init; }

    /// <summary>The most frequent stack, innermost first; empty where none was recorded.</summary>
    public required IReadOnlyList<string> Stack { get; init; }

    /// <summary>How many different stacks there are.</summary>
    public required int Stacks { get; init; }

    /// <summary><c>exact</c> or <c>inferred</c>.</summary>
    public required string Basis { get; init; }

    /// <summary>Each holder, the oldest first; null unless all were asked for.</summary>
    public required IReadOnlyList<HolderReport>? Holders { get; init; }
}
