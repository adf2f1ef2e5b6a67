namespace Quire.Traces.Analysis;

/// <summary>Who holds one page, and who held it and gave it back.</summary>
public sealed record PageReport
{
    /// <summary>What was analysed.</summary>
    public required SourceReport Source { get; init; }

    /// <summary>The answer in a sentence.</summary>
    public required string Verdict { get; init; }

    /// <summary>The frame number of the head, which has the references.</summary>
    public required ulong Pfn { get; init; }

    /// <summary>The frame number that was asked for: the head's, or a tail's.</summary>
    public required ulong Asked { get; init; }

    /// <summary><c>live</c>, <c>free</c>, or <c>unseen</c>: no event of it.</summary>
    public required string State { get; init; }

    /// <summary>The generation that is shown, the newest; null where none is known.</summary>
    public required ulong? Generation { get; init; }

    /// <summary>The page's order; null where unknown.</summary>
    public required int? Order { get; init; }

    /// <summary>Its allocator; null where unknown.</summary>
    public required string? Owner { get; init; }

    /// <summary><c>unmovable</c>, <c>movable</c>, <c>contiguous</c>, <c>isolated</c>; null where unknown.</summary>
    public required string? MigrateType { get; init; }

    /// <summary>Its count at the end; null where unknown.</summary>
    public required int? Count { get; init; }

    /// <summary>The count with which it can be moved; null where it is not known to be movable.</summary>
    public required int? Expected { get; init; }

    /// <summary>When it was allocated; null where the trace does not have that.</summary>
    public required long? AllocatedNs { get; init; }

    /// <summary>By which thread.</summary>
    public required TraceTask? AllocatedTask { get; init; }

    /// <summary>From where.</summary>
    public required string? AllocatedSite { get; init; }

    /// <summary>When it was freed, or begun anew; null while it lives.</summary>
    public required long? FreedNs { get; init; }

    /// <summary>References a fragment cache has in reserve on it.</summary>
    public required int Reserve { get; init; }

    /// <summary>References that its count shows and nobody is on record for; null where a part of the references was recorded, or the count is unknown.</summary>
    public required int? Unattributed { get; init; }

    /// <summary>Who holds it, the oldest first.</summary>
    public required IReadOnlyList<HolderReport> Holders { get; init; }

    /// <summary>What was taken and given back, by who took it.</summary>
    public required IReadOnlyList<BalancedSite> Balanced { get; init; }

    /// <summary>Holders that moved to another page with their data.</summary>
    public required int MovedAway { get; init; }

    /// <summary>Contiguous allocations that failed because of it.</summary>
    public required IReadOnlyList<AttemptReport> Attempts { get; init; }

    /// <summary>What is held against the rules, a sentence each; empty where nothing is.</summary>
    public required IReadOnlyList<string> AgainstTheRules { get; init; }

    /// <summary>Sentences about the data that bear on the answer.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Every way in which data was lost or can be doubted, by name; those at 0 too.</summary>
    public required IReadOnlyDictionary<string, long> DataQuality { get; init; }

    /// <summary>The command to go on with.</summary>
    public required string Next { get; init; }
}

/// <summary>References of one site that are no longer held.</summary>
/// <param name="Site">Who took them.</param>
/// <param name="Class">What kind of reference.</param>
/// <param name="Holders">How many takings.</param>
/// <param name="Taken">References taken.</param>
/// <param name="Released">References whose release the trace has.</param>
public sealed record BalancedSite(string Site, string Class, long Holders, long Taken, long Released);
