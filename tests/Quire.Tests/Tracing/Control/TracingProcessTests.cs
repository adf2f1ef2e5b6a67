using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>Recordings that a process begins by itself, as its environment says.</summary>
public sealed class TracingProcessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("quire-control").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_environment_records_from_the_first_reference_and_the_process_s_exit_ends_it_in_order()
    {
        using ChildProcess child = TracingChild.Start(TracingChild.Short, $"QUIRE_TRACE={_folder}/run-{{pid}}.qring", "QUIRE_TRACE_BUFFER=4M");
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(60)));

        RawRecording recording = RawRecording.Read(Path.Combine(_folder, $"run-{child.Output.Trim()}.qring"));
        Assert.True(recording.IsStopped);
        RawEvent[] takes = [.. recording.Events.Where(static raw => raw.Id == Tracepoint.HolderTake)];
        Assert.Equal(301, takes.Length);
        Assert.EndsWith("Keep", recording.Texts[takes[0].As<HolderTakeEvent>().Site], StringComparison.Ordinal);
        Assert.Equal(300, recording.Events.Count(static raw => raw.Id == Tracepoint.HolderRelease));
        HolderTakeEvent held = Assert.Single(recording.Snapshots[2], static raw => raw.Id == Tracepoint.HolderState).As<HolderTakeEvent>();
        Assert.Equal(takes[0].As<HolderTakeEvent>().Ticket, held.Ticket);
    }

    /// <summary>As of .NET 10 such a signal ends a process at once, unless the application heeds it, as hosts do, and exits.</summary>
    [Fact]
    public void A_signal_that_nobody_heeds_leaves_all_events_and_no_last_snapshot()
    {
        string path = Path.Combine(_folder, "t.qring");
        using ChildProcess child = TracingChild.Start(TracingChild.Holder, out _, $"QUIRE_TRACE={path}");
        Assert.True(SpinWait.SpinUntil(() => RawRecording.Read(path).Events.Count > 10, TimeSpan.FromSeconds(60)));
        child.Signal(ChildProcess.SigTerm);
        child.WaitForExit(TimeSpan.FromSeconds(60));
        RawRecording recording = RawRecording.Read(path);
        Assert.False(recording.IsStopped);
        Assert.DoesNotContain(2u, recording.Snapshots.Keys);
        Assert.True(recording.Events.Count > 10);
    }

    [Theory]
    [InlineData("QUIRE_TRACE_SAMPLE=some", "QUIRE_TRACE_SAMPLE=some: it must be a whole number")]
    [InlineData("QUIRE_TRACE_FILTER=pages=1", "QUIRE_TRACE_FILTER: Filter, character 1")]
    [InlineData("QUIRE_TRACE=/nowhere/at/all/a.qring", "its folder does not exist")]
    [InlineData("QUIRE_TRACE_BUFFER=12", "QUIRE_TRACE_BUFFER=12")]
    public void A_wrong_setting_is_one_line_and_the_application_goes_on(string setting, string expected)
    {
        using ChildProcess child = TracingChild.Start(TracingChild.Short, $"QUIRE_TRACE={_folder}/a.qring", setting);
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(60)));
        string line = Assert.Single(child.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("quire: ", line, StringComparison.Ordinal);
        Assert.Contains(expected, line, StringComparison.Ordinal);
        Assert.EndsWith("goes on without a recording.", line, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_file_that_a_crash_may_have_left_is_not_replaced()
    {
        string path = Path.Combine(_folder, "a.qring");
        File.WriteAllText(path, "evidence");
        using ChildProcess child = TracingChild.Start(TracingChild.Short, $"QUIRE_TRACE={path}");
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.Contains(path, child.Error, StringComparison.Ordinal);
        Assert.Equal("evidence", File.ReadAllText(path));
    }

    [Fact]
    public void Where_tracing_is_switched_away_the_switch_is_named()
    {
        // The environment's way to an AppContext switch: a runtimeconfig of its own beside the program.
        string config = Path.Combine(_folder, "run.json");
        File.WriteAllText(config, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Quire.Tests.runtimeconfig.json"))
            .Replace("\"configProperties\": {", $"\"configProperties\": {{ \"{TracingSupport.SwitchName}\": false,", StringComparison.Ordinal));
        Assert.Contains(TracingSupport.SwitchName, File.ReadAllText(config), StringComparison.Ordinal);
        string[] command = TracingChild.Command;
        using ChildProcess child = new("env", [TracingChild.Setting(TracingChild.Short), $"QUIRE_TRACE={_folder}/a.qring", command[0], "exec", "--runtimeconfig", config, command[1]]);
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(60)));
        Assert.Contains(TracingSupport.SwitchName, Assert.Single(child.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_folder, "a.qring")));
    }

    [Fact]
    public void Runtimeconfig_starts_a_recording_too()
    {
        string config = Path.Combine(_folder, "run.json");
        File.WriteAllText(config, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Quire.Tests.runtimeconfig.json"))
            .Replace("\"configProperties\": {", $"\"configProperties\": {{ \"Quire.Tracing.Path\": \"{_folder}/c.qring\", \"Quire.Tracing.Filter\": \"site~Tracing size>=1\",", StringComparison.Ordinal));
        string[] command = TracingChild.Command;
        using ChildProcess child = new("env", [TracingChild.Setting(TracingChild.Short), command[0], "exec", "--runtimeconfig", config, command[1]]);
        Assert.Equal(0, child.WaitForExit(TimeSpan.FromSeconds(60)));
        RawRecording recording = RawRecording.Read(Path.Combine(_folder, "c.qring"));
        Assert.Equal("site~Tracing size>=1", recording.Properties["filter"]);
        Assert.Contains(recording.Events, static raw => raw.Id == Tracepoint.HolderTake);
    }
}
