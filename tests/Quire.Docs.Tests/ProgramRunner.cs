using System.Diagnostics;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;
using Microsoft.CodeAnalysis.Text;

namespace Quire.Docs.Tests;

/// <summary>Compiles a program of the documentation as a new console project would, and runs it in a process of its own.</summary>
internal sealed class ProgramRunner : IDisposable
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(5);

    /// <summary>What a new console project has by itself.</summary>
    private const string Usings = """
        global using System; global using System.IO; global using System.Linq; global using System.Collections.Generic;
        global using System.Threading; global using System.Threading.Tasks; global using System.Net.Http;
        """;

    /// <summary>What a project of the web SDK has besides.</summary>
    private const string WebUsings = """
        global using Microsoft.AspNetCore.Builder; global using Microsoft.AspNetCore.Hosting; global using Microsoft.AspNetCore.Http; global using Microsoft.AspNetCore.Routing;
        global using Microsoft.Extensions.Configuration; global using Microsoft.Extensions.DependencyInjection; global using Microsoft.Extensions.Hosting; global using Microsoft.Extensions.Logging;
        global using System.Net.Http.Json;
        """;

    private const string RuntimeConfig = """
        { "runtimeOptions": { "tfm": "net10.0", "frameworks": [ { "name": "Microsoft.NETCore.App", "version": "10.0.0" }, { "name": "Microsoft.AspNetCore.App", "version": "10.0.0" } ] } }
        """;

    private static readonly Lazy<MetadataReference[]> s_references = new(() =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(static path => MetadataReference.CreateFromFile(path)),
    ]);

    /// <summary>What the SDK never shows: a library built for an older framework.</summary>
    private static readonly Dictionary<string, ReportDiagnostic> s_silent = new() { ["CS1701"] = ReportDiagnostic.Suppress, ["CS1702"] = ReportDiagnostic.Suppress };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-docs-");

    /// <summary>The errors of the compiler; none where it compiles. Warnings are errors here: nobody copies code from a page to see warnings.</summary>
    internal static IReadOnlyList<Diagnostic> Compile(DocsProgram program, Stream image)
    {
        CSharpParseOptions parse = new(LanguageVersion.CSharp14);
        CSharpCompilation compilation = CSharpCompilation.Create(
            "Program",
            [
                CSharpSyntaxTree.ParseText(program.Code.Contains("WebApplication", StringComparison.Ordinal) ? Usings + WebUsings : Usings, parse),
                CSharpSyntaxTree.ParseText(SourceText.From(program.Code, Encoding.UTF8), parse, path: "Program.cs"),
            ],
            s_references.Value,
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable, allowUnsafe: true, optimizationLevel: OptimizationLevel.Release,
                specificDiagnosticOptions: s_silent));
        EmitResult result = compilation.Emit(image, options: new EmitOptions(debugInformationFormat: DebugInformationFormat.Embedded));
        return [.. result.Diagnostics.Where(static diagnostic => diagnostic.Severity is DiagnosticSeverity.Error or DiagnosticSeverity.Warning)];
    }

    /// <summary>Runs it to its end; what it wrote, and its exit status.</summary>
    internal (string Output, string Errors, int Status) Run(Stream image)
    {
        string path = Path.Combine(_folder.FullName, "Program.dll");
        using (FileStream file = File.Create(path))
        {
            image.Position = 0;
            image.CopyTo(file);
        }

        File.WriteAllText(Path.ChangeExtension(path, ".runtimeconfig.json"), RuntimeConfig);
        foreach (string library in Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll").Where(static file => Path.GetFileName(file) is string name && (name.StartsWith("Quire", StringComparison.Ordinal) || name.StartsWith("Microsoft.IO", StringComparison.Ordinal))))
        {
            File.Copy(library, Path.Combine(_folder.FullName, Path.GetFileName(library)), overwrite: true);
        }

        ProcessStartInfo start = new(Environment.ProcessPath is string host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet", [path])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = _folder.FullName,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_longest))
        {
            process.Kill(entireProcessTree: true);
            return (output.Result, $"did not end within {s_longest.TotalSeconds} s\n{errors.Result}", -1);
        }

        return (output.Result, errors.Result, process.ExitCode);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
