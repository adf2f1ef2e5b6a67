using System.Globalization;
using System.Text.RegularExpressions;

namespace Quire.Traces.Analysis;

/// <summary>The names that a format text gives to a field's numbers (<c>__print_symbolic</c>): the trace itself says what they mean.</summary>
internal sealed partial class SymbolicNames
{
    private readonly Dictionary<long, string> _names = [];
    private readonly string _what;

    /// <param name="format">The event's format; null for no names.</param>
    /// <param name="field">The field.</param>
    internal SymbolicNames(TraceEventFormat? format, string field)
    {
        _what = field;
        foreach (Match table in Table().Matches(format?.Print ?? ""))
        {
            if (table.Groups[1].Value != field)
            {
                continue;
            }

            foreach (Match entry in Entry().Matches(table.Groups[2].Value))
            {
                if (long.TryParse(entry.Groups[1].ValueSpan, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number))
                {
                    _names.TryAdd(number, entry.Groups[2].Value);
                }
            }
        }
    }

    /// <summary>The name of a number; <c>kind 12</c> where it has none.</summary>
    internal string this[long number] => _names.TryGetValue(number, out string? name) ? name : $"{_what} {number}";

    [GeneratedRegex("""__print_symbolic\(\s*REC->(\w+)\s*,((?:\s*\{[^{}]*\}\s*,?)*)\)""", RegexOptions.NonBacktracking)]
    private static partial Regex Table();

    [GeneratedRegex("""\{\s*(-?\d+)\s*,\s*"([^"]*)"\s*\}""", RegexOptions.NonBacktracking)]
    private static partial Regex Entry();
}
