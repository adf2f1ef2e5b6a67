using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Flow;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers;

/// <summary>Follows references along the paths of a method: QUIRE001 to 003, 005, 006 and 008.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class LifetimeAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
        [Rules.NotReleased, Rules.ReleasedTwice, Rules.UsedAfterRelease, Rules.TwoOwners, Rules.ViewOutlives, Rules.ResultDropped];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterCompilationStartAction(static start =>
        {
            if (QuireSymbols.Of(start.Compilation) is { } symbols)
            {
                start.RegisterOperationBlockAction(block => Blocks(block, symbols));
            }
        });
    }

    private static void Blocks(OperationBlockAnalysisContext context, QuireSymbols symbols)
    {
        if (context.OwningSymbol is not IMethodSymbol method)
        {
            return;
        }

        foreach (IOperation block in context.OperationBlocks)
        {
            // Top-level statements are a method body and no block.
            if (block is not (IBlockOperation or IMethodBodyBaseOperation) || !IsConcerned(block, symbols))
            {
                continue;
            }

            HashSet<ISymbol> shared = Captures.Shared(block, symbols);
            Report(context, context.GetControlFlowGraph(block), method, shared, symbols);
        }
    }

    private static void Report(OperationBlockAnalysisContext context, ControlFlowGraph graph, IMethodSymbol method, HashSet<ISymbol> shared, QuireSymbols symbols)
    {
        foreach (Diagnostic diagnostic in MethodFlow.Find(graph, method, shared, symbols, context.CancellationToken))
        {
            context.ReportDiagnostic(diagnostic);
        }

        foreach (IMethodSymbol local in graph.LocalFunctions)
        {
            Report(context, graph.GetLocalFunctionControlFlowGraph(local, context.CancellationToken), local, shared, symbols);
        }

        foreach (IFlowAnonymousFunctionOperation lambda in graph.Blocks.SelectMany(Graph.OperationsOf).SelectMany(static operation => operation.DescendantsAndSelf()).OfType<IFlowAnonymousFunctionOperation>())
        {
            Report(context, graph.GetAnonymousFunctionControlFlowGraph(lambda, context.CancellationToken), lambda.Symbol, shared, symbols);
        }
    }

    /// <summary>Most methods have nothing to do with Quire and cost one walk.</summary>
    private static bool IsConcerned(IOperation block, QuireSymbols symbols)
    {
        foreach (IOperation operation in block.Descendants())
        {
            switch (operation)
            {
                case IInvocationOperation invocation when QuireSymbols.GivenBy(invocation.TargetMethod) is not null:
                case IObjectCreationOperation { Constructor: { } constructor } when QuireSymbols.GivenBy(constructor) is not null:
                case ILocalReferenceOperation or IParameterReferenceOperation when symbols.OwnerOf(operation.Type) is not null:
                    return true;
            }
        }

        return false;
    }
}
