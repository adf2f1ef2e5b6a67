namespace Quire.Traces.Analysis;

/// <summary>What is asked of an analysis beside the trace.</summary>
public sealed record BlameOptions
{
    /// <summary>Whatever is held at the end for longer is against the rules; null for no such rule.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>Whether to list each holder by itself, not only groups.</summary>
    public bool All { get; init; }

    /// <summary>Whether to ask for references that are not given back, rather than for contiguous allocations.</summary>
    public bool Leaks { get; init; }

    /// <summary>The moment for which to answer, in ns of the trace's clock: events after it are not looked at. Null for the trace's end.</summary>
    public long? AtNs { get; init; }

    /// <summary>The number of the one contiguous allocation asked for, from 1; null for all.</summary>
    public int? Attempt { get; init; }

    /// <summary>Told now and then how many events have been read.</summary>
    public IProgress<long>? Progress { get; init; }

    internal long? MaxAgeNs => MaxAge is { } age ? age.Ticks * 100 : null;
}
