namespace Quire.Traces.Analysis;

/// <summary>One contiguous allocation.</summary>
public sealed record AttemptReport
{
    /// <summary>Its number in the trace, from 1.</summary>
    public required int Index { get; init; }

    /// <summary>The area's name.</summary>
    public required string Area { get; init; }

    /// <summary>Pages asked for.</summary>
    public required long Pages { get; init; }

    /// <summary>Order of the alignment asked for.</summary>
    public required int Align { get; init; }

    /// <summary>When it began, in ns of the trace's clock.</summary>
    public required long StartNs { get; init; }

    /// <summary>When it ended; null: the trace ends first.</summary>
    public required long? EndNs { get; init; }

    /// <summary><c>success</c>, <c>busy</c>, <c>no-space</c>, <c>interrupted</c>, <c>unfinished</c>.</summary>
    public required string Result { get; init; }

    /// <summary>Who asked.</summary>
    public required TraceTask Task { get; init; }

    /// <summary>From where; null where it was not recorded.</summary>
    public required string? Site { get; init; }

    /// <summary>Ranges whose frames were tested.</summary>
    public required int RangesTried { get; init; }

    /// <summary>Ranges given up because pages in them would not move.</summary>
    public required int Retries { get; init; }

    /// <summary>Pages that were moved out of the way.</summary>
    public required long Migrated { get; init; }

    /// <summary>The pages that would not move.</summary>
    public required IReadOnlyList<BusyPageReport> BusyPages { get; init; }

    /// <summary>When all that stood in the way had let go, in ns of the trace's clock; null: never, or nobody knows.</summary>
    public required long? ClearNs { get; init; }

    /// <summary>The answer in a sentence.</summary>
    public required string Verdict { get; init; }

    /// <summary>What to do about it; null where there is nothing to do.</summary>
    public required string? Advice { get; init; }
}

/// <summary>A page that would not move.</summary>
public sealed record BusyPageReport
{
    /// <summary>Its frame number.</summary>
    public required ulong Pfn { get; init; }

    /// <summary>Its generation.</summary>
    public required ulong Generation { get; init; }

    /// <summary>Its count then.</summary>
    public required int Count { get; init; }

    /// <summary>The count with which it could have been moved.</summary>
    public required int Expected { get; init; }

    /// <summary>Why it would not move.</summary>
    public required string Reason { get; init; }

    /// <summary>Who held it then, the oldest first, without what a movable page has by itself.</summary>
    public required IReadOnlyList<HolderReport> Holders { get; init; }

    /// <summary>References too many for which nobody is on record.</summary>
    public required int Unattributed { get; init; }
}

/// <summary>One who holds, or held, references.</summary>
public sealed record HolderReport
{
    /// <summary>The page's frame number.</summary>
    public required ulong Pfn { get; init; }

    /// <summary>The page's generation.</summary>
    public required ulong Generation { get; init; }

    /// <summary>How many references.</summary>
    public required int References { get; init; }

    /// <summary>Bytes of the page that it uses; 0 where it was not said.</summary>
    public required long Bytes { get; init; }

    /// <summary>Who answers for it: who took it, or received it last.</summary>
    public required TraceTask Task { get; init; }

    /// <summary>When it was taken, in ns of the trace's clock.</summary>
    public required long AcquiredNs { get; init; }

    /// <summary>When its last reference left; null: held to the end, or nobody knows.</summary>
    public required long? ReleasedNs { get; init; }

    /// <summary>Who released it.</summary>
    public required TraceTask? ReleasedTask { get; init; }

    /// <summary>From where it was released.</summary>
    public required string? ReleasedSite { get; init; }

    /// <summary>How long it had been held: until the failure for a busy page's holder, else until the end.</summary>
    public required long AgeNs { get; init; }

    /// <summary>The call site, or the innermost frame, that answers for it.</summary>
    public required string Site { get; init; }

    /// <summary>Where it was taken, where it was handed on since; else null.</summary>
    public required string? TakenSite { get; init; }

    /// <summary>The frames of its stack, innermost first; empty where none was recorded.</summary>
    public required IReadOnlyList<string> Stack { get; init; }

    /// <summary>What kind of reference: <c>page</c>, <c>fragment</c>, <c>pin</c>, <c>long_term_pin</c>, <c>raw</c>, …</summary>
    public required string Class { get; init; }

    /// <summary>1: certain. Less where its release may be among events that were lost.</summary>
    public required double Confidence { get; init; }

    /// <summary><c>exact</c>: by the ledger's ticket. <c>inferred</c>: by pairing.</summary>
    public required string Basis { get; init; }
}
