using System.Text;

namespace Quire;

/// <summary>A managed stack as it was when a reference was taken or dropped: the method that called Quire first, the thread's first method last.</summary>
/// <remarks>
/// Made once for each distinct stack; what it holds does not change. Safe on any thread. Two are equal if they have the same frames in the same order.
/// The counterpart of the <c>kernel_stack</c> event that follows an event of the kernel's.
/// </remarks>
public sealed class CapturedStack : IEquatable<CapturedStack>
{
    private readonly string[] _frames;

    internal CapturedStack(string[] frames, bool isPartial)
    {
        _frames = frames;
        IsPartial = isPartial;
    }

    /// <summary>
    /// The frames, each without white space: <c>Namespace.Type.Method(File.cs:12)</c>, or <c>Namespace.Type.Method</c> where no line is known. An async method, an
    /// iterator, a lambda and a local function stand under the name of the method that they are written in.
    /// </summary>
    public IReadOnlyList<string> Frames => _frames;

    /// <summary>
    /// True where the stack goes on below the last frame shown: below 128 frames, and below native code that keeps no frame pointers and called back. The frames that are shown are right.
    /// </summary>
    public bool IsPartial { get; }

    /// <inheritdoc/>
    public bool Equals(CapturedStack? other) => other is not null && IsPartial == other.IsPartial && _frames.AsSpan().SequenceEqual(other._frames);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CapturedStack);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(IsPartial, _frames.Length, _frames.Length == 0 ? "" : _frames[0]);

    /// <summary>A line for each frame, <c>at Namespace.Type.Method(File.cs:12)</c>; the last line says if frames are missing.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach (string frame in _frames)
        {
            text.Append(text.Length == 0 ? "at " : "\nat ").Append(frame);
        }

        return text.Append(!IsPartial ? "" : text.Length == 0 ? "(frames are missing)" : "\n(frames are missing)").ToString();
    }
}
