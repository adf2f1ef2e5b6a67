namespace Quire.Traces.Analysis;

/// <summary>What the stacks of a kernel's page references mean. Thread-safe: nothing here changes.</summary>
internal static class RefClasses
{
    private static readonly RefClass s_unknown = new("unknown", false, "an unknown holder", "Look at the stack.");

    /// <summary>All classes.</summary>
    internal static IReadOnlyList<RefClass> All { get; } = [s_unknown];

    /// <summary>All rules.</summary>
    internal static IReadOnlyList<RefRule> Rules { get; } = [];

    /// <summary>The class of a reference.</summary>
    /// <param name="frames">The functions' names, innermost first, as the kernel prints them.</param>
    /// <param name="role">Whether the reference was taken or given back there.</param>
    /// <param name="isPin">Whether it is a pin (FOLL_PIN).</param>
    internal static RefClass Of(ReadOnlySpan<string> frames, RefRole role, bool isPin) => Match(frames, role, isPin).Class;

    /// <summary>The class of a reference, with what said so.</summary>
    /// <inheritdoc cref="Of"/>
    internal static RefMatch Match(ReadOnlySpan<string> frames, RefRole role, bool isPin)
    {
        _ = (role, isPin);
        return new RefMatch(s_unknown, null, FirstMeaningful(frames), null);
    }

    /// <summary>The class of that name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    internal static RefClass Find(string name) => All.FirstOrDefault(one => one.Name == name) ?? throw new KeyNotFoundException($"there is no class '{name}'.");

    /// <summary>The frame that names the site best; -1 where none tells anything.</summary>
    internal static int FirstMeaningful(ReadOnlySpan<string> frames) => frames.IsEmpty ? -1 : 0;
}
