using System.Text;
using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel.Classes;

/// <summary>docs/kernel-traces.md says what the code does: its tables of classes and rules are made from those in the code.</summary>
public sealed class KernelTracesDocsTests
{
    private const string Begin = "<!-- classes: made from RefClassTable and RefRuleTable; UPDATE_GOLDEN=1 dotnet test writes it anew -->";
    private const string End = "<!-- end of classes -->";
    private const int Shown = 6;

    [Fact]
    public void The_documented_classes_and_rules_are_those_of_the_code()
    {
        string path = Path.Combine(KernelSamples.Root(), "docs", "kernel-traces.md");
        string text = File.ReadAllText(path);
        int begin = text.IndexOf(Begin, StringComparison.Ordinal);
        int end = text.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin >= 0 && end > begin, "docs/kernel-traces.md has lost the marks around its tables of classes.");
        string expected = $"{Begin}\n\n{Tables()}\n";
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(path, text[..begin] + expected + text[end..]);
            return;
        }

        Assert.Equal(expected, text[begin..end]);
    }

    private static string Tables()
    {
        StringBuilder text = new();
        text.Append("| class | held by | what to do |\n|---|---|---|\n");
        foreach (RefClass one in RefClasses.All)
        {
            text.Append($"| `{one.Name}`{(one.IsStructural ? " (the page's own)" : "")} | {one.What} | {one.Advice} |\n");
        }

        text.Append("\n### The rules\n\n| rule | class | where | functions | source |\n|---|---|---|---|---|\n");
        foreach (RefRule rule in RefClasses.Rules)
        {
            text.Append($"| {rule.Id}{(rule.Strength == RefStrength.Weak ? " (weak)" : "")} | `{rule.Class}` | {(rule.Role is { } role ? role == RefRole.Take ? "taken" : "given back" : "both")} | {Functions(rule.Functions)}");
            text.Append(rule.Under.Count > 0 ? $"; under {Functions(rule.Under)}" : "").Append(rule.Via.Count > 0 ? $"; by way of {Functions(rule.Via)}" : "");
            text.Append($" | {rule.Source}{(rule.Advice is null ? "" : $". {rule.Advice}")} |\n");
        }

        return text.ToString();
    }

    private static string Functions(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(Shown).Select(static name => $"`{name}`")) + (names.Count > Shown ? $" and {names.Count - Shown} more" : "");
}
