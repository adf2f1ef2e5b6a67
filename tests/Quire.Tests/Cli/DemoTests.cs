using System.Text.Json;
using Xunit;

namespace Quire.Tests.Cli;

/// <summary>The main job, run as its users run it: as a process.</summary>
public class DemoTests
{
    [Fact]
    public void The_demo_blames_the_forgetful_auditor_alone_and_everything_it_promises_happens()
    {
        using ChildProcess demo = Quire("demo", "--seconds", "1", "--json");

        int status = demo.WaitForExit(TimeSpan.FromSeconds(60));

        Assert.True(status == 0, demo.Output + demo.Error);
        JsonElement report = JsonDocument.Parse(demo.Output).RootElement;
        Assert.Empty(report.GetProperty("faults").EnumerateArray());
        Assert.True(report.GetProperty("datagrams").GetInt64() > 100);
        Assert.True(report.GetProperty("bytes").GetInt64() >= 64 * report.GetProperty("datagrams").GetInt64());
        Assert.True(report.GetProperty("datagrams_verified").GetInt64() > 0);
        Assert.Equal(report.GetProperty("references_taken").GetInt64(), report.GetProperty("references_dropped").GetInt64());
        Assert.True(report.GetProperty("pages_migrated").GetInt64() > 0);
        Assert.Equal(0, report.GetProperty("payloads_damaged").GetInt32());
        Assert.Equal(0, report.GetProperty("pages_held_at_end").GetInt64());
        Assert.InRange(report.GetProperty("gc_bytes_per_datagram").GetDouble(), 0, 16);

        JsonElement first = report.GetProperty("first_attempt");
        Assert.Equal("busy", first.GetProperty("result").GetString());
        JsonElement page = Assert.Single(first.GetProperty("busy_pages").EnumerateArray());
        Assert.Equal(page.GetProperty("expected").GetInt32() + 1, page.GetProperty("count").GetInt32());
        JsonElement holder = Assert.Single(page.GetProperty("holders").EnumerateArray());
        Assert.EndsWith("src/Quire.Cli/Demo/ForgetfulAuditor.cs", holder.GetProperty("file").GetString(), StringComparison.Ordinal);
        Assert.Equal("Audit", holder.GetProperty("member").GetString());
        Assert.Contains("auditor", holder.GetProperty("thread").GetString(), StringComparison.Ordinal);
        Assert.Equal(LineOf("page.Pin()", "src/Quire.Cli/Demo/ForgetfulAuditor.cs"), holder.GetProperty("line").GetInt32());

        JsonElement second = report.GetProperty("second_attempt");
        Assert.Equal("success", second.GetProperty("result").GetString());
        Assert.Equal(first.GetProperty("pages").GetInt32(), second.GetProperty("pages").GetInt32());
    }

    [Fact]
    public void The_text_of_the_demo_begins_its_answer_with_the_verdict_and_ends_with_the_totals()
    {
        using ChildProcess demo = Quire("demo", "--seconds", "1");

        int status = demo.WaitForExit(TimeSpan.FromSeconds(60));

        Assert.True(status == 0, demo.Output + demo.Error);
        string[] lines = demo.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        int verdict = Array.FindIndex(lines, static line => line.StartsWith("busy: ", StringComparison.Ordinal));
        Assert.True(verdict > 0, demo.Output);
        Assert.StartsWith("page 0x", lines[verdict + 1], StringComparison.Ordinal);
        Assert.Contains("ForgetfulAuditor.cs:", lines[verdict + 2], StringComparison.Ordinal);
        Assert.StartsWith("next: ", lines[verdict + 3], StringComparison.Ordinal);
        Assert.Contains(lines, static line => line.StartsWith("success: ", StringComparison.Ordinal));
        Assert.Equal("pages held at end    0", lines[^1]);
    }

    [Theory]
    [InlineData("--seconds takes a number from 1 to 3600", "demo", "--seconds", "0")]
    [InlineData("'demolish' is no command", "demolish")]
    [InlineData("'--fast' is no command or option", "demo", "--fast")]
    public void A_wrong_call_gets_one_line_that_says_what_and_status_2(string expected, params string[] arguments)
    {
        using ChildProcess call = Quire(arguments);

        int status = call.WaitForExit(TimeSpan.FromSeconds(60));

        Assert.Equal(2, status);
        Assert.Single(call.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(expected, call.Error, StringComparison.Ordinal);
        Assert.Equal("", call.Output);
    }

    [Fact]
    public void A_recorded_demo_is_blamed_on_the_forgetful_auditor_by_ticket_with_his_whole_stack()
    {
        string path = Path.Combine(Path.GetTempPath(), $"quire-{Guid.NewGuid():n}.qring");
        try
        {
            using ChildProcess demo = Quire("demo", "--seconds", "1", "--record", path);
            Assert.True(demo.WaitForExit(TimeSpan.FromSeconds(90)) == 0, demo.Output + demo.Error);
            Assert.Contains($"next: quire blame {path}", demo.Output, StringComparison.Ordinal);

            using ChildProcess blame = Quire("blame", path, "--json");
            Assert.True(blame.WaitForExit(TimeSpan.FromSeconds(90)) == 1, blame.Output + blame.Error);
            JsonElement report = JsonDocument.Parse(blame.Output).RootElement;
            JsonElement busy = report.GetProperty("attempts").EnumerateArray().Single(static attempt => attempt.GetProperty("result").GetString() == "busy");
            JsonElement page = Assert.Single(busy.GetProperty("busy_pages").EnumerateArray());
            Assert.Equal(page.GetProperty("expected").GetInt32() + 1, page.GetProperty("count").GetInt32());
            JsonElement holder = Assert.Single(page.GetProperty("holders").EnumerateArray());
            Assert.Equal("exact", holder.GetProperty("basis").GetString());
            Assert.Equal("auditor", holder.GetProperty("task").GetProperty("comm").GetString());
            Assert.True(holder.GetProperty("released_ns").GetInt64() > holder.GetProperty("acquired_ns").GetInt64());
            Assert.Contains("ForgetfulAuditor.Audit", holder.GetProperty("stack")[0].GetString(), StringComparison.Ordinal);
            Assert.Contains("Thread.StartCallback", holder.GetProperty("stack").EnumerateArray().Last().GetString(), StringComparison.Ordinal);
            Assert.Empty(report.GetProperty("held_at_end").EnumerateArray());
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static ChildProcess Quire(params string[] arguments) =>
        new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Path.Combine(AppContext.BaseDirectory, "Quire.Cli.dll"), .. arguments]);

    private static int LineOf(string text, string file)
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Quire.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return 1 + Array.FindIndex(File.ReadAllLines(Path.Combine(folder!, file)), line => line.Contains(text, StringComparison.Ordinal));
    }
}
