using System.Text.Json;
using Quire.Traces.Tests.Analysis;
using Xunit;

namespace Quire.Tests.Cli;

public class BlameTests
{
    [Fact]
    public void Blame_ends_with_0_where_nothing_is_held_against_the_rules_though_much_is_held()
    {
        (int status, string output, string error) = Command.Run("blame", Scenes.Server().Save());

        Assert.True(status == 0, error);
        Assert.StartsWith("held at end: 99 pages", output, StringComparison.Ordinal);
        Assert.Contains("! HttpParser.KeepHeader Parser.cs:141", output, StringComparison.Ordinal);
        Assert.StartsWith("next: quire ", output.TrimEnd('\n').Split('\n')[^1], StringComparison.Ordinal);
        Assert.Equal("", error);
    }

    [Fact]
    public void Blame_ends_with_1_where_a_contiguous_allocation_failed_because_pages_were_held()
    {
        string file = Scenes.Contiguous().Save();

        (int status, string output, _) = Command.Run("blame", file, "--json");
        (int ofPage, string page, _) = Command.Run("blame", file, "--page", "0xf1dc");
        (int ofDecimal, string same, _) = Command.Run("blame", file, "--page", "61916");

        Assert.Equal((1, 1, 1), (status, ofPage, ofDecimal));
        Assert.Equal("busy", JsonDocument.Parse(output).RootElement.GetProperty("attempts")[0].GetProperty("result").GetString());
        Assert.StartsWith("page 0xf1dc  order 0", page, StringComparison.Ordinal);
        Assert.Equal(page, same);
    }

    [Fact]
    public void Blame_ends_with_1_where_something_is_held_longer_than_is_allowed_and_0_where_nothing_is()
    {
        string file = Scenes.Server().Save();

        (int status, string output, _) = Command.Run("blame", file, "--max-age", "500ms");

        Assert.Equal(1, status);
        Assert.Contains("against the rules: max_age: HttpParser.KeepHeader", output, StringComparison.Ordinal);
        Assert.Equal(0, Command.Run("blame", file, "--max-age", "1.5s").Status);
        Assert.Equal(0, Command.Run("blame", file, "--page", "0x20003", "--max-age", "500ms").Status);
        Assert.Equal(1, Command.Run("blame", file, "--page", "0x17a00", "--max-age", "500ms").Status);
    }

    [Fact]
    public void Blame_refuses_in_one_line_what_it_can_not_read()
    {
        string text = Scratch.FreshPath("notes.txt");
        File.WriteAllText(text, "a page, a page\n");
        string cut = Scenes.Server().Save();
        File.WriteAllBytes(cut, File.ReadAllBytes(cut)[..100]);

        Command.IsRefused("there is no file", "blame", Scratch.FreshPath("none.qring"));
        Command.IsRefused("no event of any known form", "blame", text);
        Command.IsRefused("quire: ", "blame", cut);
        string binary = Scratch.FreshPath("binary");
        File.WriteAllBytes(binary, [1, 2, 3, 0, 0xff]);
        Command.IsRefused("neither a recording of Quire, nor a trace.dat, nor a trace as text", "blame", binary);
        Command.IsRefused("--page asks about one page", "blame", text, "--page", "1", "--leaks");
        Command.IsRefused("--at takes a time", "blame", text, "--at", "soon");
        Command.IsRefused("--attempt takes a number", "blame", text, "--attempt", "0");
        Command.IsRefused("is a directory", "blame", Path.GetDirectoryName(text)!);
        Command.IsRefused("--page takes a frame number", "blame", text, "--page", "here");
        Command.IsRefused("--max-age takes a time", "blame", text, "--max-age", "5 parsecs");
        Command.IsRefused("'--leak' is no command or option", "blame", text, "--leak");
    }

    [Fact]
    public void The_help_of_blame_says_what_is_against_the_rules()
    {
        (int status, string output, _) = Command.Run("blame", "--help");

        Assert.Equal(0, status);
        Assert.All(["failed_attempt", "short_pin", "max_age", "--page", "--json", "--all", "--max-age"], word => Assert.Contains(word, output, StringComparison.Ordinal));
    }
}
