using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;

namespace Quire.Analyzers;

/// <summary>QUIRE001: a local that nothing releases is released at the end of its scope: by <c>using</c>, by a lease, or by try and finally.</summary>
/// <remarks>Only where the method releases it nowhere: where it does on some paths, a release for all of them would be the second on those.</remarks>
[ExportCodeFixProvider(LanguageNames.CSharp)]
[Shared]
public sealed class ReleaseFixProvider : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [Rules.NotReleasedId];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        SyntaxNode? root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        foreach (Diagnostic diagnostic in context.Diagnostics)
        {
            // `T local = call;` in a block: the scope that ends is plain to see.
            if (root?.FindNode(diagnostic.Location.SourceSpan, getInnermostNodeForTie: true).FirstAncestorOrSelf<LocalDeclarationStatementSyntax>() is not { UsingKeyword.RawKind: 0, Parent: BlockSyntax block } declaration
                || declaration.Declaration.Variables.Count != 1
                || declaration.Declaration.Variables[0].Initializer?.Value is not { } value
                || !value.Span.Contains(diagnostic.Location.SourceSpan)
                || diagnostic.Properties.GetValueOrDefault("isNever") != "true"
                || diagnostic.Properties.GetValueOrDefault("release") is not { } release
                || diagnostic.Properties.GetValueOrDefault("type") is not { } type)
            {
                continue;
            }

            string local = declaration.Declaration.Variables[0].Identifier.ValueText;
            if (release == "Dispose")
            {
                Register(context, diagnostic, $"Dispose '{local}' at the end of its scope", root, declaration, block, Using);
            }
            else if (LeaseOf(type) is { } lease && !IsAsync(declaration))
            {
                Register(context, diagnostic, $"Release '{local}' at the end of its scope, by a lease", root, declaration, block, (d, b) => Leased(d, b, lease, local));
            }
            else if (type != "ContiguousRange")
            {
                Register(context, diagnostic, $"Release '{local}' in a finally block", root, declaration, block, (d, b) => Finally(d, b, $"{local}.{release}();"));
            }
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

    private static void Register(
        CodeFixContext context, Diagnostic diagnostic, string title, SyntaxNode root, LocalDeclarationStatementSyntax declaration, BlockSyntax block,
        Func<LocalDeclarationStatementSyntax, BlockSyntax, BlockSyntax> change) =>
        context.RegisterCodeFix(
            CodeAction.Create(title, _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(block, change(declaration, block)))), equivalenceKey: title), diagnostic);

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
