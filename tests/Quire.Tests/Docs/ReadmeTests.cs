using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Tests.Docs;

/// <summary>What the README shows is what a reader gets.</summary>
[Collection(LedgerCollection.Name)]
public class ReadmeTests
{
    [Fact]
    public void The_code_in_the_README_compiles_and_names_the_holder_that_it_says()
    {
        string code = Block("```csharp", "```");
        SyntaxTree[] trees =
        [
            CSharpSyntaxTree.ParseText("global using System; global using System.Collections.Generic;"),
            CSharpSyntaxTree.ParseText(code, path: "Program.cs", encoding: System.Text.Encoding.UTF8),
        ];
        CSharpCompilation compilation = CSharpCompilation.Create(
            "ReadmeSample",
            trees,
            ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication));
        using MemoryStream image = new();
        EmitResult result = compilation.Emit(image);
        Assert.True(result.Success, string.Join(Environment.NewLine, result.Diagnostics));

        image.Position = 0;
        TextWriter before = Console.Out;
        using StringWriter output = new();
        Console.SetOut(output);
        try
        {
            AssemblyLoadContext.Default.LoadFromStream(image).EntryPoint!.Invoke(null, [Array.Empty<string>()]);
        }
        finally
        {
            Console.SetOut(before);
        }

        Assert.Matches(@"page 0x[0-9a-f]+: 1 reference \(fragment, 1\.4 KiB\) Program\.cs:8 <Main>\$, ", output.ToString());
    }

    [Fact]
    public void The_demo_output_in_the_README_has_the_lines_that_the_demo_prints()
    {
        string readme = File.ReadAllText(Path.Combine(SourceModel.Root(), "README.md"));
        string auditor = File.ReadAllText(Path.Combine(SourceModel.Root(), "src/Quire.Cli/Demo/ForgetfulAuditor.cs"));
        int line = 1 + auditor[..auditor.IndexOf("page.Pin()", StringComparison.Ordinal)].Count(static c => c == '\n');

        Assert.Contains($"HELD  ForgetfulAuditor.cs:{line} Audit, ", readme, StringComparison.Ordinal);
        Assert.Contains($"held by ForgetfulAuditor.Audit ForgetfulAuditor.cs:{line}; ", readme, StringComparison.Ordinal);
        Assert.Contains($"=> Quire.Cli.Demo.ForgetfulAuditor.Audit(ForgetfulAuditor.cs:{line}) ", readme, StringComparison.Ordinal);
        Assert.Contains("\n    pages held at end    0\n", readme, StringComparison.Ordinal);
        Assert.DoesNotContain("@", readme, StringComparison.Ordinal);
    }

    private static string Block(string begin, string end)
    {
        string readme = File.ReadAllText(Path.Combine(SourceModel.Root(), "README.md"));
        int start = readme.IndexOf(begin, StringComparison.Ordinal) + begin.Length + 1;
        return readme[start..readme.IndexOf(end, start, StringComparison.Ordinal)];
    }
}
