using System.Text.Json;
using Quire.Traces.Tests.Analysis;
using Xunit;

namespace Quire.Tests.Cli;

public class HistoryTests
{
    [Fact]
    public void History_shows_every_event_of_the_page_and_stacks_when_asked()
    {
        string file = Scenes.Contiguous().Save();

        (int status, string output, string error) = Command.Run("history", file, "--page", "0xf1dc");
        (_, string stacks, _) = Command.Run("history", file, "--page", "0xf1dc", "--stacks");

        Assert.True(status == 0, error);
        Assert.StartsWith("page 0xf1dc: order 0, count 1 at the end, 1 holder on record\n", output, StringComparison.Ordinal);
        Assert.Contains("freeze at 1 refused", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Demo.Run(Demo.cs:8)", output, StringComparison.Ordinal);
        Assert.Contains("at Demo.Run(Demo.cs:8)", stacks, StringComparison.Ordinal);
    }

    [Fact]
    public void History_as_data_has_the_same_events()
    {
        (int status, string output, _) = Command.Run("history", Scenes.Contiguous().Save(), "--page", "0xf1dc", "--json");

        Assert.Equal(0, status);
        Assert.Equal(11, JsonDocument.Parse(output).RootElement.GetProperty("events").GetArrayLength());
    }

    [Fact]
    public void History_wants_a_page() => Command.IsRefused("--page", "history", Scenes.Contiguous().Save());
}
