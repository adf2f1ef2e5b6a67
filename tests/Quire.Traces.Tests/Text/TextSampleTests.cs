using System.Globalization;
using System.Text;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>The same buffer of a kernel, as trace.dat and as text: the events are the same ones.</summary>
public sealed class TextSampleTests
{
    public static TheoryData<string> Scenarios => [.. KernelSamples.Paired];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void The_kernels_text_has_the_events_of_the_trace_dat_beside_it_one_by_one(string scenario)
    {
        TextEvents dat = TextEvents.Of(KernelSamples.PathOf(scenario, "trace.dat"));
        TextEvents text = TextEvents.Of(KernelSamples.Unpack(scenario, "trace.txt.gz"));
        Assert.Equal("ftrace text", text.Format);
        Compare(dat, text, hasAddresses: false, hasHashes: true);
        Assert.Equal(dat[TraceCounter.StackAlone], text[TraceCounter.StackAlone]);
        Assert.True(text.Counters.Keys.All(static name => name is "pointers_hashed" or "lost_events" or "stacks_without_event"), text.Quality);
        Assert.Equal(dat[TraceCounter.Lost] > 0, text[TraceCounter.Lost] > 0);
    }

    [Fact]
    public void The_report_of_trace_cmd_has_the_events_of_its_trace_dat_with_their_addresses()
    {
        TextEvents dat = TextEvents.Of(KernelSamples.PathOf("s2-vmsplice-pipe", "trace.dat"));
        TextEvents text = TextEvents.Of(KernelSamples.Unpack("s2-vmsplice-pipe", "trace-cmd-report.txt.gz"));
        Assert.Equal("trace-cmd report", text.Format);
        Compare(dat, text, hasAddresses: true, hasHashes: false);
        Assert.True(text.Counters.Count == 0, text.Quality);
    }

    [Theory]
    [InlineData("s1-success", "trace.dat")]
    [InlineData("s2-vmsplice-pipe", "trace.dat", "-l")]
    [InlineData("s2-vmsplice-pipe", "trace.dat", "-t")]
    [InlineData("s2-vmsplice-pipe", "trace.dat", "--ts-diff")]
    [InlineData("s7-busy-retry-then-success", "trace.dat", "-t", "-l")]
    [InlineData("s8-lost-events", "record.dat")]
    public void What_the_installed_trace_cmd_reports_has_the_events_of_its_trace_dat(string scenario, string file, params string[] options)
    {
        TraceCmd.SkipWhereMissing();
        string path = KernelSamples.PathOf(scenario, file);
        TextEvents dat = TextEvents.Of(path);
        TextEvents text = TextEvents.OfText(TraceCmd.Run(["report", .. options, "-i", path]));
        Assert.Equal("trace-cmd report", text.Format);
        Compare(dat, text, hasAddresses: true, hasHashes: false, options.Contains("-t") ? 1 : 1000);
        Assert.Equal(dat[TraceCounter.Lost], text[TraceCounter.Lost]);
        Assert.Equal(dat[TraceCounter.StackAlone], text[TraceCounter.StackAlone]);
        Assert.Equal(0, text["bad_lines"] + text["lines_not_of_the_trace"]);
    }

    [Theory]
    [InlineData("trace-symoffset.txt.gz", false, true)]
    [InlineData("trace-symaddr.txt.gz", true, true)]
    [InlineData("trace-nohashptr.txt.gz", false, false)]
    [InlineData("trace-noirqinfo.txt.gz", false, true)]
    [InlineData("trace-notgid.txt.gz", false, true)]
    [InlineData("trace-latency.txt.gz", false, true)]
    [InlineData("trace-fields.txt.gz", false, false)]
    public void Each_way_in_which_the_kernel_prints_a_buffer_has_its_events(string file, bool hasAddresses, bool hasHashes)
    {
        TextEvents dat = TextEvents.Of(KernelSamples.PathOf("vmsplice-texts-6.12", "trace.dat"));
        TextEvents text = TextEvents.Of(KernelSamples.PathOf("vmsplice-texts-6.12", file));
        if (file == "trace-latency.txt.gz")
        {
            // Its times count from when the buffer was made.
            long before = dat.All[0].Time - text.All[0].Time;
            text.All.Select(static (seen, at) => (seen, at)).ToList().ForEach(pair => text.All[pair.at] = pair.seen with { Time = pair.seen.Time + before });
            Assert.Equal("first event", text.Properties["time_begins_at"]);
        }
        else if (file == "trace-fields.txt.gz")
        {
            // The kernel can't print a stack so; it says that there was an event of type 4.
            Assert.Equal(dat.All.Count(static seen => seen.Stack.Length > 0), text["stacks_not_printed"]);
            dat.All.Select(static (seen, at) => (seen, at)).ToList().ForEach(pair => dat.All[pair.at] = pair.seen with { Stack = [] });
        }

        Compare(dat, text, hasAddresses, hasHashes);
        Assert.Equal(0, text["bad_lines"] + text["lines_not_of_the_trace"] + text[TraceCounter.StackAlone]);
    }

    [Fact]
    public void What_perf_printed_of_a_recording_of_its_own_is_read_whole()
    {
        TextEvents whole = TextEvents.Of(KernelSamples.PathOf("perf-script-6.12", "perf-script.txt.gz"));
        TextEvents offsets = TextEvents.Of(KernelSamples.PathOf("perf-script-6.12", "perf-script-symoff.txt.gz"));
        TextEvents bare = TextEvents.Of(KernelSamples.PathOf("perf-script-6.12", "perf-script-nostack.txt.gz"));
        string[] lines = Encoding.UTF8.GetString(KernelSamples.Unpack("perf-script-6.12", "perf-script-nostack.txt.gz")).Split('\n');
        Assert.Equal(lines.Count(static line => line.Contains(']') && !line.StartsWith('#')), bare.All.Count);
        foreach (TextEvents events in new[] { whole, offsets, bare })
        {
            Assert.Equal("perf script", events.Format);
            Assert.True(events.Counters.Count == 0, events.Quality);
            Assert.Equal(bare.All.Select(static seen => seen.Text[..seen.Text.LastIndexOf(" lost=", StringComparison.Ordinal)]), events.All.Select(static seen => seen.Text[..seen.Text.LastIndexOf(" lost=", StringComparison.Ordinal)]));
        }

        Assert.Equal(whole.All.Select(static seen => string.Join(' ', seen.Addresses)), offsets.All.Select(static seen => string.Join(' ', seen.Addresses)));
        Assert.True(whole.All.TrueForAll(static seen => seen.Stack.Length > 0 && seen.Addresses.All(static address => address >> 48 == 0xffff)));
        Assert.StartsWith("6.12.117", whole.Properties["uname"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-R")]
    [InlineData("-N")]
    public void A_report_without_the_kernels_formats_has_numbers_for_all_fields_and_as_many_frames_as_it_prints(string option)
    {
        TraceCmd.SkipWhereMissing();
        string path = KernelSamples.PathOf("s2-vmsplice-pipe", "trace.dat");
        TextEvents dat = TextEvents.Of(path);
        TextEvents text = TextEvents.OfText(TraceCmd.Run("report", option, "-i", path));
        Assert.Equal(dat.All.Count, text.All.Count);
        Assert.Equal(0, text["bad_lines"] + text["lines_not_of_the_trace"] + text[TraceCounter.StackAlone]);
        for (int at = 0; at < dat.All.Count; at++)
        {
            SeenEvent expected = dat.All[at];
            SeenEvent found = text.All[at];
            string about = $"\n{expected.Text}\n{found.Text}";
            Assert.True((expected.Name, expected.Cpu, expected.Pid) == (found.Name, found.Cpu, found.Pid), about);

            // Eight are printed, which is what the format has room for; without plugins also where there are fewer.
            int frames = Math.Min(8, expected.Stack.Length);
            Assert.True(found.Stack.Length == frames || (option == "-N" && found.Stack.Length > frames), about);
            Assert.True(option == "-R" ? expected.Addresses.Take(frames).SequenceEqual(found.Addresses) : expected.Stack.Take(frames).SequenceEqual(found.Stack.Take(frames)), about);
            foreach ((string name, object value) in expected.Fields.Where(pair => option == "-R" && pair.Value is not string && pair.Key != "ip"))
            {
                Assert.True(Number(value) == Number(found.Fields[name]) || Number(value) == (int)Number(found.Fields[name]), name + about);
            }
        }
    }

    [Theory]
    [InlineData("s2-vmsplice-pipe", "trace.txt.gz")]
    [InlineData("s2-vmsplice-pipe", "trace-cmd-report.txt.gz")]
    [InlineData("s8-lost-events", "trace_pipe.txt.gz")]
    public void A_text_made_a_trace_dat_is_the_same_trace(string scenario, string file)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("quire-text-dat-");
        try
        {
            string text = Path.Combine(folder.FullName, "x.txt");
            string dat = Path.Combine(folder.FullName, "x.dat");
            File.WriteAllBytes(text, KernelSamples.Unpack(scenario, file));
            using (TraceInput input = TraceInput.Open(text))
            {
                TraceConvert.ToTraceDat(input, dat);
            }

            TextEvents expected = TextEvents.Of(text);
            TextEvents found = TextEvents.Of(dat);
            Assert.Equal(expected.All.Count, found.All.Count);
            Assert.Equal(expected[TraceCounter.Lost], found[TraceCounter.Lost]);
            foreach (int cpu in expected.All.Select(static seen => seen.Cpu).Distinct())
            {
                Assert.Equal(expected.All.Where(seen => seen.Cpu == cpu).Select(static seen => seen.Text), found.All.Where(seen => seen.Cpu == cpu).Select(static seen => seen.Text));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void The_losses_of_a_pipe_stand_before_the_events_that_follow_them()
    {
        byte[] pipe = KernelSamples.Unpack("s8-lost-events", "trace_pipe.txt.gz");
        string[] lines = Encoding.UTF8.GetString(pipe).Split('\n');
        long[] marked = [.. lines.Where(static line => line.StartsWith("CPU:", StringComparison.Ordinal)).Select(static line => long.Parse(line.Split(' ')[2], CultureInfo.InvariantCulture))];
        TextEvents text = TextEvents.Of(pipe);
        Assert.Equal(77, marked.Length);
        Assert.Equal(marked.Sum(), text[TraceCounter.Lost]);

        // 12080 entries, of which 6037 are stacks; a marker before a marker of the same CPU, with no event between, would be one loss.
        Assert.Equal(12080 - 6037, text.All.Count);
        Assert.Equal(6037, text.All.Count(static seen => seen.Stack.Length > 0) + text[TraceCounter.StackAlone]);
        Assert.Equal(marked.Sum(), text.All.Sum(static seen => seen.Lost));
        Assert.Equal(77, text.All.Count(static seen => seen.Lost > 0));
        Assert.Equal(new Dictionary<string, int>
        {
            ["mm_page_alloc"] = 576,
            ["mm_page_free"] = 102,
            ["mm_page_free_batched"] = 41,
            ["page_ref_mod"] = 1498,
            ["page_ref_mod_and_test"] = 2008,
            ["page_ref_mod_unless"] = 1252,
            ["page_ref_set"] = 566,
        }, text.All.GroupBy(static seen => seen.Name).OrderBy(static kind => kind.Key, StringComparer.Ordinal).ToDictionary(static kind => kind.Key, static kind => kind.Count()));
    }

    [Fact]
    public void An_overrun_rings_loss_stands_in_its_head_and_lies_before_the_first_event_of_each_cpu()
    {
        TextEvents text = TextEvents.Of(KernelSamples.Unpack("s8-lost-events", "trace-ring-overrun.txt.gz"));
        Assert.Equal(21108 - 1495, text[TraceCounter.Lost]);
        Assert.Equal(1495 - 748, text.All.Count);
        Assert.Equal([-1L, -1L], text.All.Where(static seen => seen.Lost != 0).Select(static seen => seen.Lost));
        Assert.Equal(0, text["bad_lines"]);
    }

    internal static void Compare(TextEvents dat, TextEvents text, bool hasAddresses, bool hasHashes, long resolution = 1000)
    {
        Assert.Equal(dat.All.Count, text.All.Count);
        foreach (int cpu in dat.All.Select(static seen => seen.Cpu).Distinct())
        {
            SeenEvent[] expected = [.. dat.All.Where(seen => seen.Cpu == cpu)];
            SeenEvent[] found = [.. text.All.Where(seen => seen.Cpu == cpu)];
            Assert.Equal(expected.Length, found.Length);
            for (int at = 0; at < expected.Length; at++)
            {
                Compare(expected[at], found[at], hasAddresses, hasHashes, resolution);
            }
        }

        // And in the order of time over all CPUs.
        Assert.True(text.All.Zip(text.All.Skip(1)).All(static pair => pair.First.Time <= pair.Second.Time));
    }

    private static void Compare(SeenEvent dat, SeenEvent text, bool hasAddresses, bool hasHashes, long resolution)
    {
        string about = $"\n{dat.Text}\n{text.Text}";
        Assert.True(dat.Name == text.Name && dat.Pid == text.Pid && dat.Comm == text.Comm, about);

        // The kernel's text says in its head how many were overwritten on all CPUs.
        Assert.True(dat.Lost == text.Lost || (dat.Lost > 0 && text.Lost == -1), about);

        // The kernel cuts what is below its resolution, trace-cmd rounds.
        Assert.True(Math.Abs(dat.Time - text.Time) < resolution, about);
        int compared = 0;
        // Other systems print addresses and numbers as names, which the analysis has no use for.
        bool isOthers = !s_ours.Any(ours => dat.Name.Contains(ours, StringComparison.Ordinal));
        foreach ((string name, object value) in isOthers ? [] : text.Fields)
        {
            if (!dat.Fields.TryGetValue(name, out object? wanted))
            {
                // What the kernel computes when it prints.
                Assert.True(name is "ret" or "page" or "accounted" || (name == "order" && dat.Name == "mm_page_free_batched"), name + about);
            }
            else if (name == "mapping" && hasHashes)
            {
                Assert.True(Number(wanted) == 0 == (Number(value) == 0), name + about);
                compared++;
            }
            else if (name != "page" && value is not string)
            {
                Assert.True(Number(wanted) == Number(value), name + about);
                compared++;
            }
            else if (wanted is string)
            {
                // The array of a marker's text has no size in the format, and goes on to the event's end.
                Assert.True(((string)wanted).TrimEnd('\n') == (string)value || (dat.Name == "print" && ((string)wanted).Length == 0), name + about);
                compared++;
            }
            else
            {
                Assert.True(name is "flags" or "gfp_flags" or "mode" or "reason" or "ip" or "page" or "call_site", name + about);
            }
        }

        Assert.True(compared > 0 || isOthers || text.Name == "mm_migrate_pages_start", about);
        // The kernel's text leaves the module out.
        Assert.True(dat.Stack.Select(static frame => frame.Split(" [")[0]).SequenceEqual(text.Stack.Select(static frame => frame.Split(" [")[0])), about);
        Assert.True(!hasAddresses || dat.Addresses.SequenceEqual(text.Addresses), about);
    }

    private static readonly string[] s_ours = ["page_ref_", "cma_", "mm_", "test_pages_isolated", "migration_pte", "print", "isolate"];

    private static long Number(object value) => value is ulong number ? (long)number : Convert.ToInt64(value, CultureInfo.InvariantCulture);
}
