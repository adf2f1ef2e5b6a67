using System.Diagnostics;
using System.Globalization;
using Microsoft.Diagnostics.Tracing;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Tests.Tracing.Control;

/// <summary>The real dotnet-trace, which <c>dotnet tool restore</c> gets in the version of dotnet-tools.json, on a real process.</summary>
public sealed class DotnetTraceTests : IDisposable
{
    private static readonly string[] s_lifeEvents = ["AllocatorCreated", "AllocatorDisposed", "LimitReached", "MemoryTrimmed", "ContiguousAllocated", "ContiguousAllocationFailed", "MigrationFailed"];
    private readonly string _folder = Directory.CreateTempSubdirectory("quire-dotnet-trace").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_records_by_its_command_line_and_shows_the_source_s_events()
    {
        string path = Path.Combine(_folder, "t.qring");
        using ChildProcess child = TracingChild.Start(TracingChild.Holder, out int id);
        List<Seen> seen = Collect(id, $"Quire:0xffff:5:path={path};sample=3", TimeSpan.FromSeconds(10));
        Assert.Contains(seen, static one => one.Is("Quire", "RecordingStarted"));
        Assert.True(SpinWait.SpinUntil(() => RawRecording.Read(path).IsStopped, TimeSpan.FromSeconds(60)));
        Assert.Equal("3", RawRecording.Read(path).Properties["sample"]);
    }

    [Fact]
    public void It_shows_the_life_of_allocators_and_areas_and_what_the_meter_measures()
    {
        using ChildProcess child = TracingChild.Start(TracingChild.Lifecycle, out int id);

        // A child or a tool that gets no core shows little of it in time: then once more, for longer.
        List<Seen> seen = [];
        for (int attempt = 1; attempt <= 5 && !IsWhole(); attempt++)
        {
            seen = Collect(id, "Quire:0xffff:4,System.Diagnostics.Metrics:0x2:4:SessionId=quire;Metrics=Quire;RefreshInterval=1;MaxTimeSeries=1000;MaxHistograms=10", TimeSpan.FromSeconds(4 * attempt));
        }

        Assert.Equal(["life", 8L << 20], Event("AllocatorCreated").Values);
        Assert.Equal(["life"], Event("AllocatorDisposed").Values);
        Assert.Equal(["life", 8L << 20, 4L << 20], Event("LimitReached").Values);
        Assert.Equal(["life", 8L << 20, "asked"], Event("MemoryTrimmed").Values);
        Assert.Equal(["life area", 1024], Event("ContiguousAllocated").Values.Take(2));
        Assert.Equal(["life area", 1024, "busy"], Event("ContiguousAllocationFailed").Values.Take(3));

        // Who was in the way is found out only if somebody wants to know, and the session may have begun in the midst of the first attempt.
        Assert.Contains(seen, NamesHolder);
        Assert.Equal(["life area", 1024, 0, 1], Event("MigrationFailed").Values.Where(static (_, i) => i != 1));

        Assert.Equal(8192, Value("quire.pages.in_use", "quire.allocator.name=child"));
        Assert.Equal(1, Value("quire.pages.references", "quire.allocator.name=child"));
        Assert.Equal(1, Value("quire.pages.count", "quire.allocator.name=child,quire.page.order=1,quire.page.state=in_use"));
        Assert.True(Value("quire.contiguous.attempts", "quire.area.name=life area") > 1);
        Assert.True(Value("quire.contiguous.failures", "error.type=busy,quire.area.name=life area") >= 1);

        // All that is asserted is there; whether it is right is another matter.
        bool IsWhole() => s_lifeEvents.All(name => seen.Any(one => one.Is("Quire", name)))
            && seen.Any(NamesHolder)
            && !double.IsNaN(Value("quire.pages.in_use", "quire.allocator.name=child"))
            && !double.IsNaN(Value("quire.pages.references", "quire.allocator.name=child"))
            && !double.IsNaN(Value("quire.pages.count", "quire.allocator.name=child,quire.page.order=1,quire.page.state=in_use"))
            && Value("quire.contiguous.attempts", "quire.area.name=life area") > 1
            && Value("quire.contiguous.failures", "error.type=busy,quire.area.name=life area") >= 1;

        static bool NamesHolder(Seen one) => one.Is("Quire", "ContiguousAllocationFailed") && ((string)one.Values[3]).Contains("Live", StringComparison.Ordinal);

        Seen Event(string name) => seen.FirstOrDefault(one => one.Is("Quire", name)) ?? throw new Xunit.Sdk.XunitException($"no {name} among {string.Join(", ", seen.Select(static one => one.Name).Distinct())}");

        double Value(string instrument, string tags) => seen
            .Where(one => one.Provider == "System.Diagnostics.Metrics" && one.Field("instrumentName") as string == instrument && one.Field("tags") as string == tags)
            .Select(static one => double.TryParse((string?)(one.Field("value") ?? one.Field("lastValue")), CultureInfo.InvariantCulture, out double value) ? value : double.NaN)
            .DefaultIfEmpty(double.NaN).Max();
    }

    private List<Seen> Collect(int id, string providers, TimeSpan duration)
    {
        string nettrace = Path.Combine(_folder, $"{Guid.NewGuid():n}.nettrace");
        using ChildProcess trace = Tool("collect", "-p", $"{id}", "--providers", providers, "--duration", duration.ToString(@"dd\:hh\:mm\:ss", CultureInfo.InvariantCulture), "-o", nettrace);
        Assert.True(trace.WaitForExit(TimeSpan.FromSeconds(90)) == 0, trace.Output + trace.Error);

        List<Seen> seen = [];
        using EventPipeEventSource source = new(nettrace);
        source.Dynamic.All += one => seen.Add(new Seen(
            one.ProviderName, one.EventName, one.PayloadNames, [.. Enumerable.Range(0, one.PayloadNames.Length).Select(one.PayloadValue)]));
        source.Process();
        return seen;
    }

    private static ChildProcess Tool(params string[] arguments)
    {
        string dotnet = TracingChild.Command[0];
        ProcessStartInfo version = new(dotnet, ["tool", "run", "dotnet-trace", "--", "--version"]) { WorkingDirectory = SourceModel.Root() };
        using (ChildProcess asked = new(version))
        {
            int status = asked.WaitForExit(TimeSpan.FromSeconds(60));
            Assert.SkipUnless(status == 0, $"dotnet-trace is not restored; 'dotnet tool restore' gets it: {(asked.Error + asked.Output).Split('\n')[0]}");
        }

        ProcessStartInfo start = new(dotnet, ["tool", "run", "dotnet-trace", "--", .. arguments]) { WorkingDirectory = SourceModel.Root() };
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../.."));
        return new ChildProcess(start);
    }

    private sealed record Seen(string Provider, string Name, string[] Fields, object[] Values)
    {
        internal bool Is(string provider, string name) => Provider == provider && Name == name;

        internal object? Field(string name) => Array.IndexOf(Fields, name) is >= 0 and int at ? Values[at] : null;
    }
}
