using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;

namespace Quire.Analyzers;

/// <summary>Fixes of one statement: QUIRE002, a second release goes; QUIRE007, a failed TryX leaves; QUIRE008, what is thrown away is disposed.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class StatementFixProvider : FixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Rules.ReleasedTwiceId, Rules.TryResultIgnoredId, Rules.ResultDroppedId];

    /// <inheritdoc/>
    protected override void Offer(CodeFixContext context, SyntaxNode root, Diagnostic diagnostic)
    {
        if (root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true) is not ExpressionSyntax { Parent: ExpressionStatementSyntax { Parent: BlockSyntax block } statement } expression)
        {
            return;
        }

        switch (diagnostic.Id)
        {
            case Rules.ReleasedTwiceId when IsAfter(root, statement, block, diagnostic):
                Register(context, diagnostic, "Remove the second release", "Remove", () => root.RemoveNode(statement, SyntaxRemoveOptions.KeepUnbalancedDirectives)!);
                break;
            case Rules.TryResultIgnoredId when WayOut(statement) is { } leave:
                IfStatementSyntax tested = SyntaxFactory.IfStatement(
                        SyntaxFactory.PrefixUnaryExpression(SyntaxKind.LogicalNotExpression, expression.WithoutTrivia()),
                        SyntaxFactory.Block(SyntaxFactory.ParseStatement(leave)))
                    .WithLeadingTrivia(statement.GetLeadingTrivia())
                    .WithTrailingTrivia(statement.GetTrailingTrivia())
                    .WithAdditionalAnnotations(Formatter.Annotation);
                Register(context, diagnostic, "Leave where it answers false", "Leave", () => root.ReplaceNode(statement, tested));
                break;
            case Rules.ResultDroppedId when diagnostic.Properties.GetValueOrDefault("release") == "Dispose" && diagnostic.Properties.GetValueOrDefault("noun") is { } noun:
                StatementSyntax kept = SyntaxFactory.ParseStatement($"using var {Name(noun)} = {expression.WithoutTrivia().ToFullString()};")
                    .WithLeadingTrivia(statement.GetLeadingTrivia())
                    .WithTrailingTrivia(statement.GetTrailingTrivia());
                Register(context, diagnostic, "Dispose it at the end of the scope", "Using", () => root.ReplaceNode(statement, kept));
                break;
        }
    }

    /// <summary>Both releases stand in one block, so the first runs wherever the second does.</summary>
    private static bool IsAfter(SyntaxNode root, StatementSyntax statement, BlockSyntax block, Diagnostic diagnostic) =>
        diagnostic.AdditionalLocations.Count == 1
        && root.FindNode(diagnostic.AdditionalLocations[0].SourceSpan, getInnermostNodeForTie: true).FirstAncestorOrSelf<StatementSyntax>() is ExpressionStatementSyntax first
        && first.Parent == block && first.SpanStart < statement.SpanStart;

    /// <summary>How a method that has nothing to give, or only whether it did its work, is left; null for others.</summary>
    private static string? WayOut(SyntaxNode node)
    {
        TypeSyntax? result = null;
        bool isAsync = false;
        switch (node.FirstAncestorOrSelf<SyntaxNode>(static at => at is AnonymousFunctionExpressionSyntax or LocalFunctionStatementSyntax or BaseMethodDeclarationSyntax or AccessorDeclarationSyntax))
        {
            case MethodDeclarationSyntax method:
                result = method.ReturnType;
                isAsync = method.Modifiers.Any(SyntaxKind.AsyncKeyword);
                break;
            case LocalFunctionStatementSyntax local:
                result = local.ReturnType;
                isAsync = local.Modifiers.Any(SyntaxKind.AsyncKeyword);
                break;
            case ConstructorDeclarationSyntax or DestructorDeclarationSyntax:
                // What is left half made is worse.
                return null;
        }

        return result switch
        {
            PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.VoidKeyword } => "return;",
            PredefinedTypeSyntax { Keyword.RawKind: (int)SyntaxKind.BoolKeyword } => "return false;",
            IdentifierNameSyntax { Identifier.ValueText: "Task" or "ValueTask" } when isAsync => "return;",
            _ => null,
        };
    }

    /// <summary>The last word of what it is: tracking, cache, scope.</summary>
    private static string Name(string noun) => noun.Substring(noun.LastIndexOf(' ') + 1);
}
