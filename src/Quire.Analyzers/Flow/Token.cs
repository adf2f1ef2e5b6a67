using Microsoft.CodeAnalysis;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <summary>Where one reference stands on one path.</summary>
internal enum Status : byte
{
    /// <summary>Not taken on this path, or done with.</summary>
    None,

    /// <summary>Came from elsewhere: whether this method must release it is not known. That it must not do so twice is.</summary>
    Foreign,

    /// <summary>Taken here, and so to be released or handed on here.</summary>
    Owned,

    Released,

    /// <summary>Somebody else may have it: nothing more is said of it.</summary>
    Escaped,
}

/// <summary>The state of one reference on one path.</summary>
internal readonly struct TokenState(Status status, bool isDoubtful = false, int releasedBy = -1) : IEquatable<TokenState>
{
    internal Status Status { get; } = status;

    /// <summary>
    /// The path chose its way at a branch where this reference stood differently on other paths: what the branch asked may be just what
    /// tells these paths apart, so this one may be none that ever runs.
    /// </summary>
    internal bool IsDoubtful { get; } = isDoubtful;

    // One more than the number, so that default is a reference of which nothing is known.
    private readonly int _releasedBy = releasedBy + 1;

    /// <summary>Number of the release, or -1.</summary>
    internal int ReleasedBy => _releasedBy - 1;

    internal bool Is(Status status) => Status == status && !IsDoubtful;

    public bool Equals(TokenState other) => Status == other.Status && IsDoubtful == other.IsDoubtful && _releasedBy == other._releasedBy;

    public override bool Equals(object? obj) => obj is TokenState other && Equals(other);

    public override int GetHashCode() => ((int)Status * 31) + (_releasedBy * 397) + (IsDoubtful ? 1 : 0);
}

/// <summary>A place that takes a reference, or where one comes in from elsewhere.</summary>
internal sealed class TokenSite(int number, OwnerType type, SyntaxNode syntax, IMethodSymbol? method)
{
    /// <summary>The reference last taken here has twice this number, the one taken before it the next.</summary>
    internal int Number { get; } = number;

    internal OwnerType Type { get; } = type;

    internal SyntaxNode Syntax { get; } = syntax;

    /// <summary>What took it; null for parameters and others that came from elsewhere.</summary>
    internal IMethodSymbol? Method { get; } = method;

    /// <summary>Slots that have ever held it.</summary>
    internal HashSet<int> Slots { get; } = [];

    /// <summary>References that must live as long as this one: an allocator under a cache.</summary>
    internal HashSet<int> Needs { get; } = [];

    /// <summary>Number of the site whose handle was asked for one more reference; -1 where there is none.</summary>
    internal int From { get; set; } = -1;

    /// <summary>Some path releases it or hands it on.</summary>
    internal bool IsEverReleased { get; set; }
}

/// <summary>A place that releases.</summary>
internal sealed class ReleaseSite(SyntaxNode syntax, int slot, bool isLease)
{
    internal SyntaxNode Syntax { get; } = syntax;

    /// <summary>The local by which it releases; -1 for an expression.</summary>
    internal int Slot { get; } = slot;

    internal bool IsLease { get; } = isLease;
}
