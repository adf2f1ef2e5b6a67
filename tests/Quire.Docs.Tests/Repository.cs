using Quire.Tests.Architecture;

namespace Quire.Docs.Tests;

/// <summary>The pages of the repository, as their readers have them.</summary>
internal static class Repository
{
    /// <summary>The folder with the solution.</summary>
    internal static string Root { get; } = SourceModel.Root();

    /// <summary>Every page that a reader may open, as paths from the root: the README files, docs, and what stands beside samples.</summary>
    internal static IEnumerable<string> Pages() =>
        Directory.EnumerateFiles(Root, "*.md")
            .Concat(Folders("docs", "samples", "src"))
            .Select(static file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
            .Where(static file => !file.Split('/').Any(static part => part is "bin" or "obj"))
            .Order(StringComparer.Ordinal);

    internal static string Read(string page) => File.ReadAllText(Path.Combine(Root, page));

    private static IEnumerable<string> Folders(params string[] names) =>
        names.SelectMany(static name => Directory.EnumerateFiles(Path.Combine(Root, name), "*.md", SearchOption.AllDirectories));
}
