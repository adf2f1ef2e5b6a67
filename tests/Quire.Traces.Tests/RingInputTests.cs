using System.Diagnostics;
using System.IO.MemoryMappedFiles;
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

    [Fact]
    public void A_ring_that_is_overwritten_while_it_is_read_gives_whole_events_only_and_counts_the_rest()
    {
        const int Capacity = 64;
        RecordingBuilder recording = new() { IsStopped = false };
        RecordingBuilder.Ring ring = recording.AddRing(Capacity);
        for (uint number = 0; number < Capacity; number++)
        {
            ring.Write("holder_release", number, 1, ("pfn", (ulong)number), ("generation", (ulong)number), ("ticket", number), ("references", (int)number), ("remaining", (int)number));
        }

        string path = recording.Save();
        byte[] bytes = File.ReadAllBytes(path);
        long segment = 4096;
        while (BitConverter.ToUInt32(bytes, (int)segment + 4) != 2)
        {
            segment += BitConverter.ToInt64(bytes, (int)segment + 8);
        }

        // The writer as the library has it: the slot, then the head.
        TraceEventFormat format = recording.Formats["holder_release"];
        int pfn = 8 + format.Find("pfn")!.Offset;
        int generation = 8 + format.Find("generation")!.Offset;
        int references = 8 + format.Find("references")!.Offset;
        int remaining = 8 + format.Find("remaining")!.Offset;
        using MemoryMappedFile file = MemoryMappedFile.CreateFromFile(path, FileMode.Open);
        using MemoryMappedViewAccessor view = file.CreateViewAccessor();
        using CancellationTokenSource stop = new();
        Thread writer = new(() =>
        {
            for (long number = Capacity; !stop.IsCancellationRequested; number++)
            {
                long slot = segment + 4096 + (number % Capacity * 96);
                view.Write(slot, number);
                view.Write(slot + pfn, number);
                view.Write(slot + generation, number);
                view.Write(slot + references, (int)number);
                view.Write(slot + remaining, (int)number);
                Volatile.Write(ref s_fence, 0);
                view.Write(segment + 32, number + 1);
                Volatile.Write(ref s_fence, 0);
                if (number % (Capacity * 2000) == 0)
                {
                    // Some passes find it at rest and some at work, however many cores there are.
                    Thread.Sleep(2);
                }
            }
        });
        writer.Start();
        try
        {
            long read = 0;
            long overwritten = 0;
            Stopwatch time = Stopwatch.StartNew();
            while ((overwritten < 100 || read < 10_000) && time.Elapsed < TimeSpan.FromMinutes(3))
            {
                using TraceInput input = TraceInput.Open(path);
                long lostAtOpen = input.Quality[TraceCounter.Lost];
                long next = lostAtOpen;
                while (input.TryRead(out TraceRecord record))
                {
                    next += record.LostBefore - (next == lostAtOpen ? lostAtOpen : 0);
                    long number = record.Time;
                    Assert.True(
                        record.Number("pfn") == number && record.Number("generation") == number && record.Number("references") == (int)number && record.Number("remaining") == (int)number,
                        $"a torn event: {record.ToString()}");
                    Assert.Equal(next, number);
                    next++;
                    read++;
                }

                overwritten += input.Quality[TraceCounter.Lost] - lostAtOpen;
            }

            Assert.True(overwritten >= 100 && read >= 10_000, $"{overwritten} events overwritten under the reader, {read} read: nothing was proven");
        }
        finally
        {
            stop.Cancel();
            writer.Join();
        }
    }

    [Fact]
    public void Damaged_entries_of_the_dictionary_are_passed_over_and_counted()
    {
        RecordingBuilder recording = new();
        recording.Entry(1, 2000, [.. "quire"u8]);
        recording.Entry(1, 2000, [.. "quire\0name: without a number"u8]);
        recording.Entry(3, 9, [1, 2, 3]);
        recording.Entry(4, 9, [1]);
        recording.Entry(77, 9, [1, 2, 3]);
        recording.AddRing().Write("holder_count", 5, 1, ("ticket", 3)).Write("holder_touch", 6, 1, ("stack", 1234));
        using TraceInput input = TraceInput.Open(recording.Save());
        Assert.Equal(4, input.Quality[TraceCounter.Damaged]);
        Assert.True(input.TryRead(out TraceRecord record));
        Assert.Equal(3, record.Number("ticket"));
        Assert.True(input.TryRead(out record));
        Assert.True(record.Stack.IsEmpty);
        Assert.Equal(1, input.Quality[TraceCounter.UnknownText]);
    }

    private static int s_fence;

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
