using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;

namespace Quire.Analyzers;

/// <summary>QUIRE001: a local that nothing releases is released at the end of its scope: by <c>using</c>, by a lease, or by try and finally.</summary>
/// <remarks>Only where the method releases it nowhere: where it does on some paths, a release for all of them would be the second on those.</remarks>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class ReleaseFixProvider : FixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Rules.NotReleasedId];

    /// <inheritdoc/>
    protected override void Offer(CodeFixContext context, SyntaxNode root, Diagnostic diagnostic)
    {
        // `T local = call;` in a block: the scope that ends is plain to see.
        if (root.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true).FirstAncestorOrSelf<LocalDeclarationStatementSyntax>() is not { UsingKeyword.RawKind: 0, Parent: BlockSyntax block } declaration
            || declaration.Declaration.Variables.Count != 1
            || declaration.Declaration.Variables[0].Initializer?.Value is not { } value
            || !value.Span.Contains(diagnostic.Location.SourceSpan)
            || diagnostic.Properties.GetValueOrDefault("isNever") != "true"
            || diagnostic.Properties.GetValueOrDefault("release") is not { } release
            || diagnostic.Properties.GetValueOrDefault("type") is not { } type)
        {
            return;
        }

        string local = declaration.Declaration.Variables[0].Identifier.ValueText;
        if (release == "Dispose")
        {
            Register(context, diagnostic, $"Dispose '{local}' at the end of its scope", "Using", () => root.ReplaceNode(block, Using(declaration, block)));
        }
        else if (LeaseOf(type) is { } lease && !IsAsync(declaration))
        {
            Register(context, diagnostic, $"Release '{local}' at the end of its scope, by a lease", "Lease", () => root.ReplaceNode(block, Leased(declaration, block, lease, local)));
        }
        else if (type != "ContiguousRange")
        {
            Register(context, diagnostic, $"Release '{local}' in a finally block", "Finally", () => root.ReplaceNode(block, Finally(declaration, block, $"{local}.{release}();")));
        }
    }

    /// <summary>A lease is a ref struct: not for async methods and iterators, where it could not live across an await or a yield.</summary>
    private static string? LeaseOf(string type) => type switch
    {
        "PageFragment" => "FragmentLease",
        "PagePin" => "PinLease",
        _ => null,
    };

    private static bool IsAsync(SyntaxNode node)
    {
        SyntaxNode? function = node.FirstAncestorOrSelf<SyntaxNode>(static at => at is AnonymousFunctionExpressionSyntax or LocalFunctionStatementSyntax or BaseMethodDeclarationSyntax or CompilationUnitSyntax);
        bool isAsync = function switch
        {
            AnonymousFunctionExpressionSyntax lambda => lambda.AsyncKeyword != default,
            LocalFunctionStatementSyntax local => local.Modifiers.Any(SyntaxKind.AsyncKeyword),
            BaseMethodDeclarationSyntax method => method.Modifiers.Any(SyntaxKind.AsyncKeyword),
            _ => true,
        };
        return isAsync || function!.DescendantNodes().OfType<YieldStatementSyntax>().Any();
    }

    private static BlockSyntax Using(LocalDeclarationStatementSyntax declaration, BlockSyntax block) =>
        block.ReplaceNode(
            declaration,
            declaration.WithoutLeadingTrivia()
                .WithUsingKeyword(SyntaxFactory.Token(SyntaxKind.UsingKeyword).WithTrailingTrivia(SyntaxFactory.Space))
                .WithLeadingTrivia(declaration.GetLeadingTrivia()));

    private static BlockSyntax Leased(LocalDeclarationStatementSyntax declaration, BlockSyntax block, string lease, string local)
    {
        StatementSyntax added = SyntaxFactory.ParseStatement($"using {lease} {local}Lease = {local}.Lease();")
            .WithTrailingTrivia(declaration.GetTrailingTrivia())
            .WithAdditionalAnnotations(Formatter.Annotation);
        return block.WithStatements(block.Statements.Insert(block.Statements.IndexOf(declaration) + 1, added));
    }

    private static BlockSyntax Finally(LocalDeclarationStatementSyntax declaration, BlockSyntax block, string release)
    {
        int next = block.Statements.IndexOf(declaration) + 1;
        StatementSyntax[] rest = [.. block.Statements.Skip(next)];
        TryStatementSyntax added = SyntaxFactory.TryStatement(
                SyntaxFactory.Block(rest),
                default,
                SyntaxFactory.FinallyClause(SyntaxFactory.Block(SyntaxFactory.ParseStatement(release))))
            .WithAdditionalAnnotations(Formatter.Annotation);
        return block.WithStatements(SyntaxFactory.List(block.Statements.Take(next).Append(added)));
    }
}
