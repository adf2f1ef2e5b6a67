namespace Quire.Analyzers.Flow;

/// <summary>What is known of what a local, or an expression, holds.</summary>
internal enum ValueKind : byte
{
    Unknown,

    /// <summary>Null, or a handle that stands for nothing.</summary>
    Null,
    True,
    False,

    /// <summary>The handle or the object by which a reference is released.</summary>
    Owner,

    /// <summary>An object that will release a handle's reference.</summary>
    Lease,

    /// <summary>A span or a Memory of the memory.</summary>
    View,

    /// <summary>An address in the memory: who has it can find the page again, and so the reference.</summary>
    Pointer,

    /// <summary>A handle of the page behind, with no reference of its own.</summary>
    PageBehind,
}

/// <summary>A value, and the reference that it has to do with.</summary>
internal readonly struct Value(ValueKind kind, int token = -1) : IEquatable<Value>
{
    internal ValueKind Kind { get; } = kind;

    /// <summary>Number of the reference, or -1.</summary>
    internal int Token { get; } = token;

    internal static Value Unknown => new(ValueKind.Unknown);

    internal static Value Null => new(ValueKind.Null);

    internal bool IsBool => Kind is ValueKind.True or ValueKind.False;

    /// <summary>The reference can be released by this value.</summary>
    internal bool Releases => Kind is ValueKind.Owner or ValueKind.Lease;

    internal bool HasToken => Kind >= ValueKind.Owner;

    /// <summary>A bool; the reference is the one that it tells of, if it does.</summary>
    internal static Value Of(bool value, int token = -1) => new(value ? ValueKind.True : ValueKind.False, token);

    /// <summary>The opposite, of the same reference.</summary>
    internal Value Turned() => Of(Kind == ValueKind.False, Token);

    internal Value As(ValueKind kind) => new(kind, Token);

    public bool Equals(Value other) => Kind == other.Kind && Token == other.Token;

    public override bool Equals(object? obj) => obj is Value other && Equals(other);

    public override int GetHashCode() => ((int)Kind * 397) ^ Token;
}
