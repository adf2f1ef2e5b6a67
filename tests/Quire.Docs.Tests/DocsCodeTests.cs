using Xunit;

namespace Quire.Docs.Tests;

/// <summary>What the documentation shows is what a reader gets: every program in it compiles, runs, and prints what the page says.</summary>
public sealed class DocsCodeTests
{
    public static TheoryData<string, int> Programs()
    {
        TheoryData<string, int> data = [];
        foreach (DocsProgram program in DocsProgram.All())
        {
            data.Add(program.Page, program.Line);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void A_program_in_the_documentation_runs_and_prints_what_its_page_says(string page, int line)
    {
        DocsProgram program = DocsProgram.In(page, Repository.Read(page)).Single(program => program.Line == line);
        using MemoryStream image = new();
        IReadOnlyList<Microsoft.CodeAnalysis.Diagnostic> errors = ProgramRunner.Compile(program, image);
        Assert.True(errors.Count == 0, $"{program} does not compile:{Environment.NewLine}{string.Join(Environment.NewLine, errors)}");
        if (!program.Runs)
        {
            return;
        }

        using ProgramRunner runner = new();
        (string output, string problems, int status) = runner.Run(image);
        Assert.True(status == 0, $"{program} ended with {status}:{Environment.NewLine}{problems}{Environment.NewLine}{output}");
        if (program.Output is string promised)
        {
            Assert.True(
                DocsProgram.Steady(promised) == DocsProgram.Steady(output),
                $"{program} prints something else than its page says. It prints:{Environment.NewLine}{output}{Environment.NewLine}The page says:{Environment.NewLine}{promised}");
        }
    }

    [Fact]
    public void A_program_and_the_output_that_follows_it_are_found_in_a_page()
    {
        const string Page = "Text\n\n```csharp\nA();\n```\n\nIt prints:\n\n```text\na\n```\n\n```csharp compile-only\nB();\n```\n\n```csharp QUIRE001\nC();\n```\n\n```csharp\nD();\n```\n\n# Next\n";
        DocsProgram[] found = [.. DocsProgram.In("page.md", Page)];
        Assert.Equal(
            [new("page.md", 3, "A();\n", true, "a\n"), new("page.md", 13, "B();\n", false, null), new("page.md", 21, "D();\n", true, null)],
            found);
    }

    [Fact]
    public void Outputs_are_the_same_when_only_times_and_sizes_differ_and_not_when_a_line_of_source_does()
    {
        Assert.Equal(DocsProgram.Steady("page 0x400: 23 B, Program.cs:8 Main, 480 ms"), DocsProgram.Steady("page 0xc11:  4.2 KiB, Program.cs:8 Main, 1.5 s\n"));
        Assert.NotEqual(DocsProgram.Steady("Program.cs:8 Main"), DocsProgram.Steady("Program.cs:9 Main"));
        Assert.NotEqual(DocsProgram.Steady("held"), DocsProgram.Steady("held: nothing"));
        Assert.NotEqual(DocsProgram.Steady("2 pages, 0 bytes copied"), DocsProgram.Steady("3 pages, 0 bytes copied"));
    }
}
