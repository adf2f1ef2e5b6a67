using System.Globalization;
using System.Text;

namespace Quire.Traces.Tests;

/// <summary>Everything that can be read of a trace's records, as text: two traces that say the same give the same lines.</summary>
internal static class TraceTexts
{
    internal static List<string> Of(TraceInput input)
    {
        List<string> lines = [];
        while (input.TryRead(out TraceRecord record))
        {
            lines.Add(Line(input, record));
        }

        return lines;
    }

    internal static string Line(TraceInput input, TraceRecord record)
    {
        StringBuilder line = new();
        line.Append(CultureInfo.InvariantCulture, $"{record.Time} cpu {record.Cpu} {record.Snapshot} {input.CommOf(record.Pid)}-{record.Pid} lost {record.LostBefore} {record.Format}");
        foreach (TraceField field in record.Format.Fields)
        {
            line.Append(' ').Append(field.Name).Append('=').Append(record.Text(field));
        }

        foreach (ulong address in record.Stack)
        {
            line.Append(" <- ").Append(input.SymbolOf(address));
        }

        return line.ToString();
    }
}
