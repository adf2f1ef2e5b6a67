using Xunit;

namespace Quire.Traces.Tests.Analysis;

/// <summary>Texts compared with files beside the tests; <c>UPDATE_GOLDEN=1</c> writes them anew, to be read before they are committed.</summary>
internal static class Golden
{
    internal static void Check(string name, string text)
    {
        string folder = Folder();
        string path = Path.Combine(folder, name);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(folder);
            File.WriteAllText(path, text);
            return;
        }

        Assert.True(File.Exists(path), $"There is no {name}; run with UPDATE_GOLDEN=1, and read what it writes.");
        Assert.Equal(File.ReadAllText(path), text);
    }

    private static string Folder() => Path.Combine(Kernel.Classes.KernelSamples.Root(), "tests", "Quire.Traces.Tests", "Analysis", "Golden");
}
