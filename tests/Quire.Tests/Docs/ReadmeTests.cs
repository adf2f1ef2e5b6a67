using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Tests.Docs;

/// <summary>What the README shows of the demo is what it prints. Its code is run by tests/Quire.Docs.Tests.</summary>
public class ReadmeTests
{
    [Fact]
    public void The_demo_output_in_the_README_has_the_lines_that_the_demo_prints()
    {
        string readme = File.ReadAllText(Path.Combine(SourceModel.Root(), "README.md"));
        string auditor = File.ReadAllText(Path.Combine(SourceModel.Root(), "src/Quire.Cli/Demo/ForgetfulAuditor.cs"));
        int line = 1 + auditor[..auditor.IndexOf("page.Pin()", StringComparison.Ordinal)].Count(static c => c == '\n');

        Assert.Contains($"HELD  ForgetfulAuditor.cs:{line} Audit, ", readme, StringComparison.Ordinal);
        Assert.Contains($"held by ForgetfulAuditor.Audit ForgetfulAuditor.cs:{line}; ", readme, StringComparison.Ordinal);
        Assert.Contains($"=> Quire.Cli.Demo.ForgetfulAuditor.Audit(ForgetfulAuditor.cs:{line}) ", readme, StringComparison.Ordinal);
        Assert.Contains("\n    pages held at end    0\n", readme, StringComparison.Ordinal);
        Assert.DoesNotContain("@", readme, StringComparison.Ordinal);
    }
}
