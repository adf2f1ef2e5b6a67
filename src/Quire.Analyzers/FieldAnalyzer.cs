using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Flow;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers;

/// <summary>QUIRE004: a private field that is filled with what must be released, in a class that only ever looks at it.</summary>
/// <remarks>
/// Anything but a look is taken for a way out: passed, returned, copied, released through <c>?.</c>. Structs, records and static fields are left
/// alone: they carry, or live as long as the process.
/// </remarks>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class FieldAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.FieldNeverReleased];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.EnableConcurrentExecution();
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.Analyze);
        context.RegisterCompilationStartAction(static start =>
        {
            if (QuireSymbols.Of(start.Compilation) is { } symbols)
            {
                start.RegisterSymbolStartAction(type => Type(type, symbols), SymbolKind.NamedType);
            }
        });
    }

    private static void Type(SymbolStartAnalysisContext context, QuireSymbols symbols)
    {
        if (context.Symbol is not INamedTypeSymbol { TypeKind: TypeKind.Class, IsRecord: false } type
            || !type.GetMembers().Any(static member => member is IFieldSymbol { DeclaredAccessibility: Accessibility.Private, IsStatic: false, IsImplicitlyDeclared: false }))
        {
            return;
        }

        // Bodies are looked at on many threads.
        ConcurrentDictionary<IFieldSymbol, OwnerType> filled = new(SymbolEqualityComparer.Default);
        ConcurrentDictionary<IFieldSymbol, bool> leaving = new(SymbolEqualityComparer.Default);
        context.RegisterOperationAction(
            operation =>
            {
                IFieldReferenceOperation reference = (IFieldReferenceOperation)operation.Operation;
                if (reference.Field is { DeclaredAccessibility: Accessibility.Private, IsStatic: false } field && SymbolEqualityComparer.Default.Equals(field.ContainingType, type))
                {
                    if (FilledBy(reference, symbols) is { } owner)
                    {
                        filled[field] = owner;
                    }
                    else if (!IsHarmless(reference, symbols))
                    {
                        leaving[field] = true;
                    }
                }
            },
            OperationKind.FieldReference);
        context.RegisterOperationAction(
            operation =>
            {
                IFieldInitializerOperation initializer = (IFieldInitializerOperation)operation.Operation;
                if (Given(initializer.Value) is { } owner)
                {
                    foreach (IFieldSymbol field in initializer.InitializedFields)
                    {
                        if (field is { DeclaredAccessibility: Accessibility.Private, IsStatic: false } && SymbolEqualityComparer.Default.Equals(field.ContainingType, type))
                        {
                            filled[field] = owner;
                        }
                    }
                }
            },
            OperationKind.FieldInitializer);
        context.RegisterSymbolEndAction(end =>
        {
            foreach (KeyValuePair<IFieldSymbol, OwnerType> entry in filled)
            {
                if (!leaving.ContainsKey(entry.Key) && !IsNamedWithin(type, entry.Key.Name, end.CancellationToken) && entry.Key.Locations.FirstOrDefault(static location => location.IsInSource) is { } location)
                {
                    end.ReportDiagnostic(Diagnostic.Create(
                        Rules.FieldNeverReleased, location, entry.Key.Name, Article(entry.Value.Noun), type.Name, entry.Value.ReleaseName));
                }
            }
        });
    }

    /// <summary>A nested type, whose bodies are not among those looked at here, names the field.</summary>
    private static bool IsNamedWithin(INamedTypeSymbol type, string name, CancellationToken cancellation) =>
        type.GetTypeMembers().SelectMany(static nested => nested.DeclaringSyntaxReferences)
            .Any(nested => nested.GetSyntax(cancellation).DescendantTokens().Any(token => token.ValueText == name));

    /// <summary>What an assignment to the field puts there, if it must be released.</summary>
    private static OwnerType? FilledBy(IFieldReferenceOperation reference, QuireSymbols symbols) => reference.Parent switch
    {
        ISimpleAssignmentOperation assignment when assignment.Target == reference => Given(assignment.Value),
        ICoalesceAssignmentOperation assignment when assignment.Target == reference => Given(assignment.Value),
        IArgumentOperation { Parameter: { RefKind: RefKind.Out } parameter, Parent: IInvocationOperation invocation }
            when QuireSymbols.GivenBy(invocation.TargetMethod) is { } given
            && SymbolEqualityComparer.Default.Equals(symbols.OutOf(invocation.TargetMethod, given)?.OriginalDefinition, parameter.OriginalDefinition) => given,
        _ => null,
    };

    private static bool IsHarmless(IFieldReferenceOperation reference, QuireSymbols symbols) => reference.Parent switch
    {
        // What it had is lost, or was nothing; what it gets is not known to be ours.
        ISimpleAssignmentOperation assignment when assignment.Target == reference => true,
        // An allocator is lent to the caches on it.
        IArgumentOperation { Parameter.RefKind: RefKind.None, Parent: IInvocationOperation or IObjectCreationOperation } argument =>
            symbols.OwnerOf(reference.Type) is { Kind: OwnerKind.Service }
            && QuireSymbols.IsQuire((argument.Parent as IInvocationOperation)?.TargetMethod.ContainingType ?? (argument.Parent as IObjectCreationOperation)?.Constructor?.ContainingType),
        _ => Looks.IsLook(reference, symbols),
    };

    private static OwnerType? Given(IOperation value)
    {
        while (true)
        {
            switch (value)
            {
                case IConversionOperation conversion:
                    value = conversion.Operand;
                    break;
                case IParenthesizedOperation parenthesized:
                    value = parenthesized.Operand;
                    break;
                case IAwaitOperation awaited:
                    value = awaited.Operation;
                    break;
                case IInvocationOperation { TargetMethod.Name: "ConfigureAwait", Instance: { } task }:
                    value = task;
                    break;
                case IInvocationOperation invocation:
                    // One handle for many references is not looked after here.
                    return invocation.TargetMethod is { Parameters: { IsEmpty: false } parameters } && parameters[0].Name == "references" ? null : Result(invocation.TargetMethod);
                case IObjectCreationOperation { Constructor: { } constructor }:
                    return Result(constructor);
                default:
                    return null;
            }
        }
    }

    private static OwnerType? Result(IMethodSymbol method) =>
        QuireSymbols.GivenBy(method) is { } given && method.ReturnType.SpecialType != SpecialType.System_Boolean ? given : null;

    private static string Article(string noun) => ("aeiou".IndexOf(noun[0]) >= 0 ? "an " : "a ") + noun;
}
