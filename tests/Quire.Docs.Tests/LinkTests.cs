using System.Text.RegularExpressions;
using Xunit;

namespace Quire.Docs.Tests;

/// <summary>A link leads somewhere: to a file of the repository, and to a heading in it where it names one.</summary>
public sealed partial class LinkTests
{
    [Fact]
    public void Every_link_between_the_pages_leads_somewhere()
    {
        List<string> broken = [];
        foreach (string page in Repository.Pages())
        {
            foreach (Match match in Link().Matches(Code().Replace(Repository.Read(page), "")))
            {
                string target = match.Groups["target"].Value;
                if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal))
                {
                    continue;
                }

                string[] parts = target.Split('#', 2);
                string folder = Path.GetDirectoryName(Path.Combine(Repository.Root, page))!;
                string path = parts[0].Length == 0 ? Path.Combine(Repository.Root, page) : Path.GetFullPath(Path.Combine(folder, parts[0]));
                if (!File.Exists(path) && !Directory.Exists(path))
                {
                    broken.Add($"{page}: {target}: there is no such file");
                }
                else if (parts.Length == 2 && path.EndsWith(".md", StringComparison.Ordinal) && !Anchors(File.ReadAllText(path)).Contains(parts[1]))
                {
                    broken.Add($"{page}: {target}: there is no such heading");
                }
            }
        }

        Assert.True(broken.Count == 0, string.Join(Environment.NewLine, broken));
    }

    [Fact]
    public void Every_page_of_the_documentation_is_reached_from_its_first()
    {
        HashSet<string> reached = ["docs/README.md"];
        Queue<string> open = new(reached);
        while (open.TryDequeue(out string? page))
        {
            foreach (Match match in Link().Matches(Repository.Read(page)))
            {
                string target = match.Groups["target"].Value.Split('#')[0];
                string path = Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(page)!, target))).Replace('\\', '/');
                if (path.EndsWith(".md", StringComparison.Ordinal) && File.Exists(Path.Combine(Repository.Root, path)) && reached.Add(path))
                {
                    open.Enqueue(path);
                }
            }
        }

        string[] lost = [.. Repository.Pages().Where(page => page.StartsWith("docs/", StringComparison.Ordinal) && !reached.Contains(page))];
        Assert.True(lost.Length == 0, $"No link leads to: {string.Join(", ", lost)}");
    }

    private static HashSet<string> Anchors(string text) =>
        [.. Heading().Matches(Code().Replace(text, "")).Select(static match => NotInAnchors().Replace(match.Groups["text"].Value.Trim().ToLowerInvariant(), "").Replace(' ', '-'))];

    [GeneratedRegex(@"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\((?<target>[^)\s]+)\)", RegexOptions.CultureInvariant)]
    private static partial Regex Link();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Code();

    [GeneratedRegex(@"^#+ (?<text>.*)$", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\p{L}\p{N} _-]", RegexOptions.CultureInvariant)]
    private static partial Regex NotInAnchors();
}
