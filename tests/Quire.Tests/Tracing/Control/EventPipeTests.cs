using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;
using Quire.Cli.Record;
using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>The event source from outside: real sessions of the runtime's diagnostics port on a real process.</summary>
public sealed class EventPipeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("quire-pipe").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_session_with_a_path_records_until_it_ends_and_every_reader_sees_the_same_events()
    {
        string path = Path.Combine(_folder, "a b;c.qring");
        using ChildProcess child = TracingChild.Start(TracingChild.Holder, out int id);

        // Progress is told once a second, and by the thread that ends it.
        byte[] stream = Session(id, new() { ["path"] = TracingSettings.Encode(path), ["request"] = "pipe", ["duration"] = "4" }, Has(QuireEventSource.Ids.RecordingStopped));

        Assert.True(RawRecording.Read(path).IsStopped);
        Assert.Contains(RawRecording.Read(path).Events, static raw => raw.Id == Tracepoint.HolderRelease);
        List<(string Name, int Id, string First)> seen = WithTraceEvent(stream);
        Assert.Equal("RecordingStarted", seen[0].Name);
        Assert.Contains(seen, static one => one.Name == "RecordingProgress");
        Assert.Equal("RecordingStopped", seen[^1].Name);
        Assert.All(seen, static one => Assert.Equal("pipe", one.First));

        NettraceEvent[] ours = [.. new NettraceReader(new MemoryStream(stream)).Read().Where(static one => one.Provider == "Quire" && one.Id is > 0 and < 0xFFFE)];
        Assert.Equal(seen.Select(static one => (one.Id, one.First)), ours.Select(static one => (one.Id, new SpanReader(one.Payload).Text())));
        SpanReader last = new(ours[^1].Payload);
        Assert.Equal(("pipe", path), (last.Text(), last.Text()));
        Assert.True(last.Int64() > 0);
    }

    [Fact]
    public void The_disable_command_of_the_last_session_ends_its_recording()
    {
        string path = Path.Combine(_folder, "d.qring");
        using ChildProcess child = TracingChild.Start(TracingChild.Holder, out int id);
        Session(id, new() { ["path"] = TracingSettings.Encode(path) }, Has(QuireEventSource.Ids.RecordingStarted));
        Assert.True(SpinWait.SpinUntil(() => RawRecording.Read(path).IsStopped, TimeSpan.FromSeconds(60)));
        Assert.False(child.HasExited);
    }

    [Fact]
    public void A_session_without_arguments_records_nothing()
    {
        using ChildProcess child = TracingChild.Start(TracingChild.Holder, out int id);
        long? began = null;
        Assert.Empty(WithTraceEvent(Session(id, [], _ => Environment.TickCount64 - (began ??= Environment.TickCount64) > 1000)));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public void A_stream_that_is_cut_or_damaged_ends_or_is_refused_and_nothing_else()
    {
        using ChildProcess child = TracingChild.Start(TracingChild.Holder, out int id);
        byte[] stream = Session(id, new() { ["path"] = TracingSettings.Encode(Path.Combine(_folder, "m")), ["duration"] = "0.2" }, Has(QuireEventSource.Ids.RecordingStopped));
        int whole = new NettraceReader(new MemoryStream(stream)).Read().Count();
        for (int length = 0; length < stream.Length; length += 7)
        {
            Assert.True(new NettraceReader(new MemoryStream(stream, 0, length)).Read().Count() <= whole, $"cut at {length}");
        }

        int seed = Environment.TickCount;
        Random random = new(seed);
        for (int round = 0; round < 3000; round++)
        {
            byte[] damaged = (byte[])stream.Clone();
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            }

            try
            {
                foreach (NettraceEvent one in new NettraceReader(new MemoryStream(damaged)).Read())
                {
                    SpanReader fields = new(one.Payload);
                    _ = fields.Text();
                }
            }
            catch (InvalidDataException)
            {
            }
            catch (Exception wrong)
            {
                Assert.Fail($"seed {seed}, round {round}: {wrong}");
            }
        }
    }

    /// <summary>A session that ends once its stream so far is enough: the child may take seconds for what it does otherwise at once.</summary>
    private static byte[] Session(int id, Dictionary<string, string> arguments, Func<byte[], bool> isEnough)
    {
        MemoryStream copy = new();
        using EventPipeSession session = new DiagnosticsClient(id).StartEventPipeSession(new EventPipeProvider("Quire", EventLevel.Verbose, 0xFFFF, arguments), requestRundown: false, circularBufferMB: 4);
        Task read = Task.Factory.StartNew(Copy, TaskCreationOptions.LongRunning);
        bool came = Trial.Eventually(() => isEnough(SoFar()), 60_000);
        session.Stop();
        Assert.True(read.Wait(TimeSpan.FromSeconds(60)));
        Assert.True(came, $"what was awaited is not among {string.Join(", ", WithTraceEvent(SoFar()).Select(static one => one.Name))}");
        return SoFar();

        void Copy()
        {
            byte[] part = new byte[4096];
            for (int count; (count = session.EventStream.Read(part)) > 0;)
            {
                lock (copy)
                {
                    copy.Write(part, 0, count);
                }
            }
        }

        byte[] SoFar()
        {
            lock (copy)
            {
                return copy.ToArray();
            }
        }
    }

    private static Func<byte[], bool> Has(int id) =>
        stream => new NettraceReader(new MemoryStream(stream)).Read().Any(one => one.Provider == "Quire" && one.Id == id);

    private static List<(string Name, int Id, string First)> WithTraceEvent(byte[] stream)
    {
        List<(string, int, string)> seen = [];
        using EventPipeEventSource source = new(new MemoryStream(stream));
        source.Dynamic.All += one =>
        {
            if (one.ProviderName == "Quire" && one.EventName != "ManifestData")
            {
                seen.Add((one.EventName, (int)one.ID, one.PayloadNames.Length == 0 ? "" : $"{one.PayloadValue(0)}"));
            }
        };
        source.Process();
        return seen;
    }
}
