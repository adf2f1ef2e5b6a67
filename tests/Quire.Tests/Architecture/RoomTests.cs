using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Xunit;

namespace Quire.Tests.Architecture;

/// <summary>The house: a room uses the rooms above it, never those below; atomics go through one seam; files stay small; there are no packages.</summary>
public sealed class RoomTests
{
    /// <summary>Top to bottom; rooms on one level do not know each other. The files in src/Quire itself belong to no room and may use none.</summary>
    private static readonly string[][] s_levels =
    [
        ["Atomics"], ["Regions"], ["Tracing"], ["Pages"], ["Allocation"], ["Fragments", "Contiguous"], ["Buffers"],
    ];

    [Fact]
    public void A_room_uses_the_rooms_above_it_and_never_those_below()
    {
        // What does not bind has no symbol and would be no use of anything. Bodies that the compiler's generators write (CS8795), and what
        // they would assign (CS0165, CS0170), are not here.
        Assert.Empty(SourceModel.Quire.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error && diagnostic.Id is not ("CS8795" or "CS0165" or "CS0170")));
        string[] broken = [.. Violations(SourceModel.Quire)];
        Assert.True(broken.Length == 0, $"{broken.Length} uses against the order of the rooms:{Environment.NewLine}{string.Join(Environment.NewLine, broken.Take(50))}");
    }

    [Fact]
    public void Every_source_file_is_in_a_known_room()
    {
        string[] rooms = [.. s_levels.SelectMany(level => level)];
        string[] lost = [.. SourceModel.Library().Select(file => file.Path).Where(path => path.Contains('/') && !rooms.Contains(path.Split('/')[0]))];
        Assert.True(lost.Length == 0, $"In no room that the architecture knows: {string.Join(", ", lost)}");
    }

    [Theory]
    [InlineData("Pages/A.cs", "class A { void M() { B.Go(); } }", "Allocation/B.cs", "class B { internal static void Go() { } }", "Pages/A.cs:1: B.Go() is in Allocation, which is below Pages")]
    [InlineData("Pages/A.cs", "class A : B { }", "Allocation/B.cs", "class B { }", "Pages/A.cs:1: B is in Allocation, which is below Pages")]
    [InlineData("Fragments/A.cs", "class A { int x = new B().F; }", "Contiguous/B.cs", "class B { internal int F = 1; }", "Fragments/A.cs:1: B.F is in Contiguous, which Fragments must not know")]
    [InlineData("Contiguous/A.cs", "class A { void M<T>() where T : B { } }", "Fragments/B.cs", "class B { }", "Contiguous/A.cs:1: B is in Fragments, which Contiguous must not know")]
    [InlineData("Atomics/A.cs", "static class A { static void M(object o) { o.Go(); } }", "Regions/B.cs", "static class B { internal static void Go(this object o) { } }", "B.Go(object) is in Regions, which is below Atomics")]
    [InlineData("Atomics/A.cs", "class A { void M() { var b = C.Make; } }", "Buffers/B.cs", "class B { } static class C { internal static B Make => new(); }", "C.Make is in Buffers, which is below Atomics")]
    public void A_use_against_the_order_is_named_with_file_line_symbol_and_rooms(string user, string use, string owner, string definition, string message)
    {
        CSharpCompilation compilation = SourceModel.Compile([(user, use), (owner, definition)]);
        Assert.Empty(compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
        Assert.Contains(Violations(compilation), violation => violation.Contains(message, StringComparison.Ordinal));

        // The other way round it is the order of the house, except between rooms of one level.
        bool level = s_levels.Any(rooms => rooms.Contains(user.Split('/')[0]) && rooms.Contains(owner.Split('/')[0]));
        CSharpCompilation turned = SourceModel.Compile([($"{owner.Split('/')[0]}/A.cs", use), ($"{user.Split('/')[0]}/B.cs", definition)]);
        Assert.Equal(level, Violations(turned).Any());
    }

    [Fact]
    public void A_mention_in_a_comment_is_no_use() =>
        Assert.Empty(Violations(SourceModel.Compile([("Pages/A.cs", "/// <summary><see cref=\"B.Go\"/> B</summary>\nclass A { } // B.Go()"), ("Allocation/B.cs", "class B { internal static void Go() { } }")])));

    [Fact]
    public void Interlocked_operations_and_barriers_stand_in_the_seam_only()
    {
        List<string> found = [];
        foreach (SyntaxTree tree in SourceModel.Quire.SyntaxTrees.Where(tree => RoomOf(tree) is not "Atomics"))
        {
            SemanticModel model = SourceModel.Quire.GetSemanticModel(tree);
            foreach (SimpleNameSyntax name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
            {
                ISymbol? symbol = model.GetSymbolInfo(name).Symbol;
                string? type = (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.ToDisplayString();
                bool barrier = type == "System.Threading.Thread" && symbol!.Name is "MemoryBarrier" or "VolatileRead" or "VolatileWrite";
                if (type is "System.Threading.Interlocked" || (type == "System.Threading.Volatile" && symbol!.Name is "ReadBarrier" or "WriteBarrier") || barrier)
                {
                    found.Add($"{tree.FilePath}:{Line(name)}: {symbol!.ToDisplayString()}");
                }
            }
        }

        Assert.True(found.Count == 0, $"Atomics outside src/Quire/Atomics:{Environment.NewLine}{string.Join(Environment.NewLine, found)}");
    }

    [Fact]
    public void No_source_file_is_longer_than_420_lines()
    {
        string[] found = [.. SourceModel.Library().Select(file => (file.Path, Lines: file.Text.Count(c => c == '\n'))).Where(file => file.Lines > 420).Select(file => $"{file.Path}: {file.Lines}")];
        Assert.True(found.Length == 0, $"Too long: {string.Join(", ", found)}");
    }

    [Fact]
    public void The_library_refers_to_the_framework_and_nothing_else()
    {
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string[] foreign =
        [
            .. typeof(Page).Assembly.GetReferencedAssemblies()
                .Where(name => !File.Exists(Path.Combine(framework, name.Name + ".dll")))
                .Select(name => name.FullName),
        ];
        Assert.Empty(foreign);
        Assert.DoesNotContain("PackageReference", File.ReadAllText(Path.Combine(SourceModel.Root(), "src", "Quire", "Quire.csproj")), StringComparison.Ordinal);
    }

    /// <summary>Each use of a symbol whose definition stands in a room that the user's may not know. A partial type belongs to the room of each of its files: what counts is the member's own file.</summary>
    private static IEnumerable<string> Violations(CSharpCompilation compilation)
    {
        foreach (SyntaxTree tree in compilation.SyntaxTrees)
        {
            string? room = RoomOf(tree);
            if (room is null)
            {
                continue;
            }

            SemanticModel model = compilation.GetSemanticModel(tree);
            foreach (SyntaxNode node in tree.GetRoot().DescendantNodes())
            {
                if (node is not (SimpleNameSyntax or ImplicitObjectCreationExpressionSyntax or ObjectCreationExpressionSyntax or ConstructorInitializerSyntax or ElementAccessExpressionSyntax or BinaryExpressionSyntax))
                {
                    continue;
                }

                ISymbol? symbol = model.GetSymbolInfo(node).Symbol;
                symbol = symbol is IMethodSymbol { ReducedFrom: { } original } ? original : symbol?.OriginalDefinition;
                if (symbol is null or INamespaceSymbol or ILocalSymbol or IParameterSymbol or ITypeParameterSymbol || symbol.DeclaringSyntaxReferences.IsEmpty)
                {
                    continue;
                }

                string?[] owners = [.. symbol.DeclaringSyntaxReferences.Select(reference => RoomOf(reference.SyntaxTree)).Distinct()];
                if (owners.All(owner => owner is null || MayUse(room, owner)) || owners.Contains(room))
                {
                    continue;
                }

                string other = owners.First(owner => owner is not null && !MayUse(room, owner))!;
                bool same = Level(room) == Level(other);
                yield return $"{tree.FilePath}:{Line(node)}: {symbol.ToDisplayString()} is in {other}, which {(same ? $"{room} must not know" : $"is below {room}")}";
            }
        }
    }

    private static bool MayUse(string user, string owner) => user == owner || Level(owner) < Level(user);

    private static int Level(string room) => Array.FindIndex(s_levels, rooms => rooms.Contains(room));

    private static string? RoomOf(SyntaxTree tree) => tree.FilePath.Contains('/') ? tree.FilePath.Split('/')[0] : null;

    private static int Line(SyntaxNode node) => node.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
}
