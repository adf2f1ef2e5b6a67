using System.Text.Json;
using Quire.Traces.Tests.Analysis;
using Xunit;

namespace Quire.Tests.Cli;

public class ConvertTests
{
    [Theory]
    [InlineData("run.dat", "trace.dat 7")]
    [InlineData("run.dat", "trace.dat 6", "--format", "v6")]
    [InlineData("run.v7", "trace.dat 7", "--format", "v7")]
    public void A_recording_becomes_a_trace_dat_with_the_same_answers(string name, string format, params string[] options)
    {
        string file = Scenes.Contiguous().Save();
        string converted = Scratch.FreshPath(name);

        (int status, string output, string error) = Command.Run(["convert", file, converted, .. options]);

        Assert.True(status == 0, error);
        Assert.Equal("", output);
        Assert.StartsWith($"wrote '{converted}': 84 events", error, StringComparison.Ordinal);
        JsonElement stat = JsonDocument.Parse(Command.Run("stat", converted, "--json").Output).RootElement;
        Assert.Equal(format, stat.GetProperty("source").GetProperty("format").GetString());
        Assert.Equal(Command.Run("blame", file).Output.Replace(file, converted, StringComparison.Ordinal), Command.Run("blame", converted).Output);
        Assert.Equal([Path.GetFileName(converted)], Directory.GetFiles(Path.GetDirectoryName(converted)!).Select(Path.GetFileName));
    }

    [Fact]
    public void A_recording_becomes_json_lines_by_the_name_of_the_file()
    {
        string converted = Scratch.FreshPath("run.jsonl");

        (int status, _, string error) = Command.Run("convert", Scenes.Contiguous().Save(), converted);

        Assert.True(status == 0, error);
        JsonElement[] lines = [.. File.ReadLines(converted).Select(static line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(84, lines.Count(static line => line.TryGetProperty("event", out _)));
    }

    [Fact]
    public void A_file_that_exists_is_replaced_only_by_force()
    {
        string file = Scenes.Contiguous().Save();
        string there = Scratch.FreshPath("there.dat");
        File.WriteAllText(there, "mine");

        Command.IsRefused("--force replaces it", "convert", file, there);
        Assert.Equal("mine", File.ReadAllText(there));
        Assert.Equal(0, Command.Run("convert", file, there, "--force").Status);
        Assert.Equal(0, Command.Run("stat", there).Status);
    }

    [Fact]
    public void A_wrong_conversion_is_refused_and_leaves_nothing_behind()
    {
        string file = Scenes.Contiguous().Save();
        string fresh = Scratch.FreshPath("out.dat");
        string text = Scratch.FreshPath("notes.txt");
        File.WriteAllText(text, "no trace");

        Command.IsRefused("--format takes v7, v6 or jsonl", "convert", file, fresh, "--format", "v8");
        Command.IsRefused("the same file", "convert", file, file, "--force");
        Command.IsRefused("is a directory", "convert", file, Path.GetDirectoryName(fresh)!, "--force");
        Command.IsRefused("no event of any known form", "convert", text, fresh);
        Command.IsRefused($"there is no folder '{Path.Combine(fresh, "deeper")}'", "convert", file, Path.Combine(fresh, "deeper", "out.dat"));
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(fresh)!));
    }
}
