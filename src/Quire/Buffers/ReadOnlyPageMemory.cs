using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>An owner of bytes that its holder may read and not write: one reference, with a <see cref="ReadOnlyMemory{T}"/> on it.</summary>
/// <remarks>
/// A value around a <see cref="PageMemory"/>: copying it copies no reference, so dispose one of the copies, once. <c>default</c> owns nothing, is empty, and may be disposed.
/// What is said of <see cref="PageMemory"/> about pooling, misuse and threads holds here too.
/// </remarks>
public readonly struct ReadOnlyPageMemory : IDisposable, IEquatable<ReadOnlyPageMemory>
{
    private readonly PageMemory? _owner;

    internal ReadOnlyPageMemory(PageMemory owner) => _owner = owner;

    /// <summary>Bytes.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public int Length => _owner?.Length ?? 0;

    /// <summary>The bytes, for as long as the owner is not disposed.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public ReadOnlyMemory<byte> Memory => _owner?.Memory ?? default;

    /// <summary>The bytes as a span, which is not checked again.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public ReadOnlySpan<byte> Span => _owner is null ? default : _owner.GetSpan();

    /// <summary>The page in which the bytes lie, as a handle without a reference of its own; <c>default</c> where nothing is owned.</summary>
    /// <exception cref="PageBugException">The owner was disposed.</exception>
    public Page Page => _owner?.Page ?? default;

    /// <summary>Takes one more reference, on part of the bytes.</summary>
    /// <inheritdoc cref="PageMemory.SliceReadOnly"/>
    public ReadOnlyPageMemory Slice(int start, int length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        if (_owner is not null)
        {
            return _owner.SliceReadOnly(start, length, file, line, member);
        }

        return (start | length) == 0 ? default : throw new ArgumentOutOfRangeException(nameof(start), "Nothing is owned, so there is nothing to slice.");
    }

    /// <inheritdoc cref="PageMemory.Touch"/>
    public void Touch([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _owner?.Touch(file, line, member);

    /// <inheritdoc cref="PageMemory.Transfer"/>
    public void Transfer([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _owner?.Transfer(file, line, member);

    /// <summary>Drops the reference.</summary>
    /// <inheritdoc cref="PageMemory.Dispose(string, int, string)" path="/exception"/>
    public void Dispose([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _owner?.Dispose(file, line, member);

    /// <inheritdoc/>
    void IDisposable.Dispose() => ((IDisposable?)_owner)?.Dispose();

    /// <summary>True where both are the same owner.</summary>
    public bool Equals(ReadOnlyPageMemory other) => ReferenceEquals(_owner, other._owner);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ReadOnlyPageMemory other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _owner?.GetHashCode() ?? 0;

    /// <summary>See <see cref="Equals(ReadOnlyPageMemory)"/>.</summary>
    public static bool operator ==(ReadOnlyPageMemory left, ReadOnlyPageMemory right) => left.Equals(right);

    /// <summary>See <see cref="Equals(ReadOnlyPageMemory)"/>.</summary>
    public static bool operator !=(ReadOnlyPageMemory left, ReadOnlyPageMemory right) => !left.Equals(right);
}
