namespace Quire.Traces;

/// <summary>All events with one name.</summary>
internal sealed class TextKind(string system, string name)
{
    internal string System { get; } = system;

    internal string Name { get; } = name;

    /// <summary>Whether its text is what somebody wrote, and not fields.</summary>
    internal bool IsMarker { get; } = name is "print" or "bprint" or "bputs" or "tracing_mark_write" or "tracing_mark_raw_write" or "0";

    /// <summary>The field that a whole line ends with; null where nobody knows.</summary>
    internal string? LastField { get; } = TextNames.LastFieldOf(name);

    /// <summary>The ways it was seen printed; the one seen last stands first.</summary>
    internal List<TextShape> Shapes { get; } = [];
}
