namespace Quire.Traces.Analysis;

/// <summary>One contiguous allocation.</summary>
public sealed record AttemptReport
{
    /// <summary>Its number in the trace, from 1.</summary>
    public required int Index { get; init; }

    /// <summary>The area's name; null where the trace does not say.</summary>
    public required string? Area { get; init; }

    /// <summary>Pages asked for; of an allocation without events of its own those of the range it tested; null where the trace does not say.</summary>
    public required long? Pages { get; init; }

    /// <summary>Order of the alignment asked for; null where the trace does not say.</summary>
    public required int? Align { get; init; }

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

    /// <summary>Its generation; null in a kernel's trace, where frames have none.</summary>
    public required ulong? Generation { get; init; }

    /// <summary>Its count then, the references of the allocation itself included; null: the trace has no event of it.</summary>
    public required int? Count { get; init; }

    /// <summary>The count with which it could have been moved; null where that is not known.</summary>
    public required int? Expected { get; init; }

    /// <summary>What the expected count is made of: <c>mappings</c>, <c>page_cache</c>, <c>swap_cache</c>, <c>private</c>, <c>isolation</c>, and <c>coming</c> where a mapping or content was just being made; null where that is not known.</summary>
    public IReadOnlyDictionary<string, int>? ExpectedOf { get; init; }

    /// <summary>Why it would not move.</summary>
    public required string Reason { get; init; }

    /// <summary>Who held it then, the oldest first, without what a movable page has by itself.</summary>
    public required IReadOnlyList<HolderReport> Holders { get; init; }

    /// <summary>References too many for which nobody is on record; null where the count is not known.</summary>
    public required int? Unattributed { get; init; }

    /// <summary>What kind of holder is in the way, where no reference tells: <c>buffer-heads</c>, <c>writeback</c>; null where references do.</summary>
    public string? Class { get; init; }

    /// <summary>The page's flags then, by the kernel's names; null where they are not known.</summary>
    public string? Flags { get; init; }

    /// <summary>Ranges of this allocation that it stood in the way of; of a recording of Quire 1.</summary>
    public int Ranges { get; init; } = 1;

    /// <summary>When it was no longer in the way: its holders had let go, or it was free; null: never, or nobody knows.</summary>
    public long? ClearNs { get; init; }
}

/// <summary>One who holds, or held, references.</summary>
public sealed record HolderReport
{
    /// <summary>The page's frame number.</summary>
    public required ulong Pfn { get; init; }

    /// <summary>The page's generation; null in a kernel's trace.</summary>
    public required ulong? Generation { get; init; }

    /// <summary>How many references; a pin of the kernel (FOLL_PIN) counts as 1,024.</summary>
    public required int References { get; init; }

    /// <summary>How many pins (FOLL_PIN) these are; null where they are none.</summary>
    public int? Pins { get; init; }

    /// <summary>Bytes of the page that it uses; 0 where it was not said.</summary>
    public required long Bytes { get; init; }

    /// <summary>Who answers for it: who took it, or received it last; null: nobody knows, it was taken before the trace shows the page.</summary>
    public required TraceTask? Task { get; init; }

    /// <summary>When it was taken, in ns of the trace's clock; null: before the trace shows the page.</summary>
    public required long? AcquiredNs { get; init; }

    /// <summary>When its last reference left; null: held to the end, or nobody knows.</summary>
    public required long? ReleasedNs { get; init; }

    /// <summary>Who released it.</summary>
    public required TraceTask? ReleasedTask { get; init; }

    /// <summary>From where it was released.</summary>
    public required string? ReleasedSite { get; init; }

    /// <summary>The frames of the stack that released it, innermost first; empty where none was recorded.</summary>
    public IReadOnlyList<string> ReleasedStack { get; init; } = [];

    /// <summary>How long it had been held, at least where <see cref="AcquiredNs"/> is null: until the failure for a busy page's holder, else until the end.</summary>
    public required long AgeNs { get; init; }

    /// <summary>The call site, or the innermost frame, that answers for it.</summary>
    public required string Site { get; init; }

    /// <summary>Where it was taken, where it was handed on since; else null.</summary>
    public required string? TakenSite { get; init; }

    /// <summary>The frames of its stack, innermost first; empty where none was recorded.</summary>
    public required IReadOnlyList<string> Stack { get; init; }

    /// <summary>What kind of reference: <c>page</c>, <c>fragment</c>, <c>pin</c>, <c>long_term_pin</c>, <c>raw</c>, …; in a kernel's trace a class of docs/kernel-traces.md: <c>pipe</c>, <c>direct-io</c>, …</summary>
    public required string Class { get; init; }

    /// <summary>1: certain. Less where its release may be among events that were lost, or the pairing is in doubt.</summary>
    public required double Confidence { get; init; }

    /// <summary><c>exact</c>: by the ledger's ticket. <c>inferred</c>: by pairing.</summary>
    public required string Basis { get; init; }
}
