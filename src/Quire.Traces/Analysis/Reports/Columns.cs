using System.Text;

namespace Quire.Traces.Analysis;

/// <summary>Lines laid out in columns: words to the left, numbers to the right, two spaces between, no blanks at a line's end.</summary>
internal sealed class Columns(params bool[] rightAligned)
{
    private readonly List<(string Mark, string[] Cells)> _lines = [];

    /// <summary>Adds a line.</summary>
    /// <param name="mark">One sign before the line: <c>!</c> or a blank.</param>
    /// <param name="cells">A cell a column.</param>
    internal void Add(string mark, params string[] cells) => _lines.Add((mark, cells));

    internal bool IsEmpty => _lines.Count == 0;

    internal void Write(TextWriter output)
    {
        int[] widths = [.. rightAligned.Select((_, column) => _lines.Max(line => column < line.Cells.Length ? line.Cells[column].Length : 0))];
        foreach ((string mark, string[] cells) in _lines)
        {
            StringBuilder row = new($"  {mark}");
            for (int column = 0; column < cells.Length; column++)
            {
                row.Append(column == 0 ? " " : "  ");
                row.Append(rightAligned[column] ? cells[column].PadLeft(widths[column]) : cells[column].PadRight(widths[column]));
            }

            output.Write(row.ToString().TrimEnd());
            output.Write('\n');
        }
    }
}
