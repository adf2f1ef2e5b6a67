using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers;

/// <summary>Results that nobody keeps: QUIRE007, the answer of a TryX; QUIRE008, the reference itself. Needs no flow: the statement says it all.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ResultAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.TryResultIgnored, Rules.ResultDropped];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.RegisterCompilationStartAction(static start =>
        {
            if (QuireSymbols.Of(start.Compilation) is { } symbols)
            {
                start.RegisterOperationAction(operation => Statement(operation, symbols), OperationKind.ExpressionStatement);
            }
        });
    }

    private static void Statement(OperationAnalysisContext context, QuireSymbols symbols)
    {
        // `() => cache.Allocate(n)` for an Action: whoever writes so wants the call, most often that it throws, and has no place to say more.
        if (context.Operation.Syntax.Parent is LambdaExpressionSyntax)
        {
            return;
        }

        IOperation expression = ((IExpressionStatementOperation)context.Operation).Operation;
        IMethodSymbol? method = expression switch
        {
            IInvocationOperation invocation => invocation.TargetMethod,
            IObjectCreationOperation creation => creation.Constructor,
            IAwaitOperation { Operation: IInvocationOperation awaited } => awaited.TargetMethod,
            _ => null,
        };
        if (method is null || QuireSymbols.GivenBy(method) is not { } given)
        {
            return;
        }

        if (symbols.OutOf(method, given) is { } parameter)
        {
            context.ReportDiagnostic(Diagnostic.Create(Rules.TryResultIgnored, expression.Syntax.GetLocation(), Display(method), parameter.Name));
        }
        else
        {
            ImmutableDictionary<string, string?> properties = ImmutableDictionary<string, string?>.Empty.Add("release", given.ReleaseName).Add("noun", given.Noun);
            context.ReportDiagnostic(Diagnostic.Create(Rules.ResultDropped, expression.Syntax.GetLocation(), properties, Display(method)));
        }
    }

    internal static string Display(IMethodSymbol method) =>
        method.MethodKind == MethodKind.Constructor ? "new " + method.ContainingType.Name : method.ContainingType.Name + "." + method.Name;
}
