using System.Collections.Immutable;
using System.Globalization;
using Microsoft.CodeAnalysis;

namespace Quire.Analyzers.Flow;

/// <summary>What was found in one method, each thing once however many paths lead to it.</summary>
internal sealed class Findings
{
    private readonly Dictionary<(string Id, Location At), Diagnostic> _found = [];

    internal IEnumerable<Diagnostic> All => _found.Values;

    internal void Add(DiagnosticDescriptor rule, SyntaxNode at, SyntaxNode? other, ImmutableDictionary<string, string?> properties, params object[] arguments)
    {
        Location location = at.GetLocation();
        if (!_found.ContainsKey((rule.Id, location)))
        {
            Location[] others = other is null ? [] : [other.GetLocation()];
            _found[(rule.Id, location)] = Diagnostic.Create(rule, location, others, properties, arguments);
        }
    }

    internal static string LineOf(SyntaxNode node) =>
        (node.GetLocation().GetLineSpan().StartLinePosition.Line + 1).ToString(CultureInfo.InvariantCulture);
}
