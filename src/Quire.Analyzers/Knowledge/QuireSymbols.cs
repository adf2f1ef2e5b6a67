using System.Collections.Concurrent;
using Microsoft.CodeAnalysis;

namespace Quire.Analyzers.Knowledge;

/// <summary>The table, looked up by symbols of one compilation.</summary>
internal sealed class QuireSymbols
{
    private static readonly ILookup<string, Source> s_sources = Table.Sources.ToLookup(static source => source.Type + "." + source.Method);
    private static readonly HashSet<string> s_sinks = [.. Table.Sinks.Select(static sink => sink.Type + "." + sink.Method)];
    private static readonly HashSet<string> s_adopters = [.. Table.Adopters.Select(static adopter => adopter.Type + "." + adopter.Method)];
    private static readonly HashSet<string> s_lookers = [.. Table.Lookers.Select(static looker => looker.Type + "." + looker.Method)];

    private readonly ConcurrentDictionary<ITypeSymbol, OwnerType?> _types = new(SymbolEqualityComparer.Default);

    private QuireSymbols()
    {
    }

    /// <summary>Null where the compilation knows nothing of Quire: there is nothing to look for, and it costs nothing.</summary>
    internal static QuireSymbols? Of(Compilation compilation) =>
        compilation.GetTypeByMetadataName(Table.Namespace + ".PageFragment") is null && compilation.GetTypeByMetadataName(Table.Namespace + ".Page") is null
            ? null
            : new QuireSymbols();

    /// <summary>True for a type directly in the namespace Quire.</summary>
    internal static bool IsQuire(ITypeSymbol? type) =>
        type is INamedTypeSymbol { ContainingType: null, ContainingNamespace: { Name: Table.Namespace, ContainingNamespace.IsGlobalNamespace: true } };

    /// <summary>What the table says of a type; null for all others.</summary>
    internal OwnerType? OwnerOf(ITypeSymbol? type) =>
        type is null ? null : _types.GetOrAdd(type, static type => IsQuire(type) && Table.Types.TryGetValue(type.Name, out OwnerType? owner) ? owner : null);

    /// <summary>What a call hands out to be released; null where it hands out nothing that is known.</summary>
    internal static OwnerType? GivenBy(IMethodSymbol method)
    {
        if (!IsQuire(method.ContainingType))
        {
            return null;
        }

        foreach (Source source in s_sources[method.ContainingType.Name + "." + method.Name])
        {
            return Table.Types[source.Gives];
        }

        return null;
    }

    /// <summary>The parameter by which a TryX hands out what must be released; null where the call gives it as its result, or gives nothing.</summary>
    internal IParameterSymbol? OutOf(IMethodSymbol method, OwnerType given)
    {
        foreach (IParameterSymbol parameter in method.Parameters)
        {
            if (parameter.RefKind == RefKind.Out && OwnerOf(parameter.Type) == given)
            {
                return parameter;
            }
        }

        return null;
    }

    /// <summary>A method that makes an object which takes over the reference of its argument.</summary>
    internal static bool IsAdopter(IMethodSymbol method) => IsQuire(method.ContainingType) && s_adopters.Contains(method.ContainingType.Name + "." + method.Name);

    internal static bool IsSink(IMethodSymbol method) => IsQuire(method.ContainingType) && s_sinks.Contains(method.ContainingType.Name + "." + method.Name);

    internal static bool IsLooker(IMethodSymbol method) => IsQuire(method.ContainingType) && s_lookers.Contains(method.ContainingType.Name + "." + method.Name);
}
