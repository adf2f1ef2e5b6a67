using System.Collections.Immutable;

namespace Quire.Analyzers.Knowledge;

/// <summary>What a type of Quire's is to its user.</summary>
internal enum OwnerKind
{
    /// <summary>A struct that stands for one reference. It can be copied, and a second release is always wrong.</summary>
    Handle,

    /// <summary>An object that owns a reference and must be disposed once.</summary>
    Owner,

    /// <summary>A ref struct that will release the handle it was made of.</summary>
    Lease,

    /// <summary>An object that gives others their memory. It must be disposed; twice is once.</summary>
    Service,
}

/// <summary>What calling a member does to the reference that its receiver, or an argument, stands for.</summary>
internal enum Effect
{
    /// <summary>Nothing: it may be called at any time, after the release too.</summary>
    None,

    /// <summary>Reads or writes the memory, or takes another reference: only while this one is held.</summary>
    Use,

    /// <summary>As <see cref="Use"/>, and gives a view of the memory (a span, a Memory, an address).</summary>
    View,

    /// <summary>Gives the same handle, to look at.</summary>
    Alias,

    /// <summary>Gives a handle of the page behind, without a reference of its own.</summary>
    PageBehind,

    /// <summary>Drops the reference.</summary>
    Release,

    /// <summary>Gives an object that releases the reference from here on.</summary>
    Lease,

    /// <summary>Takes the reference back out of a lease.</summary>
    Detach,

    /// <summary>Not known: whoever looked at it must be silent from here on.</summary>
    Unknown,
}

/// <summary>One type of the table.</summary>
internal sealed class OwnerType(string name, OwnerKind kind, string release, string noun)
{
    private ImmutableDictionary<string, Effect> _members = ImmutableDictionary<string, Effect>.Empty;

    /// <summary>Its name in the namespace Quire.</summary>
    internal string Name { get; } = name;

    internal OwnerKind Kind { get; } = kind;

    /// <summary>The method that releases.</summary>
    internal string ReleaseName { get; } = release;

    /// <summary>What to call one of them in a message.</summary>
    internal string Noun { get; } = noun;

    /// <summary>A second release is an error, not a habit.</summary>
    internal bool IsOnce => Kind is OwnerKind.Handle or OwnerKind.Owner;

    internal OwnerType With(Effect effect, params string[] members)
    {
        foreach (string member in members)
        {
            _members = _members.SetItem(member, effect);
        }

        return this;
    }

    /// <summary>What the member does. A member that the table does not know looks at the handle and no more.</summary>
    internal Effect Of(string member) =>
        member == ReleaseName || (member == "Dispose" && Kind != OwnerKind.Handle) ? Effect.Release
        : _members.TryGetValue(member, out Effect effect) ? effect
        : Effect.None;
}
