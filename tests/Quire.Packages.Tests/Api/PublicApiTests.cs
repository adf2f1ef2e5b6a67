using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Packages.Tests.Api;

/// <summary>The public members of each package stand in a text file, so that a change of them is seen where changes are read.</summary>
public class PublicApiTests
{
    /// <summary>Every package that is a library.</summary>
    public static TheoryData<string> Libraries => ["Quire", "Quire.AspNetCore", "Quire.Traces"];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void What_a_package_shows_is_what_its_text_file_says(string library)
    {
        string golden = Path.Combine(SourceModel.Root(), "api", $"{library}.txt");
        string text = PublicApiText.Of(Path.Combine(AppContext.BaseDirectory, $"{library}.dll"));
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(golden, text);
        }

        Assert.True(File.Exists(golden), $"api/{library}.txt is missing: UPDATE_GOLDEN=1 writes it.");
        string expected = File.ReadAllText(golden).ReplaceLineEndings("\n");
        Assert.True(text == expected, $"The public members of {library} are not those of api/{library}.txt; UPDATE_GOLDEN=1 writes it anew.\n{Difference(expected, text)}");
    }

    [Fact]
    public void Every_library_that_is_packed_is_compared()
    {
        IEnumerable<string> packed = Directory.EnumerateFiles(Path.Combine(SourceModel.Root(), "src"), "*.csproj", SearchOption.AllDirectories)
            .Where(static project => File.ReadAllText(project) is { } text
                && text.Contains("<IsPackable>true</IsPackable>", StringComparison.Ordinal)
                && !text.Contains("<PackAsTool>true</PackAsTool>", StringComparison.Ordinal))
            .Select(static project => Path.GetFileNameWithoutExtension(project));
        Assert.Equal(packed.Order(StringComparer.Ordinal), Libraries.Select(static row => row.Data).Order(StringComparer.Ordinal));
    }

    private static string Difference(string expected, string actual)
    {
        string[] before = expected.Split('\n'), after = actual.Split('\n');
        return string.Join('\n', before.Except(after).Where(static line => line.Length > 0).Select(static line => $"- {line}")
            .Concat(after.Except(before).Where(static line => line.Length > 0).Select(static line => $"+ {line}")));
    }
}
