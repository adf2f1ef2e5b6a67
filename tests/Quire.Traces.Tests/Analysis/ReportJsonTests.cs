using System.Text.Json;
using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

/// <summary>The shape of the data that programs rely on, and that it comes out of a trace.dat as out of the recording.</summary>
public class ReportJsonTests
{
    [Fact]
    public void Blame_has_every_key_of_the_schema_with_numbers_as_numbers_and_null_for_what_is_absent()
    {
        JsonElement root = Parse(Blame(Save(Scenes.Contiguous()), all: true));

        Assert.Equal(["format", "kernel", "events", "first_ns", "last_ns"], Keys(root.GetProperty("source")).Take(5));
        Assert.Equal(JsonValueKind.Null, root.GetProperty("source").GetProperty("kernel").ValueKind);
        JsonElement attempt = root.GetProperty("attempts")[0];
        string[] ofAttempt = ["index", "area", "pages", "align", "start_ns", "end_ns", "result", "task", "busy_pages", "verdict", "advice"];
        Assert.Empty(ofAttempt.Except(Keys(attempt)));
        Assert.Equal("busy", attempt.GetProperty("result").GetString());
        Assert.Equal("success", root.GetProperty("attempts")[1].GetProperty("result").GetString());
        Assert.Equal("no-space", root.GetProperty("attempts")[2].GetProperty("result").GetString());
        Assert.Equal(["comm", "pid"], Keys(attempt.GetProperty("task")));
        JsonElement page = attempt.GetProperty("busy_pages")[0];
        Assert.Equal(0xf1dc, page.GetProperty("pfn").GetInt64());
        Assert.Equal((2, 1, 0), (page.GetProperty("count").GetInt32(), page.GetProperty("expected").GetInt32(), page.GetProperty("unattributed").GetInt32()));
        Assert.Equal("pinned", page.GetProperty("reason").GetString());
        JsonElement holder = page.GetProperty("holders")[0];
        string[] ofHolder = ["references", "task", "acquired_ns", "released_ns", "stack", "class", "confidence", "basis"];
        Assert.Empty(ofHolder.Except(Keys(holder)));
        Assert.Equal((long)Scenes.At(2) + 20, holder.GetProperty("acquired_ns").GetInt64());
        Assert.Equal((long)Scenes.At(520), holder.GetProperty("released_ns").GetInt64());
        Assert.Equal(["Demo.ForgetfulAuditor.Audit(ForgetfulAuditor.cs:31)", "Demo.Run(Demo.cs:8)", "(partial)"], holder.GetProperty("stack").EnumerateArray().Select(static frame => frame.GetString()));
        Assert.Equal(("pin", 1.0, "exact"), (holder.GetProperty("class").GetString(), holder.GetProperty("confidence").GetDouble(), holder.GetProperty("basis").GetString()));
        Assert.Equal(2, root.GetProperty("held_at_end").GetArrayLength());
        Assert.Equal(0, root.GetProperty("data_quality").GetProperty("lost_events").GetInt64());
        string[] counters = ["count_mismatches", "pages_seen_mid_life", "replay_missing", "replay_extra", "replay_differs"];
        Assert.Empty(counters.Except(Keys(root.GetProperty("data_quality"))));
    }

    [Fact]
    public void Stat_has_events_by_name()
    {
        using TraceInput input = TraceInput.Open(Save(Scenes.Contiguous()));
        StringWriter text = new();
        ReportJson.Write(text, TraceAnalysis.Stat(input, null));

        JsonElement root = Parse(text.ToString());

        Assert.Equal(65, root.GetProperty("events").GetProperty("page_ref_set").GetInt64());
        Assert.Equal(root.GetProperty("source").GetProperty("events").GetInt64(), root.GetProperty("events").EnumerateObject().Sum(static name => name.Value.GetInt64()));
        Assert.Equal(1, root.GetProperty("attempts").GetProperty("busy").GetInt64());
    }

    [Fact]
    public void A_history_has_its_events_in_order()
    {
        using TraceInput input = TraceInput.Open(Save(Scenes.Contiguous()));
        StringWriter text = new();
        ReportJson.Write(text, TraceAnalysis.History(input, 0xf1dc, null));

        JsonElement[] events = [.. Parse(text.ToString()).GetProperty("events").EnumerateArray()];

        Assert.Equal(11, events.Length);
        Assert.Equal("page_ref_set", events[0].GetProperty("event").GetString());
        Assert.Equal(JsonValueKind.Null, events[1].GetProperty("count").ValueKind);
        Assert.Equal([1, 2, 2, 2, 1], events.Select(static entry => entry.GetProperty("count")).Where(static count => count.ValueKind == JsonValueKind.Number).Select(static count => count.GetInt32()));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void A_trace_dat_gives_the_answers_of_the_recording_it_was_made_of(int version)
    {
        ModelRun run = new(seed: 7);
        run.Go(3_000);
        run.Snapshot(2);
        foreach (string recording in new[] { Save(Scenes.Server()), Save(Scenes.Contiguous()), Save(Scenes.Server(withEnd: false)), run.Save(1 << 13) })
        {
            string converted = Path.ChangeExtension(recording, ".dat");
            using (TraceInput input = TraceInput.Open(recording))
            {
                TraceConvert.ToTraceDat(input, converted, version);
            }

            Assert.Equal(WithoutSource(Blame(recording, all: true)), WithoutSource(Blame(converted, all: true)));
        }
    }

    private static string Save(RecordingBuilder recording) => recording.Save();

    private static string Blame(string path, bool all)
    {
        using TraceInput input = TraceInput.Open(path);
        StringWriter text = new();
        ReportJson.Write(text, TraceAnalysis.Blame(input, new BlameOptions { All = all }));
        return text.ToString();
    }

    // What must differ: the format's name, the path in the next command, and counters that only one of the readers has.
    private static string WithoutSource(string json)
    {
        Dictionary<string, JsonElement> root = Parse(json).EnumerateObject().ToDictionary(static entry => entry.Name, static entry => entry.Value);
        JsonElement source = root["source"];
        root.Remove("source");
        root.Remove("next");
        string counters = string.Join(' ', root["data_quality"].EnumerateObject().Where(static counter => counter.Value.GetInt64() != 0).Select(static counter => $"{counter.Name}={counter.Value}"));
        root.Remove("data_quality");
        string parts = string.Join('\n', root.Select(static entry => $"{entry.Key}: {entry.Value.GetRawText()}"));
        return $"{source.GetProperty("events")} {source.GetProperty("first_ns")} {source.GetProperty("last_ns")} {source.GetProperty("end_snapshot")} {counters}\n{parts}";
    }

    private static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;

    private static IEnumerable<string> Keys(JsonElement element) => element.EnumerateObject().Select(static entry => entry.Name);
}
