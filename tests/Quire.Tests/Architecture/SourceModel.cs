using System.Runtime.CompilerServices;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Quire.Tests.Architecture;

/// <summary>The library's own sources, read and bound as the compiler does.</summary>
internal static class SourceModel
{
    private static readonly Lazy<CSharpCompilation> s_library = new(() => Compile(Library()));

    /// <summary>src/Quire, bound once for all tests.</summary>
    internal static CSharpCompilation Quire => s_library.Value;

    /// <summary>The repository: the folder with the solution, above this file or above the test's own output.</summary>
    internal static string Root([CallerFilePath] string file = "")
    {
        foreach (string? start in (string?[])[Path.GetDirectoryName(Path.GetFullPath(file)), AppContext.BaseDirectory])
        {
            for (DirectoryInfo? folder = new(start!); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "Quire.slnx")))
                {
                    return folder.FullName;
                }
            }
        }

        throw new InvalidOperationException("No Quire.slnx above the tests: these tests read the project's sources.");
    }

    /// <summary>Each source file as a path from src/Quire, with its text.</summary>
    internal static List<(string Path, string Text)> Library()
    {
        string folder = Path.Combine(Root(), "src", "Quire");
        return
        [
            .. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
                .Select(file => (Path: Path.GetRelativePath(folder, file).Replace('\\', '/'), file))
                .Where(entry => !entry.Path.StartsWith("obj/", StringComparison.Ordinal) && !entry.Path.StartsWith("bin/", StringComparison.Ordinal))
                .OrderBy(entry => entry.Path, StringComparer.Ordinal)
                .Select(entry => (entry.Path, File.ReadAllText(entry.file))),
        ];
    }

    internal static CSharpCompilation Compile(IEnumerable<(string Path, string Text)> files)
    {
        CSharpParseOptions options = new(LanguageVersion.Preview, DocumentationMode.None);
        const string Usings = "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; "
            + "global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;";
        return CSharpCompilation.Create(
            "Quire",
            [
                CSharpSyntaxTree.ParseText(Usings, options, "usings.cs"),
                .. files.Select(file => CSharpSyntaxTree.ParseText(file.Text, options, file.Path)),
            ],
            References(withQuire: false),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable));
    }

    /// <summary>What a program can refer to: the framework, and Quire itself.</summary>
    internal static List<MetadataReference> References(bool withQuire = true)
    {
        string trusted = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        return
        [
            .. trusted.Split(Path.PathSeparator)
                .Where(path => Path.GetDirectoryName(path) == framework)
                .Select(path => (MetadataReference)MetadataReference.CreateFromFile(path)),
            .. withQuire ? [MetadataReference.CreateFromFile(typeof(Page).Assembly.Location)] : Array.Empty<MetadataReference>(),
        ];
    }
}
