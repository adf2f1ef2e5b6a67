using System.Text.RegularExpressions;

namespace Quire.Docs.Tests;

/// <summary>
/// A fenced block of C# in a page. <c>csharp</c> alone is a whole program that runs and ends; with <c>compile-only</c> it is one that would not end by itself; with anything else behind
/// it (a rule's id, in the analyzers' pages) it belongs to another test.
/// </summary>
/// <param name="Page">The page, as a path from the root of the repository.</param>
/// <param name="Line">The line of the fence, from 1.</param>
/// <param name="Code">What stands between the fences.</param>
/// <param name="Runs">Whether it ends by itself.</param>
/// <param name="Output">What the page says that it prints: the block of <c>text</c> that follows it, with nothing or <i>It prints:</i> between; null where none does.</param>
internal sealed partial record DocsProgram(string Page, int Line, string Code, bool Runs, string? Output)
{
    /// <summary>All programs of all pages.</summary>
    internal static IEnumerable<DocsProgram> All() => Repository.Pages().SelectMany(static page => In(page, Repository.Read(page)));

    /// <summary>The programs of one page.</summary>
    internal static IEnumerable<DocsProgram> In(string page, string text)
    {
        foreach (Match match in Fence().Matches(text))
        {
            int line = 1 + text.AsSpan(0, match.Index).Count('\n');
            string output = match.Groups["output"].Value;
            yield return new DocsProgram(page, line, match.Groups["code"].Value, !match.Groups["only"].Success, match.Groups["output"].Success ? output : null);
        }
    }

    /// <summary>
    /// What of an output is the same in every run: times, sizes with their unit and addresses are not. Counts are, and lines of source: who reads the page looks them up there.
    /// </summary>
    internal static string Steady(string output)
    {
        string steady = Changing().Replace(output.ReplaceLineEndings("\n"), static match => match.Value.StartsWith(".cs:", StringComparison.Ordinal) ? match.Value : "#");
        return Blanks().Replace(steady, " ").Trim();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Page}:{Line}";

    [GeneratedRegex(@"^```csharp(?<only> compile-only)?[ ]*\n(?<code>.*?)^```[ ]*\n(?:\n*(?:It prints:\n+)?```text[ ]*\n(?<output>.*?)^```)?", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\.cs:\d+|0x[0-9a-f]+|\d+([.,]\d+)* (ns|us|µs|ms|s|min|B|KiB|MiB|GiB)\b", RegexOptions.CultureInvariant)]
    private static partial Regex Changing();

    [GeneratedRegex(@"[ \t]+", RegexOptions.CultureInvariant)]
    private static partial Regex Blanks();
}
