using System.Globalization;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>Real events, printed as perf prints them.</summary>
public sealed class PerfScriptTests
{
    [Theory]
    [InlineData("s1-success", false, false, false)]
    [InlineData("s2-vmsplice-pipe", true, true, false)]
    [InlineData("s5-ext4-journal-buffers", false, true, true)]
    [InlineData("s7-busy-retry-then-success", true, false, true)]
    public void What_perf_would_print_of_a_trace_has_its_events(string scenario, bool inNs, bool hasHeader, bool hasProcess)
    {
        TextEvents dat = TextEvents.Of(KernelSamples.PathOf(scenario, "trace.dat"));
        dat.All.RemoveAll(static seen => seen.Name == "print");
        TextEvents text = TextEvents.OfText(PerfScript.Of(dat, inNs, hasHeader, hasProcess));
        Assert.Equal("perf script", text.Format);
        Assert.Equal(hasHeader ? "6.1.192-ktrace" : null, text.Properties.GetValueOrDefault("uname"));
        Assert.Equal(dat.All.Count, text.All.Count);
        for (int at = 0; at < dat.All.Count; at++)
        {
            SeenEvent expected = dat.All[at];
            SeenEvent found = text.All[at];
            string about = $"\n{expected.Text}\n{found.Text}";
            Assert.True((expected.Name, expected.Cpu, expected.Pid) == (found.Name, found.Cpu, found.Pid), about);
            Assert.True(expected.Time / (inNs ? 1 : 1000) == found.Time / (inNs ? 1 : 1000), about);
            Assert.True(expected.Addresses.SequenceEqual(found.Addresses) && expected.Stack.SequenceEqual(found.Stack), about);
            foreach ((string name, object value) in expected.Fields)
            {
                Assert.True(Convert.ToString(value, CultureInfo.InvariantCulture) == Convert.ToString(found.Fields[name], CultureInfo.InvariantCulture), name + about);
            }
        }

        Assert.True(text.Counters.Count == 0, text.Quality);
    }
}
