using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Quire.Tests.Architecture;

/// <summary>No touch of a count goes past the tracepoints: what the kernel's <c>page_ref_*</c> family is for.</summary>
public sealed class TracepointCoverageTests
{
    /// <summary>Reads. All other functions of the family on descriptors change a count.</summary>
    private static readonly string[] s_reads = ["Count", "IsFrozen", "IsFree"];

    /// <summary>Hot halves whose only callers have looked at the flag before.</summary>
    private static readonly string[] s_guardedByCallers = ["TryTakeHot"];

    private static readonly string[] s_flags = ["Tracking.Counting", "Tracking.Active", " Recorded("];

    [Fact]
    public void Every_operation_on_a_count_tells_a_recording_or_stands_aside_while_one_counts()
    {
        string[] silent = [.. Operations().Where(static operation => !IsTold(operation.Method) && !IsGuarded(operation.Use)).Select(static operation => operation.Where)];
        Assert.True(silent.Length == 0, $"Operations on counts that no recording sees:{Environment.NewLine}{string.Join(Environment.NewLine, silent)}");
    }

    [Fact]
    public void The_hot_paths_are_the_ones_that_stand_aside()
    {
        string[] untold = [.. Operations().Where(static operation => !IsTold(operation.Method)).Select(static operation => MethodOf(operation.Use)!.Identifier.Text).Distinct().Order()];
        Assert.Contains("Put", untold);
        Assert.Contains("TryTakeHot", untold);
        Assert.All(s_guardedByCallers, hot => Assert.All(CallersOf(hot), static caller => Assert.True(IsGuarded(caller), caller.ToString())));
        Assert.NotEmpty(CallersOf("TryTakeHot"));
    }

    private static IEnumerable<(SimpleNameSyntax Use, IMethodSymbol Method, string Where)> Operations()
    {
        foreach (SyntaxTree tree in SourceModel.Quire.SyntaxTrees)
        {
            SemanticModel model = SourceModel.Quire.GetSemanticModel(tree);
            foreach (SimpleNameSyntax name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
            {
                if (model.GetSymbolInfo(name).Symbol is IMethodSymbol { ContainingType.Name: "PageRef" } method
                    && method.Parameters is [{ Type: IPointerTypeSymbol }, ..]
                    && !s_reads.Contains(method.Name)
                    && name.Ancestors().OfType<TypeDeclarationSyntax>().First().Identifier.Text != "PageRef")
                {
                    yield return (name, method, $"{tree.FilePath}:{name.GetLocation().GetLineSpan().StartLinePosition.Line + 1}: {method.Name}");
                }
            }
        }
    }

    /// <summary>The functions that take an origin tell a recording themselves.</summary>
    private static bool IsTold(IMethodSymbol method) => method.Parameters.Any(static parameter => parameter.Name == "origin");

    /// <summary>The method asks for one of the flags, or hands over to the one that makes record and event together.</summary>
    private static bool IsGuarded(SyntaxNode use) =>
        MethodOf(use) is { } method
        && (s_guardedByCallers.Contains(method.Identifier.Text) || s_flags.Any(flag => method.ToString().Contains(flag, StringComparison.Ordinal)));

    private static IEnumerable<SyntaxNode> CallersOf(string method) =>
        SourceModel.Quire.SyntaxTrees.SelectMany(static tree => tree.GetRoot().DescendantNodes().OfType<InvocationExpressionSyntax>())
            .Where(call => call.Expression is IdentifierNameSyntax name && name.Identifier.Text == method);

    private static MethodDeclarationSyntax? MethodOf(SyntaxNode node) => node.Ancestors().OfType<MethodDeclarationSyntax>().FirstOrDefault();
}
