using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <summary>Tells a look at a local from what may change who owns what it holds.</summary>
internal static class Looks
{
    /// <summary>The local or parameter that an operation names; null for all else.</summary>
    internal static ISymbol? Named(IOperation? operation) => operation switch
    {
        ILocalReferenceOperation local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        _ => null,
    };

    /// <summary>True where the reference is the receiver of a member that only looks, or a side of a comparison.</summary>
    internal static bool IsLook(IOperation reference, QuireSymbols symbols)
    {
        switch (reference.Parent)
        {
            case IPropertyReferenceOperation property when property.Instance == reference:
                return IsLook(property.Property, symbols);
            case IInvocationOperation invocation when invocation.Instance == reference:
                return IsLook(invocation.TargetMethod, symbols);
            case IBinaryOperation or IIsNullOperation or IIsPatternOperation { Pattern: IConstantPatternOperation or INegatedPatternOperation { Pattern: IConstantPatternOperation } }:
            case IInterpolationOperation:
                return true;
            case IConversionOperation { OperatorMethod: null } conversion:
                return conversion.Parent is IBinaryOperation or IInterpolationOperation or IIsNullOperation;
            default:
                return false;
        }
    }

    /// <summary>True where the reference is written: assigned, incremented, or given out by ref or out.</summary>
    internal static bool IsWritten(IOperation reference) => reference.Parent switch
    {
        IAssignmentOperation assignment => assignment.Target == reference,
        IIncrementOrDecrementOperation => true,
        IArgumentOperation argument => argument.Parameter is { RefKind: RefKind.Ref or RefKind.Out },
        IDeclarationExpressionOperation => true,
        ITupleOperation tuple => IsTarget(tuple),
        IAddressOfOperation => true,
        _ => reference.Syntax.Parent is RefExpressionSyntax,
    };

    private static bool IsLook(ISymbol member, QuireSymbols symbols) =>
        symbols.OwnerOf(member.ContainingType) is { } type
            ? type.Of(member.Name) is Effect.None or Effect.Use or Effect.View
            : member.Name is "Memory" or "ToString" or "Equals" or "GetHashCode" or "GetType" or "Length" or "IsEmpty";

    private static bool IsTarget(IOperation tuple) =>
        (tuple.Parent is IDeconstructionAssignmentOperation assignment && assignment.Target == tuple) || (tuple.Parent is ITupleOperation outer && IsTarget(outer));
}
