using System.Runtime.InteropServices;
using System.Text.Json;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>A recording and the trace.dat made of it say the same, to our own reader, to trace-cmd and to KernelShark.</summary>
public sealed class ConvertTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-convert-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(7, 1)]
    [InlineData(6, 1)]
    [InlineData(7, 2)]
    [InlineData(6, 3)]
    public void Our_own_reader_gets_every_record_property_snapshot_and_counter_back(int version, int seed)
    {
        RecordingBuilder builder = RandomRecording.Make(seed);
        builder.LostNoRing = 5;
        using TraceInput ring = TraceInput.Open(builder.Save(Place("run.qring")));
        TraceConversion conversion = TraceConvert.ToTraceDat(ring, Place("run.dat"), version);
        ring.Rewind();
        List<string> expected = TraceTexts.Of(ring);
        Assert.Equal(expected.Count, conversion.Events);
        Assert.Equal((0, 0), (conversion.Cut, conversion.TimesMoved));

        using TraceInput dat = TraceInput.Open(Place("run.dat"));
        Assert.Equal($"trace.dat {version}", dat.Source.Format);
        for (int pass = 0; pass < 2; pass++)
        {
            List<string> read = TraceTexts.Of(dat);
            Assert.Equal(expected, read);
            dat.Rewind();
        }

        TraceTexts.Of(dat);
        Assert.False(dat.Source.IsKernel);
        Assert.Equal("mono", dat.Source.Clock);
        Assert.Equal(ring.Source.Cpus, dat.Source.Cpus);
        Assert.Equal(ring.Source.Snapshots, dat.Source.Snapshots);
        foreach ((string key, string value) in ring.Source.Properties)
        {
            Assert.Equal(value, dat.Source.Properties[key]);
        }

        foreach (TraceCounter counter in ring.Quality.Counters)
        {
            Assert.True(counter.Value == dat.Quality[counter.Name], $"{counter} there, {dat.Quality.Find(counter.Name)} here");
        }

        Assert.Equal(5, dat.Quality[TraceCounter.NoRing]);
        Assert.True(dat.Quality[TraceCounter.Lost] > 0, "this recording should have overwritten events");
        Assert.True(dat.Quality[TraceCounter.Dropped] > 0, "this recording should have dropped events");
    }

    [Theory]
    [InlineData(7, 11)]
    [InlineData(6, 11)]
    [InlineData(7, 12)]
    [InlineData(6, 13)]
    public void Trace_cmd_reads_every_event_field_stack_name_and_loss_the_same(int version, int seed)
    {
        TraceCmd.SkipWhereMissing();
        using TraceInput ring = TraceInput.Open(RandomRecording.Make(seed).Save(Place("run.qring")));
        TraceConvert.ToTraceDat(ring, Place("run.dat"), version);
        Dictionary<int, List<ReportLine>> report = TraceCmd.RawReport(Place("run.dat"));
        List<string> stacks = Stacks(TraceCmd.Run("report", "-t", "-i", Place("run.dat")));
        Dictionary<int, int> places = [];
        Dictionary<int, List<string>> expectedStacks = [];
        int records = 0;
        ring.Rewind();
        while (ring.TryRead(out TraceRecord record))
        {
            int cpu = record.Snapshot switch { TraceSnapshot.Start => ring.Source.Cpus.Count, TraceSnapshot.End => ring.Source.Cpus.Count + 1, _ => record.Cpu };
            ref int place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, cpu, out _);
            Assert.True(place < report[cpu].Count, $"seed {seed}: trace-cmd has only {place} lines of CPU {cpu}");
            report[cpu][place++].Check(ring, record);
            records++;
            if (!record.Stack.IsEmpty)
            {
                ReportLine stack = report[cpu][place++];
                Assert.Equal(("kernel_stack", record.Time, record.Pid), (stack.Event, stack.Time, stack.Pid));
                Assert.StartsWith($"size={record.Stack.Length} ", stack.Rest, StringComparison.Ordinal);
                string names = "";
                foreach (ulong address in record.Stack)
                {
                    names += $"{ring.SymbolOf(address)}\n";
                }

                expectedStacks.TryAdd(cpu, []);
                expectedStacks[cpu].Add(names);
            }
        }

        Assert.Equal(report.Sum(static cpu => cpu.Value.Count), places.Sum(static cpu => cpu.Value));
        Assert.Equal(ring.Quality[TraceCounter.Lost], report.Sum(static cpu => cpu.Value.Sum(static line => line.Lost)));
        Assert.Equal(expectedStacks.SelectMany(static cpu => cpu.Value).Order(StringComparer.Ordinal), stacks.Order(StringComparer.Ordinal));
        Assert.True(records > 100 && stacks.Count > 20, $"seed {seed}: too little to prove anything: {records} records, {stacks.Count} stacks");
    }

    [Theory]
    [InlineData(7)]
    [InlineData(6)]
    public void Trace_cmd_prints_events_as_their_format_says_and_finds_the_file_valid(int version)
    {
        TraceCmd.SkipWhereMissing();
        RecordingBuilder recording = new();
        recording.Property("os", "Linux 6.1.0");
        recording.Thread(7, 1, "A name of more than fifteen bytes");
        uint stack = recording.Stack(isPartial: false, "App.Keep(A.cs:1)");
        recording.AddRing()
            .Write("page_ref_mod_unless", 5_000_001_234, 7, ("pfn", 0xabcul), ("flags", 5ul), ("count", 3), ("val", 1), ("ret", 1), ("unless", 0), ("generation", 9ul),
                ("page", 0xabd), ("site", "A.cs:1 Keep"), ("owner", "main"), ("stack", stack), ("mapping", 0x10ul))
            .Write("page_ref_set", 5_000_002_234, 7, ("pfn", 0xabcul), ("count", 1), ("val", 1))
            .Write("test_pages_isolated", 5_000_003_234, 7, ("start_pfn", 1ul), ("end_pfn", 9ul), ("fin_pfn", 4ul))
            .Write("test_pages_isolated", 5_000_004_234, 7, ("start_pfn", 1ul), ("end_pfn", 9ul), ("fin_pfn", 9ul))
            .Write("holder_take", 5_000_005_234, 7, ("ticket", 0xffffffff), ("kind", 3))
            .Write("cma_alloc_finish", 5_000_006_234, 7, ("name", "reserved"), ("errorno", -16), ("count", 4ul));
        using TraceInput ring = TraceInput.Open(recording.Save(Place("run.qring")));
        TraceConvert.ToTraceDat(ring, Place("run.dat"), version);

        string[] lines = TraceCmd.Run("report", "-i", Place("run.dat")).Split('\n', StringSplitOptions.TrimEntries);
        Assert.Equal("cpus=1", lines[0]);
        Assert.Equal("A name of more than fifteen bytes-7     [000]     5.000001: page_ref_mod_unless:  pfn=0xabc flags=head|movable count=3 mapcount=0 mapping=0x10 mt=0 val=1 ret=1 unless=0 gen=9 page=0xabd order=0 owner=main ticket=0x0 stack=1 site=A.cs:1 Keep", lines[1]);
        Assert.EndsWith("kernel_stack:         <stack trace >", lines[2], StringComparison.Ordinal);
        Assert.Equal("=> App.Keep(A.cs:1) (ffffffff81000000)", lines[3]);
        Assert.EndsWith("page_ref_set:         pfn=0xabc flags=none count=1 mapcount=0 mapping=(nil) mt=0 val=1 gen=0 page=0x0 order=0 owner= ticket=0x0 stack=0 site=", lines[4], StringComparison.Ordinal);
        Assert.EndsWith("start_pfn=0x1 end_pfn=0x9 fin_pfn=0x4 ret=fail", lines[5], StringComparison.Ordinal);
        Assert.EndsWith("start_pfn=0x1 end_pfn=0x9 fin_pfn=0x9 ret=success", lines[6], StringComparison.Ordinal);
        Assert.Contains("ticket=0xffffffff references=0 bytes=0 kind=long_term_pin", lines[7], StringComparison.Ordinal);
        Assert.Contains("name=reserved pfn=0x0 page=(nil) count=4 align=0 errorno=-16", lines[8], StringComparison.Ordinal);

        Assert.Contains("is a valid trace-cmd file", TraceCmd.Run("dump", "-v", "-i", Place("run.dat")), StringComparison.Ordinal);
        Assert.Contains("Linux 6.1.0", TraceCmd.Run("report", "--uname", "-i", Place("run.dat")), StringComparison.Ordinal);
        Assert.Matches(@"Quire \d+\.\d+\.\d+\s*$", TraceCmd.Run("report", "--version", "-i", Place("run.dat")));
        Assert.DoesNotContain("rror", TraceCmd.Run("report", "--check-events", "-i", Place("run.dat")), StringComparison.Ordinal);
        Assert.Contains("[mono]", TraceCmd.Run("dump", "--options", "-i", Place("run.dat")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(7, 21)]
    [InlineData(6, 22)]
    public void KernelShark_loads_every_event_with_its_cpu_thread_time_and_loss(int version, int seed)
    {
        KernelShark.SkipWhereMissing();
        using TraceInput ring = TraceInput.Open(RandomRecording.Make(seed).Save(Place("run.qring")));
        TraceConvert.ToTraceDat(ring, Place("run.dat"), version);
        Dictionary<int, List<(int Id, int Pid, long Time)>> expected = [];
        long lost = 0;
        ring.Rewind();
        while (ring.TryRead(out TraceRecord record))
        {
            int cpu = record.Snapshot switch { TraceSnapshot.Start => ring.Source.Cpus.Count, TraceSnapshot.End => ring.Source.Cpus.Count + 1, _ => record.Cpu };
            expected.TryAdd(cpu, []);
            expected[cpu].Add((record.Format.Id, record.Pid, record.Time));
            lost += record.LostBefore;
            if (!record.Stack.IsEmpty)
            {
                expected[cpu].Add((4, record.Pid, record.Time));
            }
        }

        List<KernelShark.Entry> entries = KernelShark.Load(Place("run.dat"));
        Assert.Equal(lost, entries.Where(static entry => entry.IsLoss).Sum(static entry => entry.Missed));
        Assert.Equal(expected.Keys.Order(), entries.Select(static entry => (int)entry.Cpu).Distinct().Order());
        foreach ((int cpu, List<(int, int, long)> events) in expected)
        {
            Assert.Equal(events, entries.Where(entry => entry.Cpu == cpu && !entry.IsLoss).Select(static entry => ((int)entry.EventId, entry.Pid, entry.Time)));
        }
    }

    [Fact]
    public void Times_that_go_back_are_moved_on_and_texts_too_long_are_cut_and_both_are_told()
    {
        RecordingBuilder recording = new();
        string text = new('ü', 4000);
        recording.AddRing()
            .Write("cma_alloc_start", 2000, 7, ("name", text), ("site", text), ("count", 3ul))
            .Write("holder_count", 1000, 7, ("ticket", 1));
        using TraceInput ring = TraceInput.Open(recording.Save(Place("run.qring")));
        TraceConversion conversion = TraceConvert.ToTraceDat(ring, Place("run.dat"));
        Assert.Equal(new TraceConversion(2, 0, 2, 1), conversion);
        Assert.Equal(1, ring.Quality[TraceCounter.TimeBackwards]);

        using TraceInput dat = TraceInput.Open(Place("run.dat"));
        Assert.True(dat.TryRead(out TraceRecord record));
        string name = record.Text(record.Format.Find("name")!);
        string site = record.Text(record.Format.Find("site")!);
        Assert.True(name.Length > 900 && site.Length > 900 && text.StartsWith(name, StringComparison.Ordinal) && text.StartsWith(site, StringComparison.Ordinal), $"{name.Length} {site.Length}");
        Assert.Equal(3, record.Number("count"));
        Assert.True(dat.TryRead(out record));
        Assert.Equal(("holder_count", 2000L), (record.Format.Name, record.Time));
        TraceTexts.Of(dat);
        Assert.Equal(1, dat.Quality[TraceCounter.TimeBackwards]);
    }

    [Fact]
    public void A_recording_without_any_event_becomes_a_file_that_opens()
    {
        RecordingBuilder recording = new();
        recording.AddRing();
        recording.AddSnapshot(2, 50);
        using TraceInput ring = TraceInput.Open(recording.Save(Place("run.qring")));
        foreach (int version in new[] { 6, 7 })
        {
            TraceConvert.ToTraceDat(ring, Place("run.dat"), version);
            using TraceInput dat = TraceInput.Open(Place("run.dat"));
            Assert.False(dat.TryRead(out _));
            Assert.Equal([new TraceSnapshotInfo(TraceSnapshot.End, 50, true)], dat.Source.Snapshots);
            Assert.True(dat.Quality.IsPerfect);
        }

        Assert.Equal([Place("run.dat"), Place("run.qring")], Directory.GetFiles(_folder.FullName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_kernel_trace_written_anew_in_either_version_reads_the_same_with_trace_cmd()
    {
        using TraceInput input = TraceInput.Open(DatReadTests.Sample);
        List<string> expected = TraceTexts.Of(input);
        foreach (int version in new[] { 6, 7 })
        {
            TraceConvert.ToTraceDat(input, Place("again.dat"), version);
            using TraceInput again = TraceInput.Open(Place("again.dat"));
            Assert.True(again.Source.IsKernel);
            Assert.Equal(input.Source.Properties["uname"], again.Source.Properties["uname"]);
            Assert.Equal(expected, TraceTexts.Of(again));
        }
    }

    [Fact]
    public void Json_lines_have_source_events_and_quality()
    {
        using TraceInput ring = TraceInput.Open(RandomRecording.Make(31).Save(Place("run.qring")));
        using MemoryStream output = new();
        long events = TraceConvert.ToJsonLines(ring, output);
        string[] lines = System.Text.Encoding.UTF8.GetString(output.ToArray()).TrimEnd('\n').Split('\n');
        Assert.Equal(events + 2, lines.Length);
        JsonElement[] objects = [.. lines.Select(static line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal("broker", objects[0].GetProperty("trace").GetProperty("properties").GetProperty("process").GetString());
        Assert.Equal(ring.Quality[TraceCounter.Lost], objects[^1].GetProperty("quality").GetProperty(TraceCounter.Lost).GetInt64());
        ring.Rewind();
        foreach (JsonElement line in objects[1..^1])
        {
            Assert.True(ring.TryRead(out TraceRecord record));
            Assert.Equal((record.Time, record.Cpu, record.Format.Name), (line.GetProperty("time").GetInt64(), line.GetProperty("cpu").GetInt32(), line.GetProperty("event").GetString()!));
            Assert.Equal(record.Stack.Length, line.TryGetProperty("stack", out JsonElement stack) ? stack.GetArrayLength() : 0);
            foreach (JsonProperty field in line.GetProperty("fields").EnumerateObject())
            {
                TraceField known = record.Format.Find(field.Name)!;
                Assert.Equal(record.Text(known), field.Value.ToString());
            }
        }
    }

    [Fact]
    public void A_version_that_does_not_exist_is_refused_and_leaves_no_file()
    {
        using TraceInput ring = TraceInput.Open(new RecordingBuilder().Save(Place("run.qring")));
        Assert.Throws<ArgumentOutOfRangeException>(() => TraceConvert.ToTraceDat(ring, Place("run.dat"), 5));
        Assert.Equal([Place("run.qring")], Directory.GetFiles(_folder.FullName));
    }

    private string Place(string name) => Path.Combine(_folder.FullName, name);

    private static List<string> Stacks(string report)
    {
        List<string> stacks = [];
        bool isStack = false;
        foreach (string line in report.Split('\n'))
        {
            if (line.StartsWith("=> ", StringComparison.Ordinal))
            {
                Assert.True(isStack, $"a frame without a stack: {line}");
                stacks[^1] += line[3..line.LastIndexOf(" (", StringComparison.Ordinal)] + "\n";
                continue;
            }

            isStack = line.EndsWith("<stack trace >", StringComparison.Ordinal);
            if (isStack)
            {
                stacks.Add("");
            }
        }

        return stacks;
    }
}
