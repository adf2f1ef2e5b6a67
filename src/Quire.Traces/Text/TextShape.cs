using System.Globalization;
using System.Text;

namespace Quire.Traces;

/// <summary>One word of an event's text.</summary>
/// <param name="Printed">The word with its equals sign, as printed.</param>
/// <param name="IsText">Whether the value is kept as text.</param>
/// <param name="IsName">Of a text: whether it is one also where it looks like a number.</param>
/// <param name="IsHex">Whether bare digits are hexadecimal.</param>
/// <param name="IsInt32">Whether a hexadecimal value is one of 32 bits with a sign.</param>
/// <param name="Offset">Where the value stands in the event's bytes.</param>
internal sealed record TextSlot(byte[] Printed, bool IsText, bool IsName, bool IsHex, bool IsInt32, int Offset);

/// <summary>One way in which events of a kind are printed: the words, in their order, and which of them are numbers. Each is a format of its own with the kind's name.</summary>
internal sealed class TextShape
{
    /// <summary>Type, flags, preemption count and pid, as in a trace.dat.</summary>
    internal const int HeaderBytes = 8;

    /// <summary>Every value has 8 bytes; of a text, 4 say where it stands.</summary>
    private const int SlotBytes = 8;

    private TextShape(TextSlot[] slots, TraceEventFormat format)
    {
        Slots = slots;
        Format = format;
        Size = HeaderBytes + (slots.Length * SlotBytes);
    }

    internal TextSlot[] Slots { get; }

    internal TraceEventFormat Format { get; }

    /// <summary>Bytes before the texts.</summary>
    internal int Size { get; }

    internal static TextShape Make(string system, string name, int id, IReadOnlyList<(string Printed, bool IsText, bool IsHex, bool IsUnsigned)> words)
    {
        TextSlot[] slots = new TextSlot[words.Count];
        StringBuilder text = new();
        StringBuilder print = new();
        StringBuilder arguments = new();
        text.Append(CultureInfo.InvariantCulture, $"name: {name}\nID: {id}\nformat:\n");
        Field(text, "unsigned short", "common_type", 0, 2, false);
        Field(text, "unsigned char", "common_flags", 2, 1, false);
        Field(text, "unsigned char", "common_preempt_count", 3, 1, false);
        Field(text, "int", "common_pid", 4, 4, true);
        text.Append('\n');
        HashSet<string> used = new(StringComparer.Ordinal);
        for (int at = 0; at < words.Count; at++)
        {
            (string printed, bool isText, bool isHex, bool isUnsigned) = words[at];
            string field = TextNames.FieldOf(name, printed);
            string unique = field;
            for (int copy = 2; !used.Add(unique); copy++)
            {
                unique = $"{field}_{copy}";
            }

            int offset = HeaderBytes + (at * SlotBytes);
            slots[at] = new TextSlot(Encoding.UTF8.GetBytes(printed + "="), isText, TextNames.IsText(printed), isHex, TextNames.IsInt32(system, printed), offset);
            Field(text, isText ? "__data_loc char[]" : isUnsigned ? "unsigned long" : "long", unique, offset, isText ? 4 : 8, !isText && !isUnsigned);
            print.Append(at == 0 ? "" : " ").Append(printed).Append(isText ? "=%s" : isUnsigned ? "=0x%lx" : "=%ld");
            arguments.Append(", ").Append(isText ? $"__get_str({unique})" : $"REC->{unique}");
        }

        text.Append(CultureInfo.InvariantCulture, $"\nprint fmt: \"{print}\"{arguments}\n");
        return new TextShape(slots, TraceEventFormat.Parse(system, text.ToString()));
    }

    private static void Field(StringBuilder text, string type, string name, int offset, int size, bool isSigned) =>
        text.Append(CultureInfo.InvariantCulture, $"\tfield:{type} {name};\toffset:{offset};\tsize:{size};\tsigned:{(isSigned ? 1 : 0)};\n");
}
