namespace Quire;

/// <summary>What every event begins with, as every ftrace event does.</summary>
/// <param name="type">The event's number.</param>
/// <param name="pid">The system's number of the thread (<c>gettid</c>).</param>
internal readonly struct EventHeader(Tracepoint type, int pid)
{
    internal readonly Tracepoint CommonType = type;
    internal readonly byte CommonFlags = 0;
    internal readonly byte CommonPreemptCount = 0;
    internal readonly int CommonPid = pid;
}

/// <summary>The field's C type in the format text, where it does not follow from the C# type.</summary>
[AttributeUsage(AttributeTargets.Field)]
internal sealed class CTypeAttribute(string type) : Attribute
{
    internal string Type => type;
}

/// <summary>
/// A field that holds the number of a text in the recording's dictionary: a call site, the name of an allocator or an area. A trace.dat
/// made of the recording has the text itself (<c>__data_loc char[]</c>).
/// </summary>
[AttributeUsage(AttributeTargets.Field)]
internal sealed class TextAttribute : Attribute;
