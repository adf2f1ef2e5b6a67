using Quire.Tests.Tracing.Control;
using Xunit;

namespace Quire.Tests.Cli;

/// <summary><c>quire record</c>, as its users run it.</summary>
public sealed class RecordTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);
    private readonly string _folder = Directory.CreateTempSubdirectory("quire-record").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_running_process_is_recorded_for_a_time_and_goes_on()
    {
        using ChildProcess target = TracingChild.Start(TracingChild.Holder, out int id);
        using ChildProcess record = Quire("--process", $"{id}", "--duration", "1s", "-o", File("a.qring"), "--stacks", "--filter", "site~TracingChild", "--buffer", "2M", "--overflow", "stop");
        Assert.True(record.WaitForExit(s_patience) == 0, record.Output + record.Error);

        string[] lines = record.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Matches($@"^recorded .*a\.qring: [\d,]+ events of \d+ threads? in 1(\.\d+)? s, 0 lost$", lines[0]);
        Assert.Matches(@"^next: quire blame .*a\.qring$", lines[^1]);
        Assert.Equal("", record.Error);
        RawRecording recording = RawRecording.Read(File("a.qring"));
        Assert.True(recording.IsStopped);
        Assert.Equal(("site~TracingChild", "stop"), (recording.Properties["filter"], recording.Properties["overflow"]));
        Assert.Equal($"{recording.Events.Count:N0}", lines[0].Split(": ")[1].Split(' ')[0]);
        Assert.Contains(recording.Events, raw => raw.Id == Tracepoint.HolderTake && recording.Texts[raw.As<HolderTakeEvent>().Site].EndsWith("Work", StringComparison.Ordinal));

        // And once more: nothing of the first is left in the process.
        using ChildProcess again = Quire("--process", $"{id}", "--duration", "200ms", "-o", File("b.qring"));
        Assert.True(again.WaitForExit(s_patience) == 0, again.Output + again.Error);
        Assert.False(target.HasExited);
    }

    [Fact]
    public void Without_a_duration_it_records_until_it_is_interrupted()
    {
        using ChildProcess target = TracingChild.Start(TracingChild.Holder, out int id);
        using ChildProcess record = Quire("--process", $"{id}", "-o", File("a.qring"), "--sample", "2");
        WaitForFile(File("a.qring"));
        Thread.Sleep(500);
        record.Signal(ChildProcess.Interrupt);
        Assert.True(record.WaitForExit(s_patience) == 0, record.Output + record.Error);
        Assert.Contains("sampled: one reference in 2", record.Output, StringComparison.Ordinal);
        Assert.True(RawRecording.Read(File("a.qring")).IsStopped);
        Assert.False(target.HasExited);
    }

    [Fact]
    public void A_process_that_dies_while_it_is_recorded_leaves_a_recording_and_the_summary_says_so()
    {
        using ChildProcess target = TracingChild.Start(TracingChild.Holder, out int id);
        using ChildProcess record = Quire("--process", $"{id}", "-o", File("a.qring"));
        WaitForFile(File("a.qring"));
        Thread.Sleep(500);
        target.Signal(9);
        Assert.True(record.WaitForExit(s_patience) == 0, record.Output + record.Error);
        Assert.Contains("the process ended", record.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(": 0 events", record.Output, StringComparison.Ordinal);
        Assert.False(RawRecording.Read(File("a.qring")).IsStopped);
    }

    [Fact]
    public void A_recorder_that_is_killed_leaves_nothing_running()
    {
        using ChildProcess target = TracingChild.Start(TracingChild.Holder, out int id);
        using ChildProcess record = Quire("--process", $"{id}", "-o", File("a.qring"));
        WaitForFile(File("a.qring"));
        record.Signal(9);
        Assert.True(SpinWait.SpinUntil(() => RawRecording.Read(File("a.qring")).IsStopped, TimeSpan.FromSeconds(30)), "the recording goes on without its recorder");
        Assert.False(target.HasExited);
    }

    [Fact]
    public void A_second_recorder_is_told_of_the_first_and_does_not_disturb_it()
    {
        using ChildProcess target = TracingChild.Start(TracingChild.Holder, out int id);
        using ChildProcess first = Quire("--process", $"{id}", "-o", File("first.qring"));
        WaitForFile(File("first.qring"));
        using ChildProcess second = Quire("--process", $"{id}", "-o", File("second.qring"));
        Assert.Equal(2, second.WaitForExit(s_patience));
        Assert.Contains("first.qring", OneLine(second), StringComparison.Ordinal);
        Assert.False(System.IO.File.Exists(File("second.qring")));
        Thread.Sleep(300);
        Assert.False(first.HasExited || RawRecording.Read(File("first.qring")).IsStopped);
        first.Signal(ChildProcess.Interrupt);
        Assert.Equal(0, first.WaitForExit(s_patience));
        Assert.True(RawRecording.Read(File("first.qring")).IsStopped);
    }

    [Fact]
    public void A_command_is_recorded_from_its_first_reference_to_its_end()
    {
        using ChildProcess record = Quire(["-o", File("c.qring"), "--buffer", "4M", "--", "env", TracingChild.Setting(TracingChild.Short), .. TracingChild.Command]);
        Assert.True(record.WaitForExit(s_patience) == 0, record.Output + record.Error);
        RawRecording recording = RawRecording.Read(File("c.qring"));
        Assert.True(recording.IsStopped);
        Assert.Equal(301, recording.Events.Count(static raw => raw.Id == Tracepoint.HolderTake));
        Assert.Contains($"{recording.Events.Count:N0} events of 1 thread", record.Output, StringComparison.Ordinal);
        Assert.StartsWith("next: quire blame", record.Output.TrimEnd().Split('\n')[^1], StringComparison.Ordinal);

        using ChildProcess again = Quire(["-o", File("c.qring"), "--", "env", TracingChild.Setting(TracingChild.Short), .. TracingChild.Command]);
        Assert.Equal(2, again.WaitForExit(s_patience));
        Assert.Contains("--force", OneLine(again), StringComparison.Ordinal);
        using ChildProcess forced = Quire(["-o", File("c.qring"), "--force", "--filter", "size>=1", "--", "env", TracingChild.Setting(TracingChild.Short), .. TracingChild.Command]);
        Assert.True(forced.WaitForExit(s_patience) == 0, forced.Output + forced.Error);
        Assert.Equal("size>=1", RawRecording.Read(File("c.qring")).Properties["filter"]);
    }

    [Theory]
    [InlineData("c.dat", "\u0017\u0008\u0044tracing")]
    [InlineData("c.jsonl", "{")]
    public void A_name_of_another_format_makes_one_and_the_recording_goes(string name, string beginning)
    {
        using ChildProcess record = Quire(["-o", File(name), "--", "env", TracingChild.Setting(TracingChild.Short), .. TracingChild.Command]);
        Assert.True(record.WaitForExit(s_patience) == 0, record.Output + record.Error);
        Assert.Equal(File(name), Assert.Single(Directory.GetFiles(_folder)));
        Assert.StartsWith(beginning, System.IO.File.ReadAllText(File(name), System.Text.Encoding.Latin1), StringComparison.Ordinal);
        string last = record.Output.TrimEnd().Split('\n')[^1];
        Assert.Equal(name.EndsWith(".jsonl", StringComparison.Ordinal), !last.StartsWith("next: quire blame ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("there is no process 99999999", "--process", "99999999", "-o", "{0}/a.qring")]
    [InlineData("--process takes the number of a process, not '-5'", "--process", "-5", "-o", "{0}/a.qring")]
    [InlineData("--process takes the number of a process, not 'me'", "--process", "me", "-o", "{0}/a.qring")]
    [InlineData(", not 'some'", "-o", "{0}/a.qring", "--sample", "some", "--process", "1")]
    [InlineData("say what to record", "-o", "{0}/a.qring")]
    [InlineData("say what to record", "-o", "{0}/a.qring", "--process", "1", "--", "true")]
    [InlineData("--duration is for --process", "-o", "{0}/a.qring", "--duration", "1s", "--", "true")]
    [InlineData("'soon' is none", "-o", "{0}/a.qring", "--process", "1", "--duration", "soon")]
    [InlineData("'0s' is none", "-o", "{0}/a.qring", "--process", "1", "--duration", "0s")]
    [InlineData("--filter: Filter, character 1: 'pages'", "-o", "{0}/a.qring", "--filter", "pages=1", "--process", "1")]
    [InlineData("--buffer=1: it must be", "-o", "{0}/a.qring", "--buffer", "1", "--process", "1")]
    [InlineData("--overflow=newest: it must be", "-o", "{0}/a.qring", "--overflow", "newest", "--process", "1")]
    [InlineData("--sample takes a whole number", "-o", "{0}/a.qring", "--sample", "0", "--process", "1")]
    [InlineData("exists; --force", "-o", "{0}/there", "--process", "1")]
    [InlineData("'no-such-command-anywhere' could not be started", "-o", "{0}/a.qring", "--", "no-such-command-anywhere")]
    [InlineData("recorded nothing", "-o", "{0}/a.qring", "--", "true")]
    [InlineData("-o", "--process", "1")]
    public void What_can_t_be_recorded_is_one_line_and_status_2(string expected, params string[] arguments)
    {
        System.IO.File.WriteAllText(File("there"), "");
        using ChildProcess record = Quire([.. arguments.Select(argument => argument.Replace("{0}", _folder, StringComparison.Ordinal))]);
        Assert.Equal(2, record.WaitForExit(s_patience));
        Assert.Contains(expected, OneLine(record), StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_process_that_is_not_dotnet_is_told_apart_from_one_without_Quire()
    {
        using ChildProcess foreign = new("sh", "-c", "echo $$; exec sleep 300");
        int id = 0;
        Assert.True(SpinWait.SpinUntil(() => int.TryParse(foreign.Output.Trim(), out id), s_patience));
        using ChildProcess onForeign = Quire("--process", $"{id}", "-o", File("a.qring"));
        Assert.Equal(2, onForeign.WaitForExit(s_patience));
        Assert.Contains("is no .NET process", OneLine(onForeign), StringComparison.Ordinal);

        using ChildProcess stranger = TracingChild.Start(TracingChild.Stranger, out int strangerId);
        using ChildProcess onStranger = Quire("--process", $"{strangerId}", "-o", File("a.qring"));
        Assert.Equal(2, onStranger.WaitForExit(s_patience));
        Assert.Contains("there is no Quire in it", OneLine(onStranger), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_diagnostics_port_at_which_nobody_listens_any_more_is_one_line_and_status_2()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the port is a socket file, named by the process's start");
        using ChildProcess dying = new("sh", "-c", "echo $$; exec sleep 300");
        int id = 0;
        Assert.True(SpinWait.SpinUntil(() => int.TryParse(dying.Output.Trim(), out id), s_patience));
        string started = System.IO.File.ReadAllText($"/proc/{id}/stat").Split(") ")[1].Split(' ')[19];
        string port = Path.Combine(Path.GetTempPath(), $"dotnet-diagnostic-{id}-{started}-socket");
        try
        {
            // A process that was killed leaves its socket's file behind. The name goes with a socket that .NET closes, so the file stays by another name.
            using (System.Net.Sockets.Socket socket = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified))
            {
                socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(port + ".bound"));
                System.IO.File.Move(port + ".bound", port);
            }

            Assert.True(System.IO.File.Exists(port));
            using ChildProcess record = Quire("--process", $"{id}", "-o", File("a.qring"));
            Assert.Equal(2, record.WaitForExit(s_patience));
            Assert.Contains($"process {id} is no .NET process", OneLine(record), StringComparison.Ordinal);
            Assert.Empty(Directory.GetFiles(_folder));
        }
        finally
        {
            System.IO.File.Delete(port);
        }
    }

    [Fact]
    public void A_folder_that_the_process_does_not_see_is_named_as_the_process_says()
    {
        using ChildProcess target = TracingChild.Start(TracingChild.Holder, out int id);
        using ChildProcess record = Quire("--process", $"{id}", "-o", File("none/a.qring"));
        Assert.Equal(2, record.WaitForExit(s_patience));
        Assert.Contains($"process {id}: ", OneLine(record), StringComparison.Ordinal);
        Assert.Contains("none/a.qring", OneLine(record), StringComparison.Ordinal);
        Assert.False(target.HasExited);
    }

    private static void WaitForFile(string path) =>
        Assert.True(SpinWait.SpinUntil(() => System.IO.File.Exists(path) && RawRecording.Read(path).Events.Count > 0, s_patience), $"{path} did not come");

    private static string OneLine(ChildProcess process) => Assert.Single(process.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));

    private static ChildProcess Quire(params string[] arguments) =>
        new(TracingChild.Command[0], [Path.Combine(AppContext.BaseDirectory, "Quire.Cli.dll"), "record", .. arguments]);

    private string File(string name) => Path.Combine(_folder, name);
}
