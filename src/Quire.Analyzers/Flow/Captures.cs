using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using Quire.Analyzers.Knowledge;

namespace Quire.Analyzers.Flow;

/// <summary>Locals that a lambda or a local function does more with than look at: when it runs nobody knows, so nothing is said of what they hold.</summary>
internal static class Captures
{
    internal static HashSet<ISymbol> Shared(IOperation root, QuireSymbols symbols)
    {
        HashSet<ISymbol> shared = new(SymbolEqualityComparer.Default);
        foreach (IOperation operation in root.Descendants())
        {
            ISymbol? function = operation switch
            {
                IAnonymousFunctionOperation lambda => lambda.Symbol,
                ILocalFunctionOperation local => local.Symbol,
                _ => null,
            };
            if (function is null)
            {
                continue;
            }

            foreach (IOperation inner in operation.Descendants())
            {
                if (Looks.Named(inner) is { } symbol && !IsWithin(symbol, function) && Touches(inner, symbols))
                {
                    shared.Add(symbol);
                }
            }
        }

        return shared;
    }

    private static bool Touches(IOperation reference, QuireSymbols symbols) =>
        Looks.IsWritten(reference) || ((symbols.OwnerOf(reference.Type) is not null || reference.Type is { IsReferenceType: true }) && !Looks.IsLook(reference, symbols));

    private static bool IsWithin(ISymbol symbol, ISymbol function)
    {
        for (ISymbol? at = symbol.ContainingSymbol; at is not null; at = at.ContainingSymbol)
        {
            if (SymbolEqualityComparer.Default.Equals(at, function))
            {
                return true;
            }
        }

        return false;
    }
}
