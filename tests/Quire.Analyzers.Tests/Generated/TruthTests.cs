using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

namespace Quire.Analyzers.Tests.Generated;

/// <summary>Made-up methods of which all is known, since every path of theirs is run: what is reported is wrong on some path.</summary>
public sealed class TruthTests
{
    private const int Methods = 250;

    /// <summary>More batches than the build runs: QUIRE_ANALYZER_BATCHES=200.</summary>
    public static TheoryData<int> Batches => [.. Enumerable.Range(1, int.Parse(Environment.GetEnvironmentVariable("QUIRE_ANALYZER_BATCHES") ?? "4", CultureInfo.InvariantCulture))];

    [Theory]
    [MemberData(nameof(Batches))]
    public async Task Whatever_is_reported_goes_wrong_on_some_path_and_most_of_what_goes_wrong_is_reported(int batch)
    {
        Step.Page page = new();
        page.Add("using static Somewhere; static class Made {");
        List<(int First, int Last, int Seed, Block Body, ProgramMaker Maker)> made = [];
        for (int i = 0; i < Methods; i++)
        {
            int seed = (batch * 100_000) + i;
            ProgramMaker maker = new(seed);
            Block body = maker.Make();
            int first = page.Add($"static void M{seed}(PageFragmentCache cache, bool p, bool q, int n) {{ PageFragment a = default, b = default; Span<byte> s = default; bool x = false;");
            body.Write(page);
            made.Add((first, page.Add("}"), seed, body, maker));
        }

        page.Add("}");
        string code = page.ToString();
        CSharpCompilation compilation = Snippet.Compile(code);
        Assert.Empty(compilation.GetDiagnostics(TestContext.Current.CancellationToken).Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
        ImmutableArray<Diagnostic> reports = await Snippet.Diagnose(compilation);

        int known = 0, reported = 0;
        string[] lines = code.Split('\n');
        foreach ((int first, int last, int seed, Block body, ProgramMaker maker) in made)
        {
            if (!TryRunAll(body, maker, out HashSet<(int Rule, int Line)> truth))
            {
                continue;
            }

            HashSet<(int Rule, int Line)> said = [.. reports
                .Select(report => (Rule: RuleOf(report.Id), Line: report.Location.GetLineSpan().StartLinePosition.Line + 1))
                .Where(report => report.Line > first && report.Line < last)];
            (int Rule, int Line)[] wrong = [.. said.Except(truth)];
            Assert.True(wrong.Length == 0, Explain(wrong, lines, first, last, seed));
            known += truth.Count;
            reported += said.Count;
        }

        TestContext.Current.SendDiagnosticMessage($"batch {batch}: {reported} of {known} reported");
        Assert.True(known > 200, $"Only {known} defects in batch {batch}: too few to hold anything.");
        Assert.True(reported * 100 > known * 40, $"Only {reported} of {known} defects in batch {batch} were reported.");
    }

    private static int RuleOf(string id) => id switch
    {
        "QUIRE001" => 1,
        "QUIRE002" or "QUIRE005" => 2,
        "QUIRE003" => 3,
        "QUIRE006" => 6,
        _ => 0,
    };

    /// <summary>Runs every path, each answer of chance up to a depth. False for a method with a branch that only ever goes one way: dead code is believed to run.</summary>
    private static bool TryRunAll(Block body, ProgramMaker maker, out HashSet<(int Rule, int Line)> truth)
    {
        const int Depth = 9;
        truth = [];
        HashSet<(int, bool)> ways = [];
        foreach (bool p in (bool[])[true, false])
        {
            foreach (bool q in (bool[])[true, false])
            {
                for (int n = -1; n < 4; n++)
                {
                    for (int chance = 0; chance < 1 << Depth;)
                    {
                        int asked = 0, choice = chance;
                        World world = new(p, q, n, () => asked < Depth && ((choice >> (Depth - 1 - asked++)) & 1) != 0);
                        body.Run(world);
                        world.End();
                        truth.UnionWith(world.Wrong);
                        ways.UnionWith(world.Ways);

                        // What was not asked makes no difference.
                        int step = 1 << (Depth - Math.Min(asked, Depth));
                        chance += step;
                    }
                }
            }
        }

        return maker.Branches.All(branch => branch.Ways.All(ways.Contains));
    }

    private static string Explain((int Rule, int Line)[] wrong, string[] lines, int first, int last, int seed)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"Method of seed {seed}: reported and right on all paths:\n");
        foreach ((int rule, int line) in wrong)
        {
            text.Append(CultureInfo.InvariantCulture, $"  rule {rule} at line {line}\n");
        }

        for (int line = first; line <= last; line++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{line,6} {lines[line - 1]}\n");
        }

        return text.ToString();
    }
}
