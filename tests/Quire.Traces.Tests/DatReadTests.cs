using System.Runtime.InteropServices;
using Quire.Tests;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>What a real kernel's trace says, as trace-cmd reads it.</summary>
public sealed class DatReadTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-dat-");

    /// <summary>A real recording, version 7, zstd, two CPUs, with stacks and losses.</summary>
    internal static string Sample { get; } = Path.Combine(AppContext.BaseDirectory, "Data", "kernel", "s8-lost-events", "record.dat");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_real_trace_has_the_events_stacks_and_losses_that_were_counted_when_it_was_recorded()
    {
        using TraceInput input = TraceInput.Open(Sample);
        Assert.Equal("trace.dat 7", input.Source.Format);
        Assert.Equal("local", input.Source.Clock);
        Assert.True(input.Source.IsKernel);
        Assert.Equal("Linux (none) 6.1.192-ktrace x86_64", input.Source.Properties["uname"]);
        for (int pass = 0; pass < 2; pass++)
        {
            long records = 0;
            long stacks = 0;
            long last = 0;
            while (input.TryRead(out TraceRecord record))
            {
                records++;
                stacks += record.Stack.IsEmpty ? 0 : 1;
                Assert.True(record.Time >= last, $"record {records} goes back in time");
                last = record.Time;
                if (records == 1)
                {
                    Assert.Equal(("page_ref_mod_unless", 230, 1, "sh"), (record.Format.Name, record.Pid, record.Cpu, input.CommOf(record.Pid)));
                    Assert.Equal((0x2362L, 6L, 4L, 1L), (record.Number("pfn"), record.Number("count"), record.Number("mapcount"), record.Number("ret")));
                    Assert.Equal(9, record.Stack.Length);
                    Assert.Equal("__page_ref_mod_unless", input.SymbolOf(record.Stack[1]));
                }
            }

            Assert.Equal((16574, 16557), (records, stacks));
            Assert.Equal((11829, 17, 0), (input.Quality[TraceCounter.Lost], input.Quality[TraceCounter.StackAlone], input.Quality[TraceCounter.Damaged]));
            input.Rewind();
        }
    }

    [Theory]
    [InlineData("7", "zstd")]
    [InlineData("7", "none")]
    [InlineData("6", "none")]
    public void Every_field_stack_and_loss_is_what_trace_cmd_reads_in_each_version_and_packing(string version, string packing)
    {
        TraceCmd.SkipWhereMissing();
        string file = Path.Combine(_folder.FullName, "trace.dat");
        TraceCmd.Run("convert", "-i", Sample, "--file-version", version, "--compression", packing, "-o", file);
        using TraceInput input = TraceInput.Open(file);
        Assert.Equal($"trace.dat {version}", input.Source.Format);
        Dictionary<int, List<ReportLine>> report = TraceCmd.RawReport(file);
        Dictionary<int, int> places = [];
        int alone = 0;
        while (input.TryRead(out TraceRecord record))
        {
            ref int place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, record.Cpu, out _);
            ReportLine line = report[record.Cpu][place++];
            while (line.Event == "kernel_stack")
            {
                // Its event was lost, so it is not shown; a loss told before it is told before the next event.
                alone++;
                long lost = line.Lost;
                line = report[record.Cpu][place++];
                line = line with { Lost = line.Lost + lost };
            }

            line.Check(input, record);
            if (!record.Stack.IsEmpty)
            {
                ReportLine stack = report[record.Cpu][place++];
                Assert.Equal("kernel_stack", stack.Event);
                Assert.StartsWith($"size={record.Stack.Length} ", stack.Rest, StringComparison.Ordinal);
            }
        }

        Assert.Equal(report.Sum(static cpu => cpu.Value.Count), places.Sum(static cpu => cpu.Value));
        Assert.Equal(input.Quality[TraceCounter.StackAlone], alone);
    }

    [Fact]
    public void Nothing_is_allocated_for_a_record()
    {
        using TraceInput input = TraceInput.Open(Sample);
        TraceTexts.Of(input);
        ulong sum = 0;
        long bytes = Garbage.Least(5, () =>
        {
            input.Rewind();
            while (input.TryRead(out TraceRecord record))
            {
                sum += record.Unsigned(record.Format.Fields[^1]) + (ulong)record.Stack.Length;
            }
        });
        Assert.True(bytes < 1024, $"{bytes} bytes for 16574 records");
        Assert.NotEqual(0ul, sum);
    }
}
