using System.Text.RegularExpressions;
using Xunit;

namespace Quire.Tests.Architecture;

/// <summary>The tests' own house: many of them hold only while the process's ledger is off, so those that switch it on may not run beside them.</summary>
public sealed partial class LedgerCollectionTests
{
    [Fact]
    public void Only_tests_that_run_alone_switch_the_ledger_on()
    {
        string folder = Path.Combine(SourceModel.Root(), "tests", "Quire.Tests");
        List<(string Path, string Text)> files = [.. Directory.EnumerateFiles(folder, "*Tests.cs", SearchOption.AllDirectories).Select(static path => (path, File.ReadAllText(path)))];
        List<(string Path, string Text)> switching = files.FindAll(static file => SwitchesOn().IsMatch(file.Text));
        Assert.True(switching.Count > 15, $"only {switching.Count} switch it on: are they looked for by the right names?");
        Assert.Empty(switching.Where(static file => !file.Text.Contains("[Collection(Ledger", StringComparison.Ordinal)).Select(file => Path.GetRelativePath(folder, file.Path)));
    }

    [GeneratedRegex(@"\b(Holders\.Track|RelayCommand\.Run|PageTracing\.(Try)?Start|Ledger\.Start|new PageLeakScope)\(|\bPageLeakScope \w+ = new\(")]
    private static partial Regex SwitchesOn();
}
