namespace Quire.Traces.Analysis;

/// <summary>What happened to a page's reference at a stack.</summary>
internal enum RefRole
{
    /// <summary>It was taken.</summary>
    Take,

    /// <summary>It was given back.</summary>
    Put,
}
