using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>What a fix makes of the code: it compiles, nothing of Quire's is reported any more, and it reads so.</summary>
public sealed class CodeFixTests
{
    [Theory]
    [InlineData(
        "PageFragment f = cache.Allocate(10);\n        Look(f.Span);",
        "PageFragment f = cache.Allocate(10);\n        using FragmentLease fLease = f.Lease();\n        Look(f.Span);")]
    [InlineData(
        "foreach (MovablePage page in new List<MovablePage>())\n        {\n            PagePin pin = page.Pin();\n            Look(pin.Span);\n        }",
        "foreach (MovablePage page in new List<MovablePage>())\n        {\n            PagePin pin = page.Pin();\n            using PinLease pinLease = pin.Lease();\n            Look(pin.Span);\n        }")]
    [InlineData(
        "Page p = allocator.Allocate();\n        p.Span.Clear();",
        "Page p = allocator.Allocate();\n        try\n        {\n            p.Span.Clear();\n        }\n        finally\n        {\n            p.Put();\n        }")]
    [InlineData(
        "PageFragmentCache own = new(allocator);\n        own.Allocate(1).Free();",
        "using PageFragmentCache own = new(allocator);\n        own.Allocate(1).Free();")]
    [InlineData(
        "// With tracking.\n        IDisposable tracking = Holders.Track();\n        Maybe();",
        "// With tracking.\n        using IDisposable tracking = Holders.Track();\n        Maybe();")]
    [InlineData(
        "PageFragment f = cache.Allocate(10);\n        if (flag)\n        {\n            return;\n        }\n\n        f.Free();",
        null)]
    [InlineData(
        "cache.TryAllocate(1, out PageFragment f, out _);\n        f.Free();",
        "if (!cache.TryAllocate(1, out PageFragment f, out _))\n        {\n            return;\n        }\n        f.Free();")]
    [InlineData(
        "Holders.Track();\n        Maybe();",
        "using var tracking = Holders.Track();\n        Maybe();")]
    [InlineData(
        "PageFragment f = cache.Allocate(10);\n        f.Free();\n        Maybe();\n        f.Free();",
        "PageFragment f = cache.Allocate(10);\n        f.Free();\n        Maybe();")]
    [InlineData(
        "PageFragment f = cache.Allocate(10);\n        if (flag)\n        {\n            f.Free();\n        }\n\n        f.Free();",
        null)]
    [InlineData("cache.Allocate(10);", null)]
    public async Task A_fix_makes_it_right_or_there_is_none(string body, string? expected)
    {
        (string? text, ImmutableArray<Diagnostic> left) = await Fix(Code(body));
        Assert.Equal(expected is null ? null : Code(expected), text);
        Assert.True(expected is null || left.IsEmpty, string.Join("\n", left));
    }

    [Fact]
    public async Task In_an_async_method_a_fragment_is_released_in_a_finally_block_since_a_lease_cant_cross_an_await()
    {
        string before = Code("PageFragment f = cache.Allocate(10);\n        await Later();").Replace("static void", "static async Task", StringComparison.Ordinal).Replace("unsafe ", "", StringComparison.Ordinal);
        (string? after, ImmutableArray<Diagnostic> left) = await Fix(before);
        Assert.Contains("finally\n        {\n            f.Free();", after, StringComparison.Ordinal);
        Assert.Empty(left);
    }

    private static string Code(string body) =>
        $$"""
        using static Somewhere;
        unsafe class Subject
        {
            static void Do(PageFragmentCache cache, PageAllocator allocator, int n, bool flag)
            {
                {{body}}
            }
        }
        """;

    /// <summary>The text after the first fix that is offered, and what is still reported; null where none is offered.</summary>
    private static async Task<(string? Text, ImmutableArray<Diagnostic> Left)> Fix(string code)
    {
        using AdhocWorkspace workspace = new();
        CSharpCompilation compilation = Snippet.Compile(code);
        Project project = workspace.AddProject("Snippet", LanguageNames.CSharp)
            .WithCompilationOptions(compilation.Options)
            .WithParseOptions(compilation.SyntaxTrees[0].Options)
            .WithMetadataReferences(compilation.References);
        foreach (SyntaxTree tree in compilation.SyntaxTrees)
        {
            project = project.AddDocument(tree.FilePath, await tree.GetTextAsync()).Project;
        }

        Document document = project.Documents.Single(one => one.Name == "Snippet.cs");
        ImmutableArray<Diagnostic> found = await Snippet.Diagnose((await project.GetCompilationAsync())!);
        foreach (CodeFixProvider provider in (CodeFixProvider[])[new ReleaseFixProvider(), new StatementFixProvider()])
        {
            foreach (Diagnostic diagnostic in found.Where(one => provider.FixableDiagnosticIds.Contains(one.Id)))
            {
                List<CodeAction> offered = [];
                await provider.RegisterCodeFixesAsync(new CodeFixContext(document, diagnostic, (action, _) => offered.Add(action), CancellationToken.None));
                if (offered.Count > 0)
                {
                    ApplyChangesOperation change = (await offered[0].GetOperationsAsync(CancellationToken.None)).OfType<ApplyChangesOperation>().Single();
                    Document changed = change.ChangedSolution.GetDocument(document.Id)!;
                    Compilation after = (await changed.Project.GetCompilationAsync())!;
                    Assert.Empty(after.GetDiagnostics().Where(one => one.Severity == DiagnosticSeverity.Error));
                    return ((await changed.GetTextAsync()).ToString(), await Snippet.Diagnose(after));
                }
            }
        }

        return (null, found);
    }
}
