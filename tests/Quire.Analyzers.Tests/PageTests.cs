using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>docs/analyzers: a page for each rule and no other, whose bad code is reported so, and whose good code is not.</summary>
public sealed partial class PageTests
{
    private static readonly string[] s_ids = [.. Rules.All.Select(rule => rule.Id)];

    public static TheoryData<string> Ids => [.. s_ids];

    [Fact]
    public void Each_rule_has_its_page_and_each_page_its_rule()
    {
        string[] pages = [.. Directory.EnumerateFiles(Folder(), "QUIRE*.md").Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal)];
        Assert.Equal(s_ids, pages);
        foreach (string id in s_ids)
        {
            Assert.Contains($"[{id}]({id}.md)", File.ReadAllText(Path.Combine(Folder(), "README.md")), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Each_rule_is_some_analyzers_and_leads_to_its_page()
    {
        DiagnosticDescriptor[] supported = [.. Snippet.Analyzers.SelectMany(analyzer => analyzer.SupportedDiagnostics).Distinct()];
        Assert.Equal(s_ids, supported.Select(rule => rule.Id).Order(StringComparer.Ordinal));
        Assert.All(supported, rule => Assert.Equal($"docs/analyzers/{rule.Id}.md", rule.HelpLinkUri));
        Assert.All(supported, rule => Assert.StartsWith($"# {rule.Id}: {char.ToLowerInvariant(rule.Title.ToString(null)[0])}{rule.Title.ToString(null)[1..]}\n", File.ReadAllText(Path.Combine(Folder(), rule.Id + ".md")), StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task The_bad_code_of_a_page_gets_its_diagnostic_and_no_other(string id)
    {
        (string Kind, string Code)[] bad = [.. Blocks(id + ".md").Where(block => block.Kind.StartsWith("csharp QUIRE", StringComparison.Ordinal))];
        Assert.NotEmpty(bad);
        foreach ((string kind, string code) in bad)
        {
            Diagnostic found = Assert.Single(await Diagnose(code));
            Assert.Equal(kind, $"csharp {found.Id}");
            Assert.Equal(id, found.Id);
        }
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task The_good_code_of_a_page_gets_none(string id)
    {
        (string Kind, string Code)[] good = [.. Blocks(id + ".md").Where(block => block.Kind == "csharp")];
        Assert.NotEmpty(good);
        foreach ((_, string code) in good)
        {
            Assert.Empty(await Diagnose(code));
        }
    }

    private static async Task<ImmutableArray<Diagnostic>> Diagnose(string code)
    {
        CSharpCompilation compilation = Snippet.Compile(code, OutputKind.ConsoleApplication);
        Diagnostic[] errors = [.. compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
        Assert.True(errors.Length == 0, $"{string.Join("\n", errors.AsEnumerable())}\n{code}");
        return await Snippet.Diagnose(compilation);
    }

    private static IEnumerable<(string Kind, string Code)> Blocks(string page) =>
        Block().Matches(File.ReadAllText(Path.Combine(Folder(), page)).ReplaceLineEndings("\n")).Select(match => (match.Groups[1].Value, match.Groups[2].Value));

    private static string Folder() => Path.Combine(SourceModel.Root(), "docs", "analyzers");

    [GeneratedRegex("^```(csharp[^\n]*)\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();
}
