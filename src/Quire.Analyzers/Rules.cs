using Microsoft.CodeAnalysis;

namespace Quire.Analyzers;

/// <summary>Every rule: its id, what it says, how sure it is. Each has a page in docs/analyzers.</summary>
/// <remarks>
/// A warning is what is wrong whenever the line runs. What may be meant, or what only a thrown exception would show, is info.
/// </remarks>
internal static class Rules
{
    internal const string Lifetime = "Quire.Lifetime";
    internal const string Usage = "Quire.Usage";

    internal const string NotReleasedId = "QUIRE001";
    internal const string ReleasedTwiceId = "QUIRE002";
    internal const string UsedAfterReleaseId = "QUIRE003";
    internal const string FieldNeverReleasedId = "QUIRE004";
    internal const string TwoOwnersId = "QUIRE005";
    internal const string ViewOutlivesId = "QUIRE006";
    internal const string TryResultIgnoredId = "QUIRE007";
    internal const string ResultDroppedId = "QUIRE008";

    internal static readonly DiagnosticDescriptor NotReleased = new(
        NotReleasedId,
        "A reference is not released on some path",
        "{0} is not released {1}: call '{2}' before that, or hand it on",
        Lifetime,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "Memory whose reference nobody drops never comes back, and keeps its whole page.",
        Page(NotReleasedId));

    internal static readonly DiagnosticDescriptor ReleasedTwice = new(
        ReleasedTwiceId,
        "A reference is released twice",
        "{0} was released before, at line {1}: the second release drops a reference that is somebody else's",
        Lifetime,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "The second release throws, or takes away a reference of somebody who did nothing wrong.",
        Page(ReleasedTwiceId));

    internal static readonly DiagnosticDescriptor UsedAfterRelease = new(
        UsedAfterReleaseId,
        "A reference is used after its release",
        "{0} was released at line {2}: {1}",
        Lifetime,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "After the release the memory may be another's. The call throws, or shows what others wrote.",
        Page(UsedAfterReleaseId));

    internal static readonly DiagnosticDescriptor FieldNeverReleased = new(
        FieldNeverReleasedId,
        "A field owns a reference that its type never releases",
        "'{0}' owns {1}, and nothing in '{2}' releases it: call '{3}' where '{2}' ends",
        Lifetime,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "A private field that is filled with what must be released, in a type that only ever reads it.",
        Page(FieldNeverReleasedId));

    internal static readonly DiagnosticDescriptor TwoOwners = new(
        TwoOwnersId,
        "Two copies of one reference are both released",
        "{0} and {1} stand for one reference, and both release it (the other at line {2}): take a second with 'Get', or release one of them only",
        Lifetime,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "A copy of a handle is not a second reference.",
        Page(TwoOwnersId));

    internal static readonly DiagnosticDescriptor ViewOutlives = new(
        ViewOutlivesId,
        "A view of memory outlives the reference that keeps it",
        "{0} shows memory of {1}, which is released at line {2}: {3}",
        Lifetime,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "A span, a Memory<byte> or an address does not keep its page; nothing checks it again.",
        Page(ViewOutlivesId));

    internal static readonly DiagnosticDescriptor TryResultIgnored = new(
        TryResultIgnoredId,
        "The answer of a TryX call is ignored",
        "'{0}' says whether there is something in '{1}', and nobody looks: test its result",
        Usage,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "Where it answers false, what it gives out is empty; where it answers true, it is yours to release.",
        Page(TryResultIgnoredId));

    internal static readonly DiagnosticDescriptor ResultDropped = new(
        ResultDroppedId,
        "What must be released is thrown away at once",
        "The result of '{0}' must be released, and nothing keeps it",
        Lifetime,
        DiagnosticSeverity.Warning,
        isEnabledByDefault: true,
        "Without the handle nobody can drop the reference.",
        Page(ResultDroppedId));

    /// <summary>All of them, in the order of their numbers.</summary>
    internal static readonly DiagnosticDescriptor[] All =
    [
        NotReleased, ReleasedTwice, UsedAfterRelease, FieldNeverReleased, TwoOwners, ViewOutlives, TryResultIgnored, ResultDropped,
    ];

    private static string Page(string id) => "docs/analyzers/" + id + ".md";
}
