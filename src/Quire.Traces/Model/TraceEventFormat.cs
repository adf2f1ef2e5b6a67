using System.Globalization;

namespace Quire.Traces;

/// <summary>What one kind of event looks like: its number, its name, its fields and how it is printed. Immutable; any thread may read it.</summary>
public sealed class TraceEventFormat
{
    private readonly Dictionary<string, TraceField> _byName;

    private TraceEventFormat(string system, string name, int id, IReadOnlyList<TraceField> fields, string print, string text)
    {
        System = system;
        Name = name;
        Id = id;
        Fields = fields;
        Print = print;
        FormatText = text;
        Size = fields.Count == 0 ? 0 : fields.Max(static field => field.Offset + field.Size);
        _byName = new Dictionary<string, TraceField>(fields.Count, StringComparer.Ordinal);
        foreach (TraceField field in fields)
        {
            _byName.TryAdd(field.Name, field);
        }

        Stack = Find("stack") is { Size: 4 } stack ? stack : null;
    }

    /// <summary>The system it belongs to: <c>page_ref</c>, <c>cma</c>, <c>quire</c>.</summary>
    public string System { get; }

    /// <summary>The event's name: <c>page_ref_mod</c>.</summary>
    public string Name { get; }

    /// <summary>The number that an event of this kind carries (<c>common_type</c>).</summary>
    public int Id { get; }

    /// <summary>All fields in the order of the text, the common ones too.</summary>
    public IReadOnlyList<TraceField> Fields { get; }

    /// <summary>What stands behind <c>print fmt:</c>; empty where nothing does.</summary>
    public string Print { get; }

    /// <summary>The text this was parsed from.</summary>
    public string FormatText { get; }

    /// <summary>Bytes of an event, as far as its fields go; dynamic data comes behind them.</summary>
    public int Size { get; }

    /// <summary>The field with the number of the event's stack in the recording's dictionary.</summary>
    internal TraceField? Stack { get; }

    /// <summary>How many dynamic fields there are from this one on.</summary>
    internal int TextFieldsFrom(TraceField field)
    {
        int count = 0;
        for (int at = Fields.Count - 1; at >= 0; at--)
        {
            count += Fields[at].IsDataLoc ? 1 : 0;
            if (ReferenceEquals(Fields[at], field))
            {
                break;
            }
        }

        return count;
    }

    /// <summary>The field of that name, or null.</summary>
    /// <param name="name">A field's name.</param>
    public TraceField? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Reads a format text, as the kernel has one for each event.</summary>
    /// <param name="system">The system the event belongs to.</param>
    /// <param name="text">The text, from <c>name:</c> to <c>print fmt:</c>.</param>
    /// <exception cref="TraceFormatException">The text is no format text.</exception>
    public static TraceEventFormat Parse(string system, string text)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(text);
        string name = "";
        string print = "";
        int id = -1;
        List<TraceField> fields = [];
        for (int at = 0; at < text.Length;)
        {
            int end = text.IndexOf('\n', at);
            end = end < 0 ? text.Length : end;
            ReadOnlySpan<char> line = text.AsSpan(at, end - at).Trim();
            if (line.StartsWith("name:"))
            {
                name = line[5..].Trim().ToString();
            }
            else if (line.StartsWith("ID:"))
            {
                id = int.TryParse(line[3..], NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out int number) ? number : -1;
            }
            else if (line.StartsWith("field:") || line.StartsWith("field "))
            {
                fields.Add(ParseField(system, name, line));
            }
            else if (line.StartsWith("print fmt:"))
            {
                // The rest of the text, which the kernel may have wrapped.
                print = text[(text.IndexOf("print fmt:", at, StringComparison.Ordinal) + 10)..].Trim();
                break;
            }

            at = end + 1;
        }

        if (name.Length == 0 || id is < 0 or > ushort.MaxValue)
        {
            throw new TraceFormatException($"format of {system}:{(name.Length == 0 ? "?" : name)}", -1, "a format text must have a name and an ID from 0 to 65535.");
        }

        return new TraceEventFormat(system, name, id, fields, print, text);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{System}:{Name}";

    /// <summary>One line <c>field:TYPE NAME; offset:N; size:N; signed:N;</c>; also of the ring buffer's own description (<c>header_page</c>).</summary>
    internal static TraceField ParseField(string system, string name, ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> declaration = default;
        int offset = -1;
        int size = -1;
        bool? isSigned = null;
        foreach (Range range in line.Split(';'))
        {
            ReadOnlySpan<char> part = line[range].Trim();
            int colon = part.IndexOf(':');
            if (colon < 0)
            {
                continue;
            }

            ReadOnlySpan<char> value = part[(colon + 1)..].Trim();
            switch (part[..colon].Trim())
            {
                case "field" or "field special":
                    declaration = value;
                    break;
                case "offset":
                    offset = Number(value);
                    break;
                case "size":
                    size = Number(value);
                    break;
                case "signed":
                    isSigned = value is not "0";
                    break;
            }
        }

        if (declaration.IsEmpty || offset < 0 || size < 0)
        {
            throw new TraceFormatException($"format of {system}:{name}", -1, $"a field needs a declaration, an offset and a size: '{line}'.");
        }

        bool isArray = false;
        int bracket = declaration.LastIndexOf('[');
        int space = declaration.LastIndexOfAny(' ', '\t', '*');
        if (bracket > space && declaration.EndsWith("]"))
        {
            isArray = true;
            declaration = declaration[..bracket].TrimEnd();
            space = declaration.LastIndexOfAny(' ', '\t', '*');
        }

        string type = declaration[..(space + 1)].Trim().ToString();
        bool isRelLoc = type.StartsWith("__rel_loc", StringComparison.Ordinal);
        bool isDataLoc = isRelLoc || type.StartsWith("__data_loc", StringComparison.Ordinal);
        bool looksUnsigned = type.Contains("unsigned", StringComparison.Ordinal) || type.EndsWith('*') || type.StartsWith('u');
        return new TraceField(declaration[(space + 1)..].ToString(), type, offset, size, isSigned ?? !looksUnsigned, isArray || isDataLoc, isDataLoc, isRelLoc);
    }

    private static int Number(ReadOnlySpan<char> text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number < 1 << 24 ? number : -1;
}
