using System.Text.Json;
using Quire.Traces.Tests.Analysis;
using Xunit;

namespace Quire.Tests.Cli;

public class StatTests
{
    [Fact]
    public void Stat_counts_events_by_name_as_text_and_as_data()
    {
        string file = Scenes.Contiguous().Save();

        (int status, string text, string error) = Command.Run("stat", file);
        (_, string json, _) = Command.Run("stat", file, "--json");

        Assert.True(status == 0, error);
        Assert.StartsWith("quire ring 1: 84 events over 900 ms, 2 threads", text, StringComparison.Ordinal);
        Assert.Equal(65, JsonDocument.Parse(json).RootElement.GetProperty("events").GetProperty("page_ref_set").GetInt64());
    }
}
