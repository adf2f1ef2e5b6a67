using Xunit;

namespace Quire.Traces.Tests;

/// <summary>Pages as kernels of all kinds write them, made by hand.</summary>
public sealed class DatPageTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-page-");

    public static TheoryData<bool, int, int> Machines
    {
        get
        {
            TheoryData<bool, int, int> machines = [];
            foreach (bool isBigEndian in new[] { false, true })
            {
                foreach (int word in new[] { 4, 8 })
                {
                    foreach (int packing in new[] { 6, 70, 72 })
                    {
                        machines.Add(isBigEndian, word, packing);
                    }
                }
            }

            return machines;
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Machines))]
    public void Times_fields_texts_stacks_losses_and_padding_of_every_kind_of_machine_are_read(bool isBigEndian, int word, int packing)
    {
        DatBuilder dat = new(isBigEndian, word);
        const ulong start = 5_000_000_000;
        byte[] first = dat.Probe(42, 0xfedcba98, -5, -2, "abc", "hello", "near");
        dat.Data.Add(("", 0,
        [
            .. dat.Page(start, null,
                dat.Event(0, first),
                dat.Event(0, dat.Stack(42, 0, 0x1004, 0x2abc)),
                dat.Event(100, dat.Probe(42, 2, 0, 0, "", "", "")),
                dat.Special(29, 7, 12), new byte[8],
                dat.Event(100, dat.Probe(43, 3, 0, 0, "abcdef", "", ""), longForm: true),
                dat.Special(30, 5, 3),
                dat.Event(1, dat.Probe(42, 4, 0, 0, "", "", "")),
                dat.Special(31, 9, (uint)((start + 2_000_000_000) >> 27)),
                dat.Event(1, dat.Probe(42, 5, 0, 0, "", "", "")),
                dat.Special(29, 0, 0), [1, 2, 3, 4]),
            .. dat.Page(start + 3_000_000_000, 12, dat.Event(0, dat.Probe(42, 6, 0, 0, "", "", ""))),
            .. dat.Page(start + 3_000_000_500, -1, dat.Event(0, dat.Probe(42, 7, 0, 0, "", "", ""))),
            .. dat.Page(start + 3_000_000_600, null),
        ]));
        dat.Data.Add(("", 1, dat.Page(start + 50, null, dat.Event(0, dat.Probe(43, 100, 0, 0, "", "", "")))));

        using TraceInput input = Open(dat, packing);
        Assert.True(input.TryRead(out TraceRecord record));
        Assert.Equal(((long)start, 42, 0, 0L), (record.Time, record.Pid, record.Cpu, record.LostBefore));
        Assert.Equal((0xfedcba98L, -5L, -2L), (record.Number("number"), record.Number("small"), record.Number("tiny")));
        Assert.Equal(("abc", "hello", "near"), (record.Text(record.Format.Find("letters")!), record.Text(record.Format.Find("text")!), record.Text(record.Format.Find("near")!)));
        Assert.Equal([0x1004, 0x2abc], record.Stack.ToArray());
        Assert.Equal(("first", "second [module]", "0x10"), (input.SymbolOf(0x1004), input.SymbolOf(0x2abc), input.SymbolOf(0x10)));
        Assert.Equal(("a task with spaces", "<...>", "<idle>"), (input.CommOf(42), input.CommOf(9), input.CommOf(0)));

        // Padding counts for time; an extension is added; an absolute stamp replaces the time.
        long extended = (long)start + 207 + 5 + (3L << 27);
        long absolute = ((long)((start + 2_000_000_000) >> 27) << 27) + 9;
        (long Number, int Cpu, long Time, long Lost)[] expected =
        [
            (100, 1, (long)start + 50, 0), (2, 0, (long)start + 100, 0), (3, 0, (long)start + 207, 0), (4, 0, extended + 1, 0), (5, 0, absolute + 1, 0),
            (6, 0, (long)start + 3_000_000_000, 12), (7, 0, (long)start + 3_000_000_500, -1),
        ];
        foreach ((long number, int cpu, long time, long lost) in expected)
        {
            Assert.True(input.TryRead(out record), $"{number} is missing");
            Assert.Equal((number, cpu, time, lost), (record.Number("number"), record.Cpu, record.Time, record.LostBefore));
            Assert.True(record.Stack.IsEmpty);
        }

        Assert.False(input.TryRead(out _));
        Assert.Equal((12, 1, 0), (input.Quality[TraceCounter.Lost], input.Quality[TraceCounter.LostUnknown], input.Quality[TraceCounter.Damaged]));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(70)]
    [InlineData(71)]
    public void A_stack_belongs_to_the_event_of_its_own_context_whatever_an_interrupt_wrote_in_between(int packing)
    {
        DatBuilder dat = new(isBigEndian: false, 8);
        const byte Interrupt = 8;
        dat.Data.Add(("", 0,
        [
            .. dat.Page(1000, null,
                dat.Event(0, dat.Probe(42, 1, 0, 0, "", "", "")),
                dat.Event(1, dat.Probe(42, 2, 0, 0, "", "", "", Interrupt)),
                dat.Event(1, dat.Stack(42, Interrupt, 0x1002)),
                dat.Event(1, dat.Probe(42, 3, 0, 0, "", "", "", Interrupt))),
            .. dat.Page(1010, null,
                dat.Event(1, dat.Stack(42, 0, 0x1001)),
                dat.Event(1, dat.Probe(42, 4, 0, 0, "", "", "")),
                dat.Event(1, dat.Probe(42, 5, 0, 0, "", "", "")),
                dat.Event(1, dat.Stack(42, 0, 0x1005)),
                dat.Event(1, dat.Stack(42, 0, 0x1006)),
                dat.Event(1, dat.Probe(42, 6, 0, 0, "", "", ""))),
            .. dat.Page(1030, 3,
                dat.Event(1, dat.Stack(42, 0, 0x1007)),
                dat.Event(1, dat.Probe(42, 7, 0, 0, "", "", ""))),
        ]));
        using TraceInput input = Open(dat, packing);
        List<(long, ulong, long)> read = [];
        while (input.TryRead(out TraceRecord record))
        {
            read.Add((record.Number("number"), record.Stack.IsEmpty ? 0 : record.Stack[0], record.LostBefore));
        }

        // 6 lost its stack, and the stack behind the loss lost its event: whether they belong together nobody can know.
        Assert.Equal([(1, 0x1001, 0), (2, 0x1002, 0), (3, 0, 0), (4, 0, 0), (5, 0x1005, 0), (6, 0, 0), (7, 0, 3)], read);
        Assert.Equal(2, input.Quality[TraceCounter.StackAlone]);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(71)]
    public void Looking_ahead_for_a_stack_leaves_the_event_at_hand_as_it_is(int packing)
    {
        // One event in the first chunk, and no end of interrupts in those behind: the room for chunks is two.
        DatBuilder dat = new(isBigEndian: false, 8);
        dat.Data.Add(("", 0,
        [
            .. dat.Page(1000, null, dat.Event(0, dat.Probe(42, 1, 0, 0, "", "first text", ""))),
            .. Enumerable.Range(2, 4).SelectMany(number => dat.Page((ulong)number * 1000, null, dat.Event(0, dat.Probe(42, (ulong)number, 0, 0, "", "another text", "", flags: 8)))),
        ]));
        using TraceInput input = Open(dat, packing);
        for (int number = 1; number <= 5; number++)
        {
            Assert.True(input.TryRead(out TraceRecord record));
            Assert.Equal((number, number == 1 ? "first text" : "another text"), ((int)record.Number("number"), record.Text(record.Format.Find("text")!)));
        }

        Assert.False(input.TryRead(out _));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(70)]
    public void Instances_clocks_offsets_and_what_the_kernel_counted_are_read(int packing)
    {
        DatBuilder dat = new(isBigEndian: true, 8);
        dat.Data.Add(("", 0, dat.Page(1000, null, dat.Event(0, dat.Probe(42, 1, 0, 0, "", "", "")))));
        dat.Data.Add(("side", 0, dat.Page(500, null, dat.Event(0, dat.Probe(42, 2, 0, 0, "", "", "")))));
        dat.Option(4, "local [global] counter\n");
        dat.Option(5, "Linux box 6.1");
        dat.Option(7, "0x64");
        dat.Option(1, "-1");
        dat.Option(2, "CPU: 0\nentries: 0\noverrun: 77\ndropped events: 5\n");
        dat.Option(11, dat.Number(8, 0xabc));
        dat.Option(9999, "something new");
        using TraceInput input = Open(dat, packing);
        Assert.True(input.TryRead(out TraceRecord record));
        Assert.Equal((2, 500 + 100 - 1000), (record.Number("number"), record.Time));
        Assert.True(input.TryRead(out record));
        Assert.Equal((1, 1000 + 100 - 1000), (record.Number("number"), record.Time));
        Assert.False(input.TryRead(out _));
        Assert.Equal([new TraceCpu(0, "", 77, 5), new TraceCpu(0, "side", 0, 0)], input.Source.Cpus);
        Assert.Equal(("Linux box 6.1", "0xabc"), (input.Source.Properties["uname"], input.Source.Properties["trace_id"]));
        Assert.Equal(packing == 6 ? "global" : "local", input.Source.Clock);
        Assert.Equal(1, input.Quality["options_unknown"]);
        Assert.Equal(5, input.Quality[TraceCounter.Dropped]);
    }

    [Fact]
    public void A_cpu_keeps_its_number_when_the_trace_is_written_anew()
    {
        DatBuilder dat = new(isBigEndian: false, 8);
        dat.Data.Add(("", 3, dat.Page(1000, null, dat.Event(0, dat.Probe(42, 1, 0, 0, "", "", "")))));
        dat.Data.Add(("", 1, dat.Page(500, null, dat.Event(0, dat.Probe(42, 2, 0, 0, "", "", "")))));
        using TraceInput input = Open(dat, 70);
        List<string> expected = TraceTexts.Of(input);
        foreach (int version in new[] { 6, 7 })
        {
            string file = Path.Combine(_folder.FullName, "again.dat");
            TraceConvert.ToTraceDat(input, file, version);
            using TraceInput again = TraceInput.Open(file);
            Assert.Equal(expected, TraceTexts.Of(again));
        }

        Assert.Contains("cpu 1", expected[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Cycles_become_ns()
    {
        DatBuilder dat = new(isBigEndian: false, 8);
        dat.Option(14, [.. dat.Number(4, 3u << 20), .. dat.Number(4, 20), .. dat.Number(8, 0)]);
        dat.Data.Add(("", 0, dat.Page(1ul << 62, null, dat.Event(0, dat.Probe(42, 1, 0, 0, "", "", "")), dat.Event(1000, dat.Probe(42, 2, 0, 0, "", "", "")))));
        using TraceInput input = Open(dat, 6);
        Assert.True(input.TryRead(out TraceRecord record));
        long first = record.Time;
        Assert.True(input.TryRead(out record));
        Assert.Equal(3000, record.Time - first);
    }

    [Theory]
    [InlineData(false, 4)]
    [InlineData(true, 8)]
    public void Trace_cmd_reads_a_foreign_machines_trace_after_it_was_written_anew(bool isBigEndian, int word)
    {
        TraceCmd.SkipWhereMissing();
        DatBuilder dat = new(isBigEndian, word);
        dat.Data.Add(("", 0, dat.Page(7_000_000_000, 3, dat.Event(0, dat.Probe(42, 0xabc, -5, -2, "abc", "hello", "x")), dat.Event(0, dat.Stack(42, 0, 0x1004)))));
        using TraceInput input = Open(dat, 6);
        foreach (int version in new[] { 6, 7 })
        {
            string file = Path.Combine(_folder.FullName, $"again{version}.dat");
            TraceConvert.ToTraceDat(input, file, version);
            string report = TraceCmd.Run("report", "-t", "-i", file);
            Assert.Contains("a task with spaces-42    [000]     7.000000000: probe:                2748", report, StringComparison.Ordinal);
            Assert.Contains("CPU:0 [3 EVENTS DROPPED]", report, StringComparison.Ordinal);
            Assert.Contains("<stack trace >\n=> first (1004)\n", report, StringComparison.Ordinal);
        }
    }

    private TraceInput Open(DatBuilder dat, int packing)
    {
        string file = Path.Combine(_folder.FullName, "made.dat");
        File.WriteAllBytes(file, packing == 6 ? dat.ToVersion6() : dat.ToVersion7(packing - 70));
        return TraceInput.Open(file);
    }
}
