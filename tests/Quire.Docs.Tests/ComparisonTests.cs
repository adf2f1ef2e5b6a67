using System.Text.RegularExpressions;
using Xunit;

namespace Quire.Docs.Tests;

/// <summary>A yes in the comparison is a test that holds it.</summary>
public sealed partial class ComparisonTests
{
    private const string Page = "docs/comparison.md";

    [Fact]
    public void Every_column_of_the_comparison_is_answered_for_Quire_and_each_yes_names_a_test_that_exists()
    {
        string text = Repository.Read(Page);
        string[] columns = [.. Cells(Line(text, "| | counts references |")).Skip(1)];
        string[] answers = [.. Cells(Line(text, "| **Quire** |")).Skip(1)];
        Assert.Equal(columns.Length, answers.Length);

        Dictionary<string, string[]> rows = text[text.IndexOf("## Our row", StringComparison.Ordinal)..].Split('\n')
            .Where(static line => line.StartsWith("| ", StringComparison.Ordinal) && !line.StartsWith("| | |", StringComparison.Ordinal))
            .Select(Cells)
            .ToDictionary(static cells => cells[0]);
        Assert.Equal(columns.Order(StringComparer.Ordinal), rows.Keys.Order(StringComparer.Ordinal));

        List<string> wrong = [];
        foreach ((string column, string answer) in columns.Zip(answers))
        {
            string[] row = rows[column];
            MatchCollection tests = TestLink().Matches(row[3]);
            if (row[1] != answer)
            {
                wrong.Add($"{column}: the table says {answer}, its row {row[1]}");
            }

            if (answer != "–" && tests.Count == 0)
            {
                wrong.Add($"{column}: no test");
            }

            wrong.AddRange(tests.Where(static test => !IsTest(test.Groups["name"].Value, test.Groups["path"].Value)).Select(test => $"{column}: {test.Value}: there is no such test"));
        }

        Assert.True(wrong.Count == 0, string.Join(Environment.NewLine, wrong));
    }

    private static bool IsTest(string name, string path)
    {
        string file = Path.GetFullPath(Path.Combine(Repository.Root, "docs", path));
        return File.Exists(file) && Regex.IsMatch(File.ReadAllText(file), $@"^    public [^\n]* {Regex.Escape(name)}\(", RegexOptions.Multiline | RegexOptions.CultureInvariant);
    }

    private static string Line(string text, string begin) => text.Split('\n').Single(line => line.StartsWith(begin, StringComparison.Ordinal));

    private static string[] Cells(string line) => [.. line.Trim().Trim('|').Split('|').Select(static cell => cell.Trim())];

    [GeneratedRegex(@"\[(?<name>\w+)\]\((?<path>[^)]+\.cs)\)", RegexOptions.CultureInvariant)]
    private static partial Regex TestLink();
}
