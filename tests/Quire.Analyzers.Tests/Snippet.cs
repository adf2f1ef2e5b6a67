using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>Compiles a piece of code and holds what the analyzers say of it to what its marks say: <c>{|QUIRE001:the text reported|}</c>.</summary>
internal static partial class Snippet
{
    private const string Usings =
        """
        global using System;
        global using System.Buffers;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        global using Quire;
        """;

    /// <summary>What every snippet may use without writing it down.</summary>
    private const string Helpers =
        """
        static class Somewhere
        {
            public static bool Maybe() => true;
            public static bool Maybe(int n) => n > 0;
            public static void Look(ReadOnlySpan<byte> bytes) { }
            public static void Look(ReadOnlyMemory<byte> bytes) { }
            public static void Keep(PageFragment fragment) { }
            public static void Keep(Page page) { }
            public static void Keep(object owner) { }
            public static Task Later() => Task.CompletedTask;
            public static void Run(Action action) => action();
        }
        """;

    private static readonly CSharpParseOptions s_parse = new(LanguageVersion.Preview, DocumentationMode.None);
    private static readonly Lazy<ImmutableArray<MetadataReference>> s_references = new(static () => [.. SourceModel.References()]);
    private static readonly Lazy<ImmutableArray<SyntaxTree>> s_common = new(() =>
    [
        CSharpSyntaxTree.ParseText(Usings, s_parse, "Usings.cs"),
        CSharpSyntaxTree.ParseText(Helpers, s_parse, "Helpers.cs"),
    ]);

    internal static ImmutableArray<DiagnosticAnalyzer> Analyzers { get; } = [new ResultAnalyzer(), new LifetimeAnalyzer(), new FieldAnalyzer()];

    /// <summary>The body of a method with a cache and an allocator at hand.</summary>
    internal static string Body(string statements) =>
        $$"""
        using static Somewhere;
        unsafe class Subject
        {
            static void Do(PageFragmentCache cache, PageAllocator allocator, ContiguousArea area, int n, bool flag)
            {
                {{statements}}
            }
        }
        """;

    /// <summary>Fails unless the diagnostics are exactly those marked.</summary>
    internal static async Task Holds(string marked)
    {
        (string code, List<string> expected) = Unmark(marked);
        CSharpCompilation compilation = Compile(code);
        Diagnostic[] errors = [.. compilation.GetDiagnostics(TestContext.Current.CancellationToken).Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
        Assert.True(errors.Length == 0, $"The snippet does not compile:\n{string.Join("\n", errors.Select(error => error.ToString()))}\n{code}");

        ImmutableArray<Diagnostic> found = await Diagnose(compilation);
        List<string> actual = [.. found.Select(diagnostic => Show(diagnostic, code))];
        expected.Sort(StringComparer.Ordinal);
        actual.Sort(StringComparer.Ordinal);
        Assert.True(
            expected.SequenceEqual(actual),
            $"Expected:\n  {string.Join("\n  ", expected)}\nFound:\n  {string.Join("\n  ", found.Select(diagnostic => $"{Show(diagnostic, code)}: {diagnostic.GetMessage(null)}"))}\nIn:\n{code}");
    }

    internal static CSharpCompilation Compile(string code, OutputKind kind = OutputKind.DynamicallyLinkedLibrary) => CSharpCompilation.Create(
        "Snippet",
        [.. s_common.Value, CSharpSyntaxTree.ParseText(code, s_parse, "Snippet.cs")],
        s_references.Value,
        new CSharpCompilationOptions(kind, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable));

    /// <summary>What Quire's analyzers report; a fault of an analyzer fails the test.</summary>
    internal static async Task<ImmutableArray<Diagnostic>> Diagnose(Compilation compilation)
    {
        List<Exception> faults = [];
        CompilationWithAnalyzersOptions options = new(
            new AnalyzerOptions([]), (fault, analyzer, _) => faults.Add(fault), concurrentAnalysis: false, logAnalyzerExecutionTime: false);
        ImmutableArray<Diagnostic> all = await new CompilationWithAnalyzers(compilation, Analyzers, options).GetAnalyzerDiagnosticsAsync(CancellationToken.None);
        Assert.True(faults.Count == 0, faults.Count == 0 ? "" : faults[0].ToString());
        return [.. all.Where(diagnostic => diagnostic.Id.StartsWith("QUIRE", StringComparison.Ordinal))];
    }

    /// <summary>The code without its marks, and what they expect.</summary>
    internal static (string Code, List<string> Expected) Unmark(string marked)
    {
        StringBuilder code = new();
        Stack<(string Id, int Start)> open = [];
        List<string> expected = [];
        int at = 0;
        foreach (Match mark in Mark().Matches(marked))
        {
            code.Append(marked, at, mark.Index - at);
            at = mark.Index + mark.Length;
            if (mark.Groups[1].Success)
            {
                open.Push((mark.Groups[1].Value, code.Length));
            }
            else
            {
                (string id, int start) = open.Pop();
                expected.Add($"{id} {Place(code.ToString(), start)} {code.ToString(start, code.Length - start)}");
            }
        }

        code.Append(marked, at, marked.Length - at);
        Assert.Empty(open);
        return (code.ToString(), expected);
    }

    private static string Show(Diagnostic diagnostic, string code)
    {
        TextSpan span = diagnostic.Location.SourceSpan;
        return $"{diagnostic.Id} {Place(code, span.Start)} {code.Substring(span.Start, span.Length)}";
    }

    private static string Place(string code, int position)
    {
        int line = code.AsSpan(0, position).Count('\n');
        return $"({line + 1},{position - code.LastIndexOf('\n', Math.Max(0, position - 1))})";
    }

    [GeneratedRegex(@"\{\|(QUIRE\d+):|\|\}")]
    private static partial Regex Mark();
}
