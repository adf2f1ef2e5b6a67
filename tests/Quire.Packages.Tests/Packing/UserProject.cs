using System.Text.RegularExpressions;
using Xunit;

namespace Quire.Packages.Tests.Packing;

/// <summary>A project as a user would begin one: <c>dotnet new</c>, <c>dotnet add package</c>, a Program.cs. Unless it says otherwise, its only source of packages is the folder with ours.</summary>
internal sealed partial class UserProject
{
    private readonly PackedQuire _packed;

    internal UserProject(PackedQuire packed, string template, string name, params string[] packages)
        : this(packed, template, name, otherSources: false, packages)
    {
    }

    internal UserProject(PackedQuire packed, string template, string name, bool otherSources, params string[] packages)
    {
        _packed = packed;
        Folder = packed.NewFolder(name);
        Name = name;
        File.WriteAllText(
            Path.Combine(Folder, "nuget.config"),
            $"<configuration><packageSources>{(otherSources ? "" : "<clear />")}<add key=\"local\" value=\"{packed.Packages}\" /></packageSources></configuration>");
        packed.Dotnet(Folder, "new", template, "--name", name, "--output", ".", "--no-restore");
        foreach (string package in packages)
        {
            packed.Dotnet(Folder, "add", "package", package, "--version", packed.Version);
        }
    }

    internal string Folder { get; }

    internal string Name { get; }

    /// <summary>Writes the program.</summary>
    internal void Write(string program) => File.WriteAllText(Path.Combine(Folder, "Program.cs"), program);

    /// <summary>Puts lines into the project's first property group.</summary>
    internal void SetProperties(string lines)
    {
        string project = Path.Combine(Folder, $"{Name}.csproj");
        string text = File.ReadAllText(project);
        int end = text.IndexOf("</PropertyGroup>", StringComparison.Ordinal);
        File.WriteAllText(project, text.Insert(end, lines + "\n"));
    }

    /// <summary>Builds in Release; answers the warnings and errors.</summary>
    internal IReadOnlyList<string> Build()
    {
        (int status, string output) = _packed.TryDotnet(Folder, "build", "-c", "Release", "-tl:off");
        Assert.True(status == 0, output);
        return [.. output.Split('\n').Where(static line => Diagnostic().IsMatch(line)).Select(static line => line.Trim()).Distinct()];
    }

    /// <summary>Publishes in Release, if everything it takes can be had; answers the status and what was said.</summary>
    internal (int Status, string Output) TryPublish() => _packed.TryDotnet(Folder, "publish", "-c", "Release", "-tl:off", "-o", Path.Combine(Folder, "out"));

    /// <summary>Runs what was built; answers what it printed.</summary>
    internal string Run(params string[] arguments) =>
        _packed.Dotnet(Folder, [Path.Combine(Folder, "bin", "Release", "net10.0", $"{Name}.dll"), .. arguments]);

    /// <summary>The first block of C# in a text of the repository or a package.</summary>
    internal static string FirstBlock(string markdown)
    {
        const string Begin = "```csharp";
        markdown = markdown.ReplaceLineEndings("\n");
        int start = markdown.IndexOf('\n', markdown.IndexOf(Begin, StringComparison.Ordinal)) + 1;
        return markdown[start..markdown.IndexOf("```", start, StringComparison.Ordinal)];
    }

    [GeneratedRegex(@"(warning|error) [A-Z]+[0-9]+:")]
    private static partial Regex Diagnostic();
}
