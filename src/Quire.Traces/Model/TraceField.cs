namespace Quire.Traces;

/// <summary>One field of an event, as the event's format text describes it. Immutable.</summary>
public sealed class TraceField
{
    internal TraceField(string name, string type, int offset, int size, bool isSigned, bool isArray, bool isDataLoc, bool isRelLoc)
    {
        Name = name;
        Type = type;
        Offset = offset;
        Size = size;
        IsSigned = isSigned;
        IsArray = isArray;
        IsDataLoc = isDataLoc;
        IsRelLoc = isRelLoc;
    }

    /// <summary>The field's name, without an array's brackets.</summary>
    public string Name { get; }

    /// <summary>The C type as written, without an array's brackets behind the name: <c>unsigned long</c>, <c>__data_loc char[]</c>.</summary>
    public string Type { get; }

    /// <summary>Bytes from the event's first byte, the common fields included.</summary>
    public int Offset { get; }

    /// <summary>Bytes it takes in the event; of an array, all elements; of a <see cref="IsDataLoc"/> field, the 4 bytes that say where the data is.</summary>
    public int Size { get; }

    /// <summary>Whether it is read as a signed number.</summary>
    public bool IsSigned { get; }

    /// <summary>Whether it is an array, of fixed or dynamic length.</summary>
    public bool IsArray { get; }

    /// <summary>Whether it says where its data lies in the event (<c>__data_loc</c>, <c>__rel_loc</c>). In Quire's own recordings such a field has the number of a text; <see cref="TraceRecord.Text"/> reads both.</summary>
    public bool IsDataLoc { get; }

    /// <summary>Of a <see cref="IsDataLoc"/> field: whether the place counts from the field's end (<c>__rel_loc</c>), not from the event's start.</summary>
    internal bool IsRelLoc { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Type} {Name} ({Offset}+{Size})";
}
