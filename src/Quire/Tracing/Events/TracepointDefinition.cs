using System.Text;
using System.Text.RegularExpressions;

namespace Quire;

/// <summary>One event: its number, its name in the kernel's manner, its fields, and how it is printed.</summary>
/// <param name="Id">The number an event of it carries.</param>
/// <param name="System">The ftrace system: <c>page_ref</c>, <c>kmem</c>, <c>cma</c>, …, or <c>quire</c>.</param>
/// <param name="Name">The event's name.</param>
/// <param name="Print">How it is printed, with fields in braces, and behind a colon the table of names for a number.</param>
/// <param name="Summary">One sentence for the docs.</param>
/// <param name="Fields">The fields behind the header.</param>
internal sealed partial record TracepointDefinition(
    Tracepoint Id, string System, string Name, string Print, string Summary, IReadOnlyList<TracepointField> Fields)
{
    private const string CommonFields = """
        	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
        	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
        	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
        	field:int common_pid;	offset:4;	size:4;	signed:1;


        """;

    /// <summary>The event's <c>format</c> text, as the kernel has one for each of its events under <c>events/</c>; every ftrace reader understands it.</summary>
    internal string FormatText()
    {
        StringBuilder text = new();
        text.Append($"name: {Name}\nID: {(int)Id}\nformat:\n").Append(CommonFields);
        foreach (TracepointField field in Fields)
        {
            text.Append($"\tfield:{field.Type} {field.Name};\toffset:{field.Offset};\tsize:{field.Size};\tsigned:{(field.IsSigned ? 1 : 0)};\n");
        }

        List<string> arguments = [];
        string print = Placeholder().Replace(Print, match => Conversion(match.Groups[1].Value, match.Groups[2].Value, IsHex(match), arguments));
        return text.Append($"\nprint fmt: \"{print}\", {string.Join(", ", arguments)}\n").ToString();
    }

    private bool IsHex(Match match) => match.Index >= 2 && Print.AsSpan(match.Index - 2, 2).SequenceEqual("0x");

    private string Conversion(string name, string table, bool isHex, List<string> arguments)
    {
        if (table == "isolated")
        {
            arguments.Add("REC->end_pfn <= REC->fin_pfn ? \"success\" : \"fail\"");
            return "%s";
        }

        TracepointField field = Fields.Single(field => field.Name == name);
        string names = table switch
        {
            "" => "",
            "pageflags" => """(REC->flags) ? __print_flags(REC->flags, "|", {0x1, "head"}, {0x2, "frozen"}, {0x4, "movable"}, {0x8, "zero_on_free"}) : "none" """,
            "mode" => "__print_symbolic(REC->mode, {0, \"MIGRATE_ASYNC\"}, {1, \"MIGRATE_SYNC_LIGHT\"}, {2, \"MIGRATE_SYNC\"})",
            "reason" => "__print_symbolic(REC->reason, {6, \"contig_range\"}, {7, \"longterm_pin\"})",
            "busy" => "__print_symbolic(REC->reason, {0, \"pinned\"}, {1, \"held_by_caller\"}, {2, \"long_term_pinned\"}, {3, \"referenced\"}, {4, \"freed_but_referenced\"}, {5, \"in_transit\"}, {6, \"unreferenced\"})",
            "kind" => "__print_symbolic(REC->kind, {0, \"page\"}, {1, \"fragment\"}, {2, \"pin\"}, {3, \"long_term_pin\"}, {4, \"bias\"}, {5, \"movable\"}, {6, \"contiguous\"}, {7, \"raw\"})",
            _ => throw new NotSupportedException($"There is no table of names '{table}'."),
        };
        arguments.Add(names.Length > 0 ? names.TrimEnd() : field.IsText ? $"__get_str({name})" : $"REC->{name}");
        return names.Length > 0 || field.IsText ? "%s"
            : field.Type.EndsWith('*') ? "%p"
            : (field.Size, isHex, field.IsSigned) switch
            {
                (8, true, _) => "%lx",
                (8, false, _) => "%lu",
                (_, true, _) => "%x",
                (_, false, true) => "%d",
                _ => "%u",
            };
    }

    [GeneratedRegex(@"\{(\w*)(?::(\w+))?\}")]
    private static partial Regex Placeholder();
}
