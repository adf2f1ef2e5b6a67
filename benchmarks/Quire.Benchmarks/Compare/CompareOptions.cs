using System.Diagnostics.CodeAnalysis;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.Compare;

/// <summary>What the command line of <c>compare</c> asks for.</summary>
/// <param name="Quick">The brief schedule.</param>
/// <param name="Json">Where to write the figures for machines, or null.</param>
/// <param name="Rows">The rows in the order of the table; never empty.</param>
/// <param name="Read">The consumers of a handoff read each block's first byte.</param>
internal sealed record CompareOptions(bool Quick, string? Json, IReadOnlyList<string> Rows, bool Read)
{
    public const string Usage = "compare [--quick] [--json FILE] [--row ID]... [--read]";

    /// <summary>Reads the arguments after the verb.</summary>
    /// <param name="arguments">Options in any order.</param>
    /// <param name="options">The result where true is returned.</param>
    /// <param name="complaint">One line that says what is wrong where false is returned.</param>
    public static bool TryParse(
        ReadOnlySpan<string> arguments, [NotNullWhen(true)] out CompareOptions? options, [NotNullWhen(false)] out string? complaint)
    {
        bool quick = false;
        bool read = false;
        string? json = null;
        HashSet<string> rows = [];
        options = null;
        for (int i = 0; i < arguments.Length; i++)
        {
            string option = arguments[i];
            switch (option)
            {
                case "--quick":
                    quick = true;
                    break;
                case "--read":
                    read = true;
                    break;
                case "--json" or "--row" when i + 1 == arguments.Length || arguments[i + 1].StartsWith("--", StringComparison.Ordinal):
                    complaint = $"{option} needs a value; usage: {Usage}";
                    return false;
                case "--json" when json is not null:
                    complaint = "--json is given twice";
                    return false;
                case "--json":
                    json = arguments[++i];
                    break;
                case "--row":
                    string name = arguments[++i];
                    if (RowCatalog.Named(name) is not [_, ..] named)
                    {
                        complaint = $"there is no row '{name}'; the rows are {string.Join(", ", RowCatalog.Ids)}";
                        return false;
                    }

                    rows.UnionWith(named);
                    break;
                default:
                    complaint = $"'{option}' is not known; usage: {Usage}";
                    return false;
            }
        }

        if (json is not null && !FiguresFile.CanWrite(json, out complaint))
        {
            return false;
        }

        options = new CompareOptions(quick, json, rows.Count == 0 ? RowCatalog.Ids : [.. RowCatalog.Ids.Where(rows.Contains)], read);
        complaint = null;
        return true;
    }
}
