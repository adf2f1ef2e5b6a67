using System.Globalization;
using System.Text;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>What the options of a trace.dat say, as trace-cmd understands them.</summary>
public sealed class DatOptionTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-option-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void Cycles_with_an_offset_are_what_trace_cmd_makes_of_them(int version) => CheckTimes(version, static dat =>
        dat.Option(14, [.. dat.Number(4, 3_579_139), .. dat.Number(4, 22), .. dat.Number(8, 1_000_000)]));

    [Theory]
    [InlineData(6, 1, 1, 0u)]
    [InlineData(7, 2, 1, 0u)]
    [InlineData(7, 2, 1, 1u)]
    [InlineData(6, 5, 1, 0u)]
    [InlineData(7, 5, 1, 1u)]
    [InlineData(7, 5, 3, 1u)]
    public void A_guests_times_are_what_trace_cmd_makes_of_them(int version, int samples, int rate, uint flags) => CheckTimes(version, dat =>
        dat.Option(12, Shifts(dat, samples, rate, flags, fraction: null)));

    [Fact]
    public void A_guests_rate_may_have_places_behind_the_point()
    {
        // trace-cmd 3.1.6 multiplies in 64 bits, so a rate of 48 places overflows there; what it should be is plain.
        DatBuilder dat = Events();
        dat.Option(12, Shifts(dat, 2, 3, 0, fraction: 1));
        using TraceInput input = Open(dat, 7);
        Assert.True(input.TryRead(out TraceRecord record));
        Assert.Equal((1_000_000 * 3 / 2) + 500, record.Time);
        Assert.Equal("0x77", input.Source.Properties["peer_trace_id"]);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void What_the_kernel_counted_of_an_instance_stays_the_instances(int version)
    {
        DatBuilder dat = Events();
        dat.Data.Add(("side", 0, dat.Page(500, null, dat.Event(0, dat.Probe(42, 2, 0, 0, "", "", "")))));
        dat.Data.Add(("side", 1, dat.Page(500, null, dat.Event(0, dat.Probe(42, 3, 0, 0, "", "", "")))));
        dat.Option(2, "CPU: 0\nentries: 0\noverrun: 77\ndropped events: 5\n");
        dat.Option(2, "CPU: 1\nentries: 0\noverrun: 78\ndropped events: 0\n");
        dat.Option(2, "\nBuffer: side\n\n");
        dat.Option(2, "CPU: 0\nentries: 0\noverrun: 1\ndropped events: 2\n");
        dat.Option(6, "a hook");
        dat.Option(6, "another");
        dat.Option(13, [.. "guest\0"u8, .. dat.Number(8, 0xabc), .. dat.Number(4, 0)]);
        using TraceInput input = Open(dat, version);
        Assert.Equal([new TraceCpu(0, "", 77, 5), new TraceCpu(1, "", 78, 0), new TraceCpu(0, "side", 1, 2), new TraceCpu(1, "side", 0, 0)], input.Source.Cpus);
        Assert.Equal(("a hook\nanother", "0xabc"), (input.Source.Properties["hook"], input.Source.Properties["guest guest"]));
        Assert.Equal(0, input.Quality["options_unknown"]);
    }

    [Theory]
    [InlineData(6, 16384, 8)]
    [InlineData(7, 65536, 8)]
    [InlineData(7, 16384, 4)]
    [InlineData(6, 1024, 4)]
    public void Pages_of_any_size_are_read(int version, int pageBytes, int word)
    {
        DatBuilder dat = new(isBigEndian: word == 4, word, pageBytes);
        for (int cpu = 0; cpu < 2; cpu++)
        {
            dat.Data.Add(("", cpu, [.. Enumerable.Range(0, 3).SelectMany(page => dat.Page((ulong)((page * 1_000_000) + cpu), page == 1 ? 9 : null,
                [.. Enumerable.Range(0, (pageBytes / 60) - 6).Select(number => dat.Event(7, dat.Probe(42, (ulong)((page * 10_000) + number), 0, 0, "", "", "")))]))]));
        }

        using TraceInput input = Open(dat, version);
        int each = (pageBytes / 60) - 6;
        long[] next = [0, 0];
        while (input.TryRead(out TraceRecord record))
        {
            long place = next[record.Cpu]++;
            Assert.Equal((place / each * 10_000) + (place % each), record.Number("number"));
            Assert.Equal((place / each * 1_000_000) + record.Cpu + (7 * ((place % each) + 1)), record.Time);
        }

        Assert.Equal((3L * each, 3L * each, 18), (next[0], next[1], input.Quality[TraceCounter.Lost]));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(71)]
    public void Stacks_of_a_trigger_stand_before_their_events_and_are_given_to_those(int packing)
    {
        // A trigger on "probe" alone: "other" events have no stack, and an interrupt comes between a stack and its event.
        DatBuilder dat = new(isBigEndian: false, 8);
        dat.Formats.Add(dat.Formats[0].Replace("name: probe", "name: other", StringComparison.Ordinal).Replace("ID: 300", "ID: 301", StringComparison.Ordinal));
        const byte Interrupt = 8;
        List<byte[]> events = [];
        for (uint number = 0; number < 30; number++)
        {
            events.Add(dat.Event(50_000, Other(dat, number)));
            events.Add(dat.Event(50_000, dat.Stack(42, 1, 0x1000 + number)));
            if (number % 3 == 0)
            {
                events.Add(dat.Event(300, dat.Stack(42, Interrupt, 0x2000 + number)));
                events.Add(dat.Event(100, dat.Probe(42, 1000 + number, 0, 0, "", "", "", Interrupt)));
            }

            // The event's flags lack what the trigger's own have.
            events.Add(dat.Event(200, dat.Probe(42, number, 0, 0, "", "", "")));
        }

        dat.Data.Add(("", 0, [.. dat.Page(1000, null, [.. events.Take(40)]), .. dat.Page(100_000_000, null, [.. events.Skip(40)])]));
        using TraceInput input = Open(dat, packing);
        for (int pass = 0; pass < 2; pass++)
        {
            int probes = 0;
            while (input.TryRead(out TraceRecord record))
            {
                long number = record.Number("number");
                ulong[] expected = record.Format.Name == "other" ? [] : number < 1000 ? [0x1000 + (ulong)number] : [0x2000 + (ulong)number - 1000];
                Assert.Equal(expected, record.Stack.ToArray());
                probes += expected.Length;
            }

            Assert.Equal((40, 0), (probes, input.Quality[TraceCounter.StackAlone]));
            input.Rewind();
        }
    }

    [Fact]
    public void A_stack_of_another_thread_or_before_a_loss_waits_in_vain()
    {
        DatBuilder dat = new(isBigEndian: false, 8);
        List<byte[]> events = [.. Enumerable.Range(0, 20).SelectMany(number => new[] { dat.Event(50_000, dat.Stack(42, 0, 0x1000)), dat.Event(100, dat.Probe(42, (ulong)number, 0, 0, "", "", "")) })];
        dat.Data.Add(("", 0,
        [
            .. dat.Page(1000, null, [.. events, dat.Event(50_000, dat.Stack(42, 0, 0x1001)), dat.Event(100, dat.Probe(43, 100, 0, 0, "", "", "")), dat.Event(50_000, dat.Stack(42, 0, 0x1002))]),
            .. dat.Page(100_000_000, 5, dat.Event(100, dat.Probe(42, 101, 0, 0, "", "", "")), dat.Event(50_000, dat.Stack(42, 0, 0x1003))),
            .. dat.Page(200_000_000, null, dat.Event(100, dat.Probe(42, 102, 0, 0, "", "", "")), dat.Event(50_000, dat.Stack(42, 0, 0x1004))),
        ]));
        using TraceInput input = Open(dat, 6);
        Dictionary<long, ulong> stacks = [];
        while (input.TryRead(out TraceRecord record))
        {
            stacks[record.Number("number")] = record.Stack.IsEmpty ? 0 : record.Stack[0];
        }

        Assert.Equal((0x1000ul, 0ul, 0ul, 0x1003ul), (stacks[19], stacks[100], stacks[101], stacks[102]));
        Assert.Equal(3, input.Quality[TraceCounter.StackAlone]);
    }

    [Fact]
    public void A_stack_ends_where_old_kernels_say_so_and_names_the_trampoline()
    {
        DatBuilder dat = new(isBigEndian: false, 8);
        byte[] stack = dat.Stack(42, 0, 0x1004, long.MaxValue, ulong.MaxValue, ulong.MaxValue);
        dat.Data.Add(("", 0, dat.Page(1000, null, dat.Event(0, dat.Probe(42, 1, 0, 0, "", "", "")), dat.Event(0, stack))));
        using TraceInput input = Open(dat, 6);
        Assert.True(input.TryRead(out TraceRecord record));
        Assert.Equal(["first", "[FTRACE TRAMPOLINE]"], record.Stack.ToArray().Select(input.SymbolOf));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_file_that_was_never_finished_gives_what_its_sections_and_pages_hold(int chunkPages)
    {
        DatBuilder dat = new(isBigEndian: false, 8);
        for (int cpu = 0; cpu < 3; cpu++)
        {
            dat.Data.Add(("", cpu, [.. Enumerable.Range(0, 4).SelectMany(page => dat.Page((ulong)((page * 100_000) + 1000 + cpu), null,
                [.. Enumerable.Range(0, 20).Select(number => dat.Event(10, dat.Probe(42, (ulong)((cpu * 1000) + (page * 20) + number), 0, 0, "abc", "text", "")))]))]));
        }

        byte[] whole = dat.ToVersion7(chunkPages);
        using TraceInput expected = Open(whole);
        List<string> lines = TraceTexts.Of(expected);

        // As a trace-cmd that was killed leaves it: no place of options in the head, none of the options written, the last CPU's chunks not counted, and a part of the data.
        int options = chunkPages > 0 ? 30 : 24;
        byte[] cut = (byte[])whole.Clone();
        int section = BitConverter.ToInt32(cut, options);
        int buffer = section + 16 + BitConverter.ToInt32(cut, section + 8);
        cut = [.. cut[..section], .. new byte[(4096 - ((section + 16) % 4096)) % 4096 + 16], .. cut[((buffer + 16 + 4095) / 4096 * 4096)..]];
        BitConverter.TryWriteBytes(cut.AsSpan(options), 0L);
        BitConverter.TryWriteBytes(cut.AsSpan(section), (ushort)3);
        BitConverter.TryWriteBytes(cut.AsSpan(section + 2), (ushort)(chunkPages > 0 ? 1 : 0));
        using TraceInput input = Open(cut);
        Assert.Equal(lines, TraceTexts.Of(input));
        Assert.Equal((1, 1), (input.Quality[TraceCounter.Truncated], input.Quality["buffers_recovered"]));

        using TraceInput part = Open(cut[..^(chunkPages > 0 ? 40 : 6000)]);
        List<string> left = TraceTexts.Of(part);
        Assert.True(left.Count is > 150 and < 240, $"{left.Count} of 240 events");
        Assert.Empty(left.Except(lines));
        Assert.Equal(1, part.Quality[TraceCounter.Truncated]);
    }

    [Fact]
    public void A_real_file_without_its_end_gives_the_events_that_are_there()
    {
        byte[] whole = File.ReadAllBytes(DatReadTests.Sample);
        using TraceInput expected = TraceInput.Open(DatReadTests.Sample);
        List<string> lines = TraceTexts.Of(expected);

        // What trace-cmd wrote last: where the buffer's data is, and names of sections.
        using TraceInput input = Open(whole[..^216]);
        Assert.Equal(lines, TraceTexts.Of(input));
        Assert.Equal(1, input.Quality[TraceCounter.Truncated]);

        using TraceInput half = Open(whole[..(whole.Length - 60_000)]);
        List<string> left = TraceTexts.Of(half);
        Assert.True(left.Count > lines.Count / 2 && left.Count < lines.Count, $"{left.Count} of {lines.Count} events");

        // The last event of the CPU that was cut may miss its stack.
        Assert.True(left.Except(lines).Count() <= 1, string.Join('\n', left.Except(lines)));
    }

    [Theory]
    [InlineData(6, false)]
    [InlineData(7, false)]
    [InlineData(7, true)]
    public void The_text_that_a_latency_tracer_left_in_the_file_is_read_as_text(int version, bool isPacked)
    {
        byte[] text = Encoding.ASCII.GetBytes("# tracer: nop\n#\n" + string.Concat(Enumerable.Range(0, 200).Select(static at =>
            $"            bash-1977    [000] .... 17284.{at + 100000}: page_ref_mod: pfn=0x{at + 4096:x} flags=0x0 count=1 mapcount=0 mapping=0000000000000000 mt=1 val=1\n")));
        DatBuilder dat = new(isBigEndian: false, 8);
        byte[] file;
        if (version == 6)
        {
            file = dat.ToVersion6();
            file = [.. file[..file.AsSpan().IndexOf("flyrecord\0"u8)], .. "latency  \0"u8, .. text];
        }
        else
        {
            file = dat.ToVersion7(isPacked ? 1 : 0);
            byte[] data = isPacked ? [.. dat.Number(4, 2), .. dat.Packed(text[..5000]), .. dat.Packed(text[5000..])] : text;
            byte[] option = [.. dat.Number(8, (ulong)file.Length), .. "\0local\0"u8];
            byte[] options = [.. dat.Number(2, 22), .. dat.Number(4, (ulong)option.Length), .. option, .. dat.Number(2, 0), .. dat.Number(4, 8), .. dat.Number(8, 0)];
            byte[] section = [.. dat.Number(2, 22), .. dat.Number(2, isPacked ? 1ul : 0), .. dat.Number(4, 0), .. dat.Number(8, (ulong)data.Length), .. data];
            int head = isPacked ? 30 : 24;
            int first = BitConverter.ToInt32(file, head);
            BitConverter.TryWriteBytes(file.AsSpan(first + 16 + BitConverter.ToInt32(file, first + 8) - 8), (long)(file.Length + section.Length));
            file = [.. file, .. section, .. dat.Number(2, 0), .. dat.Number(2, 0), .. dat.Number(4, 0), .. dat.Number(8, (ulong)options.Length), .. options];
        }

        using TraceInput input = Open(file);
        for (int at = 0; at < 200; at++)
        {
            Assert.True(input.TryRead(out TraceRecord record), $"event {at} is missing: {input.Quality}");
            Assert.Equal(("page_ref_mod", at + 4096), (record.Format.Name, record.Number("pfn")));
        }

        Assert.False(input.TryRead(out _));
    }

    private static byte[] Other(DatBuilder dat, uint number)
    {
        byte[] bytes = dat.Probe(42, number, 0, 0, "", "", "");
        bytes[0] = 301 & 0xff;
        return bytes;
    }

    private static DatBuilder Events()
    {
        DatBuilder dat = new(isBigEndian: false, 8);
        for (int cpu = 0; cpu < 2; cpu++)
        {
            dat.Data.Add(("", cpu, dat.Page(1_000_000, null,
                [.. Enumerable.Range(0, 40).Select(number => dat.Event((uint)(number == 0 ? 0 : 100_000), dat.Probe(42, (ulong)number, 0, 0, "", "", "")))])));
        }

        return dat;
    }

    private static byte[] Shifts(DatBuilder dat, int samples, int rate, uint flags, int? fraction)
    {
        List<byte> option = [.. dat.Number(8, 0x77), .. dat.Number(4, flags), .. dat.Number(4, 2)];
        for (int cpu = 0; cpu < 2; cpu++)
        {
            option.AddRange(dat.Number(4, (ulong)samples));
            for (int at = 0; at < samples; at++)
            {
                // Not in order, as threads of trace-cmd may write them.
                int place = at == 0 ? samples - 1 : at - 1;
                option.AddRange(dat.Number(8, 900_000 + ((ulong)place * 777_777)));
            }

            for (int at = 0; at < samples; at++)
            {
                int place = at == 0 ? samples - 1 : at - 1;
                option.AddRange(dat.Number(8, (ulong)(500L + (place * (cpu == 0 ? 1234 : -4321)))));
            }

            for (int at = 0; at < samples; at++)
            {
                option.AddRange(dat.Number(8, (ulong)rate));
            }
        }

        for (int at = 0; at < 2 * samples && fraction is not null; at++)
        {
            option.AddRange(dat.Number(8, (ulong)fraction));
        }

        return [.. option];
    }

    private void CheckTimes(int version, Action<DatBuilder> option)
    {
        TraceCmd.SkipWhereMissing();
        DatBuilder dat = Events();
        option(dat);
        using TraceInput input = Open(dat, version);
        Dictionary<int, List<ReportLine>> report = TraceCmd.RawReport(input.Source.Path);
        int[] places = new int[2];
        while (input.TryRead(out TraceRecord record))
        {
            Assert.Equal(report[record.Cpu][places[record.Cpu]++].Time, record.Time);
        }

        Assert.Equal([40, 40], places);
    }

    private TraceInput Open(DatBuilder dat, int packing) => Open(packing == 6 ? dat.ToVersion6() : dat.ToVersion7(packing > 70 ? packing - 70 : 0));

    private TraceInput Open(byte[] bytes)
    {
        string file = Path.Combine(_folder.FullName, string.Create(CultureInfo.InvariantCulture, $"{Guid.NewGuid():N}.dat"));
        File.WriteAllBytes(file, bytes);
        return TraceInput.Open(file);
    }
}
