using System.Globalization;
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
        Assert.True(text.Counters.Keys.All(static name => name is "pointers_hashed"), text.Quality);
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
        Assert.True(dat.Name == text.Name && dat.Pid == text.Pid && dat.Comm == text.Comm && dat.Lost == text.Lost, about);

        // The kernel cuts what is below its resolution, trace-cmd rounds.
        Assert.True(Math.Abs(dat.Time - text.Time) < resolution, about);
        int compared = 0;
        foreach ((string name, object value) in text.Fields)
        {
            if (!dat.Fields.TryGetValue(name, out object? wanted))
            {
                // What the kernel computes when it prints.
                Assert.True(name is "ret" or "page", name + about);
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
                Assert.True(((string)wanted).TrimEnd('\n') == (string)value, name + about);
                compared++;
            }
            else
            {
                Assert.True(name is "flags" or "gfp_flags" or "mode" or "reason" or "ip" or "page", name + about);
            }
        }

        Assert.True(compared > 0 || text.Name == "mm_migrate_pages_start", about);
        Assert.True(dat.Stack.SequenceEqual(text.Stack), about);
        Assert.True(!hasAddresses || dat.Addresses.SequenceEqual(text.Addresses), about);
    }

    private static long Number(object value) => value is ulong number ? (long)number : Convert.ToInt64(value, CultureInfo.InvariantCulture);
}
