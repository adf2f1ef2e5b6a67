using System.Runtime.CompilerServices;

namespace Quire.Docs.Tests;

/// <summary>The pages of the repository, as their readers have them.</summary>
internal static class Repository
{
    private static readonly Lazy<string> s_root = new(() => Find());

    /// <summary>The folder with the solution.</summary>
    internal static string Root => s_root.Value;

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

    private static string Find([CallerFilePath] string file = "")
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

        throw new InvalidOperationException("No Quire.slnx above the tests: these tests read the project's pages.");
    }
}
