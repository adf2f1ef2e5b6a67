using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;

namespace Quire.Analyzers;

/// <summary>What all fixes have in common: each diagnostic is offered its change of the document, and all of one kind may be made at once.</summary>
public abstract class FixProvider : CodeFixProvider
{
    /// <inheritdoc/>
    public sealed override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public sealed override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false) is { } root)
        {
            foreach (Diagnostic diagnostic in context.Diagnostics)
            {
                Offer(context, root, diagnostic);
            }
        }
    }

    /// <summary>Registers the fix of one diagnostic, if there is one for it.</summary>
    protected abstract void Offer(CodeFixContext context, SyntaxNode root, Diagnostic diagnostic);

    /// <param name="context">The context.</param>
    /// <param name="diagnostic">The diagnostic.</param>
    /// <param name="title">What the user chooses; it may name a local.</param>
    /// <param name="kind">The same for every place that this kind of change mends: all places of one kind are mended at once.</param>
    /// <param name="change">The document's new root.</param>
    private protected static void Register(CodeFixContext context, Diagnostic diagnostic, string title, string kind, Func<SyntaxNode> change) =>
        context.RegisterCodeFix(CodeAction.Create(title, _ => Task.FromResult(context.Document.WithSyntaxRoot(change())), equivalenceKey: kind), diagnostic);
}
