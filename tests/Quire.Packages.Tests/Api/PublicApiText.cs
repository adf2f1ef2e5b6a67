using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Quire.Packages.Tests.Api;

/// <summary>
/// What an assembly shows to those who reference it, one line a member, as C# would declare it: nullability, defaults, <c>readonly</c>, <c>ref</c> and <c>scoped</c>
/// included, and those attributes by which a caller compiles or runs differently. Read out of the built assembly, so it is what a package gives; in an order of its own, so moving code changes nothing.
/// </summary>
internal static partial class PublicApiText
{
    private const SymbolDisplayMiscellaneousOptions Words =
        SymbolDisplayMiscellaneousOptions.UseSpecialTypes
        | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier
        | SymbolDisplayMiscellaneousOptions.AllowDefaultLiteral
        | SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers;

    private const SymbolDisplayGenericsOptions Generics =
        SymbolDisplayGenericsOptions.IncludeTypeParameters | SymbolDisplayGenericsOptions.IncludeTypeConstraints | SymbolDisplayGenericsOptions.IncludeVariance;

    private static readonly SymbolDisplayFormat s_reference = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypes,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters,
        miscellaneousOptions: Words);

    private static readonly SymbolDisplayFormat s_type = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypes,
        genericsOptions: Generics,
        delegateStyle: SymbolDisplayDelegateStyle.NameAndSignature,
        parameterOptions: SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName | SymbolDisplayParameterOptions.IncludeModifiers | SymbolDisplayParameterOptions.IncludeDefaultValue,
        kindOptions: SymbolDisplayKindOptions.IncludeTypeKeyword,
        miscellaneousOptions: Words);

    private static readonly SymbolDisplayFormat s_member = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypes,
        genericsOptions: Generics,
        memberOptions: SymbolDisplayMemberOptions.IncludeModifiers | SymbolDisplayMemberOptions.IncludeAccessibility | SymbolDisplayMemberOptions.IncludeType
            | SymbolDisplayMemberOptions.IncludeRef | SymbolDisplayMemberOptions.IncludeConstantValue,
        kindOptions: SymbolDisplayKindOptions.IncludeMemberKeyword,
        propertyStyle: SymbolDisplayPropertyStyle.ShowReadWriteDescriptor,
        miscellaneousOptions: Words);

    private static readonly SymbolDisplayFormat s_parameter = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypes,
        memberOptions: SymbolDisplayMemberOptions.IncludeContainingType,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters,
        parameterOptions: SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName | SymbolDisplayParameterOptions.IncludeModifiers
            | SymbolDisplayParameterOptions.IncludeDefaultValue,
        miscellaneousOptions: Words);

    /// <summary>The text of one assembly, lines ended by a line feed.</summary>
    internal static string Of(string assemblyPath)
    {
        MetadataReference assembly = MetadataReference.CreateFromFile(assemblyPath);
        IEnumerable<MetadataReference> platform = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
            .Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) != Path.GetFileName(assemblyPath))
            .Select(static path => MetadataReference.CreateFromFile(path));
        CSharpCompilation compilation = CSharpCompilation.Create("Reader", references: [assembly, .. platform]);
        IAssemblySymbol symbol = (IAssemblySymbol)compilation.GetAssemblyOrModuleSymbol(assembly)!;

        StringBuilder text = new();
        foreach (IGrouping<string, INamedTypeSymbol> space in Types(symbol.GlobalNamespace)
            .GroupBy(static type => type.ContainingNamespace.ToDisplayString())
            .OrderBy(static space => space.Key, StringComparer.Ordinal))
        {
            text.Append("namespace ").Append(space.Key).Append('\n');
            foreach (INamedTypeSymbol type in space.OrderBy(static type => type.ToDisplayString(s_reference), StringComparer.Ordinal))
            {
                text.Append('\n');
                AppendType(text, type);
            }

            text.Append('\n');
        }

        text.Length--;
        return text.ToString();
    }

    private static IEnumerable<INamedTypeSymbol> Types(INamespaceSymbol space) =>
        space.GetTypeMembers().Where(IsVisible).SelectMany(WithNested).Concat(space.GetNamespaceMembers().SelectMany(Types));

    private static IEnumerable<INamedTypeSymbol> WithNested(INamedTypeSymbol type) => type.GetTypeMembers().Where(IsVisible).SelectMany(WithNested).Prepend(type);

    private static bool IsVisible(ISymbol symbol) =>
        symbol.DeclaredAccessibility == Accessibility.Public
        || (symbol.DeclaredAccessibility is Accessibility.Protected or Accessibility.ProtectedOrInternal && symbol.ContainingType is { IsSealed: false });

    private static void AppendType(StringBuilder text, INamedTypeSymbol type)
    {
        AppendAttributes(text, type.GetAttributes(), "", "\n");
        text.Append(SyntaxFacts.GetText(type.DeclaredAccessibility)).Append(' ');
        if (type.TypeKind == TypeKind.Class)
        {
            text.Append(type.IsStatic ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "");
        }

        // The base and the interfaces stand between the name and the constraints.
        string declaration = type.ToDisplayString(s_type);
        int constraints = declaration.IndexOf(" where ", StringComparison.Ordinal);
        text.Append(constraints < 0 ? declaration : declaration[..constraints]);
        List<string> bases = [.. type.Interfaces.Where(IsVisible).Select(static one => one.ToDisplayString(s_reference)).Order(StringComparer.Ordinal)];
        if (type.TypeKind == TypeKind.Class && type.BaseType is { SpecialType: not SpecialType.System_Object } parent)
        {
            bases.Insert(0, parent.ToDisplayString(s_reference));
        }
        else if (type is { TypeKind: TypeKind.Enum, EnumUnderlyingType: { } underlying })
        {
            bases = [underlying.ToDisplayString(s_reference)];
        }

        text.Append(bases.Count > 0 && type.TypeKind != TypeKind.Delegate ? $" : {string.Join(", ", bases)}" : "");
        text.Append(constraints < 0 ? "" : declaration[constraints..]).Append('\n');
        if (type.TypeKind == TypeKind.Delegate)
        {
            return;
        }

        foreach (string line in type.GetMembers().Where(IsMember).OrderBy(static member => Rank(member)).Select(static member => (Rank(member), Line(member)))
            .OrderBy(static line => line.Item1).ThenBy(static line => line.Item2.Key, StringComparer.Ordinal).ThenBy(static line => line.Item2.Text, StringComparer.Ordinal)
            .Select(static line => line.Item2.Text))
        {
            text.Append("    ").Append(line).Append('\n');
        }
    }

    private static bool IsMember(ISymbol member) =>
        IsVisible(member)
        && member is not INamedTypeSymbol
        && !member.IsImplicitlyDeclared
        && member is not IMethodSymbol { MethodKind: MethodKind.PropertyGet or MethodKind.PropertySet or MethodKind.EventAdd or MethodKind.EventRemove or MethodKind.Destructor }
        && !member.GetAttributes().Any(static attribute => attribute.AttributeClass?.Name == "CompilerGeneratedAttribute")
        && !(member is IFieldSymbol { Name: "value__" });

    // An enumeration's values stand as they count; all else by kind, then by name.
    private static int Rank(ISymbol member) => member switch
    {
        IFieldSymbol { IsConst: true } => 0,
        IFieldSymbol => 1,
        IMethodSymbol { MethodKind: MethodKind.Constructor or MethodKind.StaticConstructor } => 2,
        IPropertySymbol => 3,
        IEventSymbol => 4,
        IMethodSymbol { MethodKind: MethodKind.Ordinary } => 5,
        _ => 6,
    };

    private static (string Key, string Text) Line(ISymbol member)
    {
        StringBuilder text = new();
        string key = member.Name;
        AppendAttributes(text, member.GetAttributes(), "", " ");
        switch (member)
        {
            case IFieldSymbol { ContainingType.TypeKind: TypeKind.Enum, ConstantValue: { } value }:
                text.Append(CultureInfo.InvariantCulture, $"{member.Name} = {value}");
                key = Convert.ToInt64(value, CultureInfo.InvariantCulture).ToString("D20", CultureInfo.InvariantCulture);
                break;
            case IMethodSymbol method:
                AppendAttributes(text, method.GetReturnTypeAttributes(), "return: ", " ");
                string declared = method.ToDisplayString(s_member);
                int constraints = declared.IndexOf(" where ", StringComparison.Ordinal);
                text.Append(constraints < 0 ? declared : declared[..constraints]);
                AppendParameters(text, '(', method.Parameters, ')');
                text.Append(constraints < 0 ? "" : declared[constraints..]);
                break;
            case IPropertySymbol { IsIndexer: true } indexer:
                string whole = indexer.ToDisplayString(s_member);
                int accessors = whole.IndexOf(" {", StringComparison.Ordinal);
                text.Append(whole[..accessors].Replace("[]", "", StringComparison.Ordinal));
                AppendParameters(text, '[', indexer.Parameters, ']');
                text.Append(whole[accessors..]);
                break;
            case IPropertySymbol property:
                text.Append(HiddenAccessor().Replace(property.ToDisplayString(s_member), ""));
                break;
            default:
                text.Append(member.ToDisplayString(s_member));
                break;
        }

        return (key, text.ToString());
    }

    // An accessor that only the assembly may call is nobody else's.
    [GeneratedRegex(" (private protected|private|internal) (get|set|init);")]
    private static partial Regex HiddenAccessor();

    private static void AppendParameters(StringBuilder text, char open, ImmutableArray<IParameterSymbol> parameters, char close)
    {
        text.Append(open);
        for (int i = 0; i < parameters.Length; i++)
        {
            text.Append(i > 0 ? ", " : "");
            text.Append(i == 0 && parameters[i].ContainingSymbol is IMethodSymbol { IsExtensionMethod: true } ? "this " : "");
            AppendAttributes(text, parameters[i].GetAttributes(), "", " ");
            text.Append(parameters[i].ToDisplayString(s_parameter));
        }

        text.Append(close);
    }

    private static void AppendAttributes(StringBuilder text, ImmutableArray<AttributeData> attributes, string target, string end)
    {
        foreach (string attribute in attributes.Where(IsTold).Select(static attribute => attribute.ToString()!).Order(StringComparer.Ordinal))
        {
            // [System.Diagnostics.CodeAnalysis.NotNullWhenAttribute(true)] as it is written.
            int arguments = attribute.IndexOf('(', StringComparison.Ordinal);
            string name = arguments < 0 ? attribute : attribute[..arguments];
            name = name[(name.LastIndexOf('.') + 1)..];
            name = name.EndsWith("Attribute", StringComparison.Ordinal) ? name[..^"Attribute".Length] : name;
            text.Append('[').Append(target).Append(name).Append(arguments < 0 ? "" : attribute[arguments..]).Append(']').Append(end);
        }
    }

    private static bool IsTold(AttributeData attribute) => attribute.AttributeClass is { } type
        && (type.ContainingNamespace.ToDisplayString() == "System.Diagnostics.CodeAnalysis"
            || type.Name is "ObsoleteAttribute" or "FlagsAttribute" or "EditorBrowsableAttribute" or "UnsupportedOSPlatformAttribute" or "SupportedOSPlatformAttribute" or "InlineArrayAttribute"
            || type.Name.StartsWith("Caller", StringComparison.Ordinal))
        && type.Name is not ("SuppressMessageAttribute" or "UnconditionalSuppressMessageAttribute" or "SetsRequiredMembersAttribute" or "ExcludeFromCodeCoverageAttribute");
}
