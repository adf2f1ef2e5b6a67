using System.Collections.Concurrent;
using System.Diagnostics.Tracing;
using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>The event source as a listener in the process sees it, and commands through one.</summary>
[Collection(LedgerCollection.Name)]
public sealed class QuireEventSourceTests : IDisposable
{
    private const string Bug = "Put on page 0x1 of the notices' test: count already 0.";
    private readonly string _folder = Directory.CreateTempSubdirectory("quire-control").FullName;

    public void Dispose()
    {
        SpinWait.SpinUntil(static () => !PageTracing.IsRecording, TimeSpan.FromSeconds(60));
        PageTracing.Current?.Stop();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void The_source_describes_itself_without_errors()
    {
        string manifest = EventSource.GenerateManifest(typeof(QuireEventSource), null, EventManifestOptions.Strict)!;
        foreach (string name in (string[])["RecordingStarted", "RecordingStopped", "RecordingFailed", "RecordingProgress", "AllocatorCreated", "AllocatorDisposed", "LimitReached", "ContiguousAllocationFailed", "PageBug", "LedgerFull", "PoolCreated", "PoolDisposed", "MemoryTrimmed", "ContiguousAllocated", "MigrationFailed"])
        {
            Assert.Contains($"symbol=\"{name}\"", manifest, StringComparison.Ordinal);
        }

        Assert.Null(QuireEventSource.Log.ConstructionException);
    }

    [Fact]
    public void Enabled_without_arguments_it_tells_of_recordings_and_starts_none()
    {
        using Listener listener = new();
        listener.Enable([]);
        Thread.Sleep(50);
        Assert.False(PageTracing.IsRecording);

        string path = Path.Combine(_folder, "a");
        PageTracing.Start(new PageTracingOptions { Path = path, SampleEvery = 3, Filter = TraceFilter.Parse("size>=1") }).Dispose();
        EventWrittenEventArgs started = listener.Next("RecordingStarted");
        Assert.Equal(["", path, false, 3, "size>=1"], started.Payload!.Take(5));
        EventWrittenEventArgs stopped = listener.Next("RecordingStopped");
        Assert.Equal(["", path, 0L, 0L], stopped.Payload!.Take(4));
        Assert.Equal("", stopped.Payload![5]);
    }

    [Fact]
    public void An_enable_command_with_a_path_starts_a_recording_and_the_disable_command_stops_it()
    {
        using Listener listener = new();
        string path = Path.Combine(_folder, "odd name; with=signs%.qring");
        listener.Enable(new() { ["path"] = TracingSettings.Encode(path), ["sample"] = "5", ["filter"] = TracingSettings.Encode("size>=64 site~x"), ["request"] = "r1" });
        EventWrittenEventArgs started = listener.Next("RecordingStarted");
        Assert.Equal(["r1", path, false, 5, "size>=64 site~x"], started.Payload!.Take(5));
        Assert.True(PageTracing.IsRecording);
        Assert.Equal(path, PageTracing.Current!.Path);
        EventWrittenEventArgs progress = listener.Next("RecordingProgress");
        Assert.Equal(["r1", path], progress.Payload!.Take(2));

        listener.DisableEvents(QuireEventSource.Log);
        Assert.True(SpinWait.SpinUntil(static () => !PageTracing.IsRecording, TimeSpan.FromSeconds(60)));
        Assert.True(RawRecording.Read(path).IsStopped);
    }

    [Fact]
    public void A_recording_by_command_stops_by_its_own_name_only_and_after_its_duration_by_itself()
    {
        using Listener listener = new();
        listener.Enable(new() { ["path"] = TracingSettings.Encode(Path.Combine(_folder, "n")), ["request"] = "mine" });
        listener.Next("RecordingStarted");
        listener.Enable(new() { ["stop"] = "another" });
        Thread.Sleep(100);
        Assert.True(PageTracing.IsRecording);
        listener.Enable(new() { ["stop"] = "mine" });
        Assert.Equal("mine", listener.Next("RecordingStopped").Payload![0]);

        listener.Enable(new() { ["path"] = TracingSettings.Encode(Path.Combine(_folder, "d")), ["request"] = "short", ["duration"] = "0.2" });
        listener.Next("RecordingStarted");
        EventWrittenEventArgs stopped = listener.Next("RecordingStopped");
        Assert.Equal("short", stopped.Payload![0]);
        Assert.InRange((double)stopped.Payload![4]!, 190, 60_000);
    }

    [Theory]
    [InlineData("path", "", "path")]
    [InlineData("sample", "0", "sample=0")]
    [InlineData("filter", "pages%3D1", "filter: Filter, character 1")]
    [InlineData("duration", "soon", "duration=soon")]
    [InlineData("path", "%2Fnowhere%2Fat%2Fall", "/nowhere/at/all")]
    public void What_can_t_be_started_is_an_event_with_the_reason(string key, string text, string expected)
    {
        using Listener listener = new();
        Dictionary<string, string?> arguments = new() { ["path"] = TracingSettings.Encode(Path.Combine(_folder, "f")), ["request"] = "r" };
        arguments[key] = text;
        listener.Enable(arguments);
        EventWrittenEventArgs failed = listener.Next("RecordingFailed");
        Assert.Equal("r", failed.Payload![0]);
        Assert.Contains(expected, (string)failed.Payload![2]!, StringComparison.Ordinal);
        Assert.False(PageTracing.IsRecording || Tracking.Active);
    }

    [Fact]
    public void A_recording_of_the_application_is_neither_replaced_nor_stopped_by_commands()
    {
        using PageTracingSession own = PageTracing.Start(new PageTracingOptions { Path = Path.Combine(_folder, "own") });
        using Listener listener = new();
        listener.Enable(new() { ["path"] = TracingSettings.Encode(Path.Combine(_folder, "other")), ["request"] = "r" });
        Assert.Contains(own.Path, (string)listener.Next("RecordingFailed").Payload![2]!, StringComparison.Ordinal);
        listener.Enable(new() { ["stop"] = "" });
        listener.DisableEvents(QuireEventSource.Log);
        Thread.Sleep(100);
        Assert.True(own.IsRunning);
    }

    [Fact]
    public void The_rooms_notices_become_events()
    {
        using Listener listener = new();
        Assert.False(TracingNotices.WantsFirstHolder);
        listener.Enable([]);
        Assert.True(TracingNotices.WantsFirstHolder);
        TracingNotices.AllocatorCreated("net", 1 << 30);
        Assert.Equal(["net", 1L << 30], listener.Next("AllocatorCreated").Payload!);
        TracingNotices.LimitReached("net", 1 << 30, 4096);
        Assert.Equal(["net", 1L << 30, 4096L], listener.Next("LimitReached").Payload!);
        TracingNotices.ContiguousFinished("camera", 64, TimeSpan.FromMilliseconds(3), null, "");
        Assert.Equal(["camera", 64, 3.0], listener.Next("ContiguousAllocated").Payload!);
        TracingNotices.MigrationFailed("camera", 0xC00, 64, 60, 4);
        Assert.Equal(["camera", 0xC00L, 64, 60, 4], listener.Next("MigrationFailed").Payload!);
        TracingNotices.MemoryTrimmed("net", 8192, "pressure");
        Assert.Equal(["net", 8192L, "pressure"], listener.Next("MemoryTrimmed").Payload!);
        TracingNotices.PoolCreated("kestrel", "net", 1 << 30);
        Assert.Equal(["kestrel", "net", 1L << 30], listener.Next("PoolCreated").Payload!);
        TracingNotices.PoolDisposed("kestrel");
        Assert.Equal(["kestrel"], listener.Next("PoolDisposed").Payload!);
        TracingNotices.ContiguousFinished("camera", 64, TimeSpan.FromMilliseconds(3), "busy", "Auditor.cs:7 Audit");
        Assert.Equal(["camera", 64, "busy", "Auditor.cs:7 Audit"], listener.Next("ContiguousAllocationFailed").Payload!);
        TracingNotices.PageBug(Bug);
        Assert.Equal(EventLevel.Error, listener.Next("PageBug").Level);
        TracingNotices.AllocatorDisposed("net");
        Assert.Equal(["net"], listener.Next("AllocatorDisposed").Payload!);

        TracingNotices.Rearm();
        Parallel.For(0, 8, static _ => TracingNotices.LedgerFull(1000));
        Assert.Equal([1000], listener.Next("LedgerFull").Payload!);
        Thread.Sleep(50);
        Assert.True(listener.IsEmpty);
    }

    private sealed class Listener : EventListener
    {
        private readonly BlockingCollection<EventWrittenEventArgs> _events = [];

        internal bool IsEmpty => _events.Count == 0;

        internal void Enable(Dictionary<string, string?> arguments) => EnableEvents(QuireEventSource.Log, EventLevel.Verbose, EventKeywords.All, arguments);

        /// <summary>The next event, which must be this one; progress of a recording may come in between.</summary>
        internal EventWrittenEventArgs Next(string name)
        {
            while (true)
            {
                Assert.True(_events.TryTake(out EventWrittenEventArgs? next, TimeSpan.FromSeconds(60)), $"no {name} came");
                if (next.EventName == name)
                {
                    return next;
                }

                Assert.True(next.EventName is "RecordingProgress", $"{name} was awaited, and {next.EventName} came: {string.Join(", ", next.Payload!)}");
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            // Tests of other collections are over when these run; allocators that are collected may still speak, the shared one trims by itself, and
            // bugs are told on the pool: others' may still be on their way.
            bool isOurs = eventData.EventName switch
            {
                "MemoryTrimmed" => (string)eventData.Payload![0]! == "net",
                "PageBug" => (string)eventData.Payload![0]! == Bug,
                _ => true,
            };
            if (eventData.EventSource.Name == "Quire" && isOurs)
            {
                _events?.Add(eventData);
            }
        }
    }
}
