using Xunit;

namespace Quire.Traces.Tests;

public class RingInputTests
{
    [Fact]
    public void Events_of_all_rings_come_in_the_order_of_time_with_their_texts_and_stacks()
    {
        RecordingBuilder recording = new();
        recording.Thread(11, 1, "Main");
        recording.Thread(12, 7, "");
        recording.Property("process", "broker");
        uint stack = recording.Stack(isPartial: false, "App.Parser.Keep(Parser.cs:12)", "App.Program.Main(Program.cs:3)");
        uint partial = recording.Stack(isPartial: true, "App.Callback.Run");
        RecordingBuilder.Ring first = recording.AddRing();
        RecordingBuilder.Ring second = recording.AddRing();
        first.Write("page_ref_mod", 2_000_000_001, 11, ("pfn", 0xabcul), ("count", 3), ("val", -2), ("site", "Parser.cs:12 Keep"), ("owner", "main"), ("stack", stack));
        second.Write("holder_take", 2_000_000_000, 12, ("ticket", 0xffffffffu), ("references", 1), ("stack", partial), ("site", "Pool.cs:5 Rent"));
        second.Write("holder_release", 2_000_000_002, 12, ("ticket", 0xffffffffu), ("references", 1));
        recording.AddSnapshot(1, 1_000_000_000).Write("holder_state", 11, ("ticket", 5), ("taken", 77ul));
        recording.AddSnapshot(2, 2_000_000_002).Write("page_state", 11, ("pfn", 9ul));

        using TraceInput input = TraceInput.Open(recording.Save());
        Assert.Equal("broker", input.Source.Properties["process"]);
        Assert.Equal("mono", input.Source.Clock);
        Assert.False(input.Source.IsKernel);
        Assert.Equal(2, input.Source.Cpus.Count);
        Assert.Equal("Main", input.CommOf(11));
        Assert.Equal("thread 7", input.CommOf(12));
        Assert.Equal("<...>", input.CommOf(13));

        for (int pass = 0; pass < 2; pass++)
        {
            Assert.True(input.TryRead(out TraceRecord record));
            Assert.Equal(("holder_state", TraceSnapshot.Start, -1, 77L), (record.Format.Name, record.Snapshot, record.Cpu, record.Number("taken")));
            Assert.True(input.TryRead(out record));
            Assert.Equal(("holder_take", 1, 12, 2_000_000_000L), (record.Format.Name, record.Cpu, record.Pid, record.Time));
            Assert.Equal("Pool.cs:5 Rent", record.Text(record.Format.Find("site")!));
            Assert.Equal(0xffffffffL, record.Number("ticket"));
            Assert.Equal(["App.Callback.Run", TraceInput.PartialFrame], Names(input, record));
            Assert.True(input.TryRead(out record));
            Assert.Equal(("page_ref_mod", -2L, 3L, 0xabcL), (record.Format.Name, record.Number("val"), record.Number("count"), record.Number("pfn")));
            Assert.Equal("main", record.Text(record.Format.Find("owner")!));
            Assert.Equal(["App.Parser.Keep(Parser.cs:12)", "App.Program.Main(Program.cs:3)"], Names(input, record));
            Assert.True(input.TryRead(out record));
            Assert.Equal("holder_release", record.Format.Name);
            Assert.Equal("", record.Text(record.Format.Find("site")!));
            Assert.True(record.Stack.IsEmpty);
            Assert.True(input.TryRead(out record));
            Assert.Equal(("page_state", TraceSnapshot.End), (record.Format.Name, record.Snapshot));
            Assert.False(input.TryRead(out record));
            Assert.True(input.Quality.IsPerfect, input.Quality.ToString());
            input.Rewind();
        }
    }

    [Fact]
    public void What_a_ring_overwrote_is_counted_and_told_before_its_first_event()
    {
        RecordingBuilder recording = new() { LostNoRing = 3, SnapshotsLost = 2 };
        RecordingBuilder.Ring ring = recording.AddRing(capacity: 4);
        RecordingBuilder.Ring full = recording.AddRing(capacity: 2, stopWhenFull: true);
        for (uint at = 0; at < 10; at++)
        {
            ring.Write("holder_count", 100 + at, 1, ("ticket", at));
            full.Write("holder_count", 200 + at, 1, ("ticket", at));
        }

        using TraceInput input = TraceInput.Open(recording.Save());
        List<(long Ticket, long Lost)> read = [];
        while (input.TryRead(out TraceRecord record))
        {
            read.Add((record.Number("ticket"), record.LostBefore));
        }

        Assert.Equal([(6, 6), (7, 0), (8, 0), (9, 0), (0, 0), (1, 0)], read);
        Assert.Equal(6, input.Quality[TraceCounter.Lost]);
        Assert.Equal(8, input.Quality[TraceCounter.Dropped]);
        Assert.Equal(3, input.Quality[TraceCounter.NoRing]);
        Assert.Equal(2, input.Quality[TraceCounter.SnapshotIncomplete]);
        Assert.Equal((6, 0), (input.Source.Cpus[0].Overrun, input.Source.Cpus[0].Dropped));
        Assert.Equal((0, 8), (input.Source.Cpus[1].Overrun, input.Source.Cpus[1].Dropped));
        Assert.False(input.Quality.IsPerfect);
    }

    [Fact]
    public void Of_a_recording_that_was_killed_the_slot_that_may_be_half_written_is_left_out()
    {
        RecordingBuilder recording = new() { IsStopped = false };
        RecordingBuilder.Ring ring = recording.AddRing(capacity: 4);
        for (uint at = 0; at < 6; at++)
        {
            ring.Write("holder_count", 100 + at, 1, ("ticket", at));
        }

        using TraceInput input = TraceInput.Open(recording.Save());
        List<long> read = [];
        while (input.TryRead(out TraceRecord record))
        {
            read.Add(record.Number("ticket"));
        }

        Assert.Equal([3, 4, 5], read);
        Assert.Equal(3, input.Quality[TraceCounter.Lost]);
        Assert.Equal(1, input.Quality[TraceCounter.NotStopped]);
    }

    private static string[] Names(TraceInput input, TraceRecord record)
    {
        string[] names = new string[record.Stack.Length];
        for (int at = 0; at < names.Length; at++)
        {
            names[at] = input.SymbolOf(record.Stack[at]);
        }

        return names;
    }
}
