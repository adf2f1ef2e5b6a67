using Xunit;

namespace Quire.Tests.Architecture;

/// <summary>The tests' own house: many of them hold only while the process's ledger is off, so those that switch it on may not run beside them.</summary>
public sealed class LedgerCollectionTests
{
    private static readonly string[] s_switches = ["Holders.Track", "new PageLeakScope", "PageTracing.Start"];

    [Fact]
    public void Only_tests_that_run_alone_switch_the_ledger_on()
    {
        string folder = Path.Combine(SourceModel.Root(), "tests", "Quire.Tests");
        List<(string Path, string Text)> files =
        [
            .. Directory.EnumerateFiles(folder, "*Tests.cs", SearchOption.AllDirectories)
                .Where(static path => Path.GetFileName(path) != $"{nameof(LedgerCollectionTests)}.cs")
                .Select(static path => (path, File.ReadAllText(path))),
        ];
        List<(string Path, string Text)> switching = files.FindAll(static file => s_switches.Any(name => file.Text.Contains($" {name}(", StringComparison.Ordinal)));
        Assert.True(switching.Count > 10, $"only {switching.Count} switch it on: are they looked for by the right names?");
        Assert.Empty(switching.Where(static file => !file.Text.Contains("[Collection(Ledger", StringComparison.Ordinal)).Select(file => Path.GetRelativePath(folder, file.Path)));
    }
}
