namespace Quire.Traces;

/// <summary>Whether a record says what happened, or what was so at one moment.</summary>
public enum TraceSnapshot
{
    /// <summary>It happened.</summary>
    None,

    /// <summary>It was so when the recording began.</summary>
    Start,

    /// <summary>It was so when the recording ended.</summary>
    End,
}
