using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Tests.Pages;

/// <summary>The count is private: a direct touch, a read too, breaks the build, and the message names who may.</summary>
public sealed class PageRefPrivacyTests
{
    // Code with as much access as there is outside the type: in an assembly that sees Quire's internals.
    private const string Friend = "Quire.Tests";

    [Theory]
    [InlineData("int seen = head->Ref._count;")]
    [InlineData("head->Ref._count = 1;")]
    [InlineData("head->Ref._count++;")]
    [InlineData("System.Threading.Interlocked.Decrement(ref head->Ref._count);")]
    [InlineData("ref int count = ref head->Ref._count;")]
    public void A_direct_touch_of_the_count_does_not_compile_and_the_error_names_PageRef(string touch)
    {
        Diagnostic error = Assert.Single(Errors(touch, Friend));
        Assert.Equal("CS0122", error.Id);
        Assert.Contains("PageRef._count", error.GetMessage(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("int seen = PageRef.Count(head);")]
    [InlineData("PageRef.Set(head, 1); PageRef.Init(head); PageRef.Freeze(head, 1, origin: 0); PageRef.Unfreeze(head, 1, origin: 0);")]
    [InlineData("head->Order = 1;")]
    public void The_family_and_the_rest_of_the_descriptor_do_compile_there(string use) => Assert.Empty(Errors(use, Friend));

    [Theory]
    [InlineData("PageRef.Set(default(Page), 1);", "Set")]
    [InlineData("PageRef.Init(default(Page));", "Init")]
    [InlineData("PageRef.Freeze(default(Page), 1);", "Freeze")]
    [InlineData("PageRef.Unfreeze(default(Page), 1);", "Unfreeze")]
    public void Setting_and_freezing_are_not_for_users(string use, string method)
    {
        Diagnostic error = Assert.Single(Errors(use, "Somebody.Else", parameter: ""));
        Assert.Equal("CS0122", error.Id);
        Assert.Contains($"PageRef.{method}", error.GetMessage(), StringComparison.Ordinal);
        Assert.Empty(Errors("PageRef.Inc(default(Page)); int n = PageRef.Count(default(Page));", "Somebody.Else", parameter: ""));
    }

    [Fact]
    public void The_count_is_the_only_field_and_nothing_public_hands_out_a_way_to_it()
    {
        const BindingFlags Everything = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        FieldInfo count = Assert.Single(typeof(PageRef).GetFields(Everything), field => !field.IsLiteral);
        Assert.True(count.IsPrivate);
        foreach (MethodInfo method in typeof(PageRef).GetMethods(Everything))
        {
            Assert.False(method.ReturnType.IsByRef, $"{method.Name} hands out a reference.");
            Assert.False(method.IsPublic && method.Name is "Set" or "Init" or "TryInit" or "Freeze" or "Unfreeze" && method.IsPublic, $"{method.Name} is public.");
        }
    }

    private static List<Diagnostic> Errors(string statement, string assembly, string parameter = "PageDescriptor* head")
    {
        string code = $"using Quire; unsafe class Offender {{ static void Do({parameter}) {{ {statement} }} }}";
        CSharpCompilation compilation = CSharpCompilation.Create(
            assembly,
            [CSharpSyntaxTree.ParseText(code)],
            SourceModel.References(),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, metadataImportOptions: MetadataImportOptions.All));
        return [.. compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
    }
}
