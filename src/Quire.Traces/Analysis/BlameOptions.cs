namespace Quire.Traces.Analysis;

/// <summary>What is asked of an analysis beside the trace.</summary>
public sealed record BlameOptions
{
    /// <summary>Whatever is held at the end for longer is against the rules; null for no such rule.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>Whether to list each holder by itself, not only groups.</summary>
    public bool All { get; init; }

    /// <summary>Told now and then how many events have been read.</summary>
    public IProgress<long>? Progress { get; init; }

    internal long? MaxAgeNs => MaxAge is { } age ? age.Ticks * 100 : null;
}
