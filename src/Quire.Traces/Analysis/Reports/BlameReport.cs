namespace Quire.Traces.Analysis;

/// <summary>Who held what, and whether that is against the rules.</summary>
public sealed record BlameReport
{
    /// <summary>What was analysed.</summary>
    public required SourceReport Source { get; init; }

    /// <summary>The answer in a sentence.</summary>
    public required string Verdict { get; init; }

    /// <summary>What was held at the end, in a sentence.</summary>
    public required string Held { get; init; }

    /// <summary>What is held against the rules, a sentence each; empty where nothing is.</summary>
    public required IReadOnlyList<string> AgainstTheRules { get; init; }

    /// <summary>Contiguous allocations, by their start.</summary>
    public required IReadOnlyList<AttemptReport> Attempts { get; init; }

    /// <summary>What was held at the end: the suspicious first, then by age; what pages have by design last.</summary>
    public required IReadOnlyList<HeldRow> HeldAtEnd { get; init; }

    /// <summary>The sums of the above and of what nobody is on record for.</summary>
    public required HeldTotals Totals { get; init; }

    /// <summary>Every way in which data was lost or can be doubted, by name; those at 0 too.</summary>
    public required IReadOnlyDictionary<string, long> DataQuality { get; init; }

    /// <summary>Sentences about the data that bear on the answer.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Whether references that are not given back were asked for, not contiguous allocations.</summary>
    public bool Leaks { get; init; }

    /// <summary>The command to go on with.</summary>
    public required string Next { get; init; }
}

/// <summary>Sums of what was held at the end.</summary>
/// <param name="References">All of them: the rows', those in reserve, those unattributed.</param>
/// <param name="Pages">Different pages.</param>
/// <param name="Bytes">Bytes of these pages.</param>
/// <param name="Sites">Different rows.</param>
/// <param name="Suspicious">Rows marked so.</param>
/// <param name="ReserveReferences">References that fragment caches had in reserve.</param>
/// <param name="ReservePages">Pages that have such references.</param>
/// <param name="UnattributedReferences">References that counts show and nobody is on record for; null where a part of the references was recorded.</param>
/// <param name="UnattributedPages">Pages that have such references.</param>
/// <param name="OldestNs">Age of the oldest holder that is not by design; null where there is none.</param>
public sealed record HeldTotals(
    long References, int Pages, long Bytes, int Sites, int Suspicious, long ReserveReferences, int ReservePages,
    long? UnattributedReferences, int UnattributedPages, long? OldestNs);
