namespace Quire.Traces.Analysis;

/// <summary>What counts as held against the rules. Stable: scripts and CI depend on it.</summary>
/// <remarks>
/// <list type="number">
/// <item><c>failed_attempt</c>: a contiguous allocation ended busy. Who holds the pages that would not move broke its promise.</item>
/// <item><c>short_pin</c>: a short pin is held at the end for longer than <see cref="ShortPinBound"/>, which is the bound it promised.</item>
/// <item><c>max_age</c>: where an age was given, whatever is held at the end for longer, but for what pages have by design.</item>
/// <item><c>leak</c>: asked for leaks, a stack of a kernel's trace that gives back less than it takes.</item>
/// </list>
/// Being held at the end is no offence by itself: a recording may end while its process goes on.
/// </remarks>
internal static class BlameRules
{
    /// <summary>The bound of a short pin in ns: <c>MovablePage.ShortPinBound</c> of the library, 100 ms.</summary>
    internal const long ShortPinBound = 100_000_000;

    internal const string FailedAttempt = "failed_attempt";
    internal const string ShortPin = "short_pin";
    internal const string MaxAge = "max_age";
    internal const string Leak = "leak";

    /// <summary>The table's own reference of movable data: it is what makes a page movable, and never in the way.</summary>
    internal const string Movable = "movable";

    /// <summary>Whether pages are held so by design.</summary>
    internal static bool IsStructural(string kind) => kind is "bias" or Movable or "contiguous";

    /// <summary>The rule that a holder at the end is against, or null.</summary>
    internal static string? Broken(string kind, long age, long? maxAge) =>
        kind == "pin" && age > ShortPinBound ? ShortPin
        : maxAge is { } limit && age > limit && !IsStructural(kind) ? MaxAge
        : null;
}
