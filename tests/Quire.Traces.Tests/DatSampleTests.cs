using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>Every recording of a real kernel, event by event as trace-cmd itself reads it.</summary>
public sealed class DatSampleTests : IDisposable
{
    private static readonly string s_data = Path.Combine(AppContext.BaseDirectory, "Data", "kernel");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-sample-");

    /// <summary>Recordings by their path under the data's folder.</summary>
    public static TheoryData<string> Recordings =>
        [.. Directory.GetFiles(s_data, "*", SearchOption.AllDirectories)
            .Where(static file => file.EndsWith(".dat", StringComparison.Ordinal) || file.EndsWith(".dat.gz", StringComparison.Ordinal))
            .Select(static file => Path.GetRelativePath(s_data, file)).Order(StringComparer.Ordinal)];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Recordings))]
    public void Every_event_field_loss_and_stack_of_a_recording_is_what_trace_cmd_reads(string recording)
    {
        TraceCmd.SkipWhereMissing();
        string file = Path.Combine(s_data, recording);
        using TraceInput input = TraceInput.Open(file);
        if (file.EndsWith(".gz", StringComparison.Ordinal))
        {
            // For trace-cmd, which reads no packed file.
            string plain = Path.Combine(_folder.FullName, "trace.dat");
            using GZipStream packed = new(File.OpenRead(file), CompressionMode.Decompress);
            using FileStream target = File.Create(plain);
            packed.CopyTo(target);
            file = plain;
        }

        Dictionary<int, List<ReportLine>> report = TraceCmd.RawReport(file);
        Dictionary<int, int> places = [];
        int alone = 0;
        int stacks = 0;
        while (input.TryRead(out TraceRecord record))
        {
            ref int place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, record.Cpu, out _);
            ReportLine line = NextEvent(report[record.Cpu], ref place, ref alone);
            line.Check(input, record);
            if (record.Stack.IsEmpty)
            {
                continue;
            }

            // The event's stack: of the lines behind it the first stack of the same context, which an interrupt's events may come before.
            stacks++;
            int at = place;
            while (report[record.Cpu][at].Event != "kernel_stack" || report[record.Cpu][at].Pid != record.Pid || report[record.Cpu][at].IsTaken || !IsStack(report[record.Cpu][at], record))
            {
                at++;
                Assert.True(at < place + 64 && at < report[record.Cpu].Count, $"trace-cmd has no such stack behind\n{line}\nours: {TraceTexts.Line(input, record)}");
            }

            report[record.Cpu][at].IsTaken = true;
        }

        foreach ((int cpu, List<ReportLine> lines) in report)
        {
            int place = places.GetValueOrDefault(cpu);
            while (place < lines.Count)
            {
                Assert.Equal("kernel_stack", lines[place].Event);
                alone += lines[place++].IsTaken ? 0 : 1;
            }
        }

        Assert.Equal(report.Sum(static cpu => cpu.Value.Count(static line => line.Event == "kernel_stack")), stacks + alone);
        Assert.Equal((0, 0), (input.Quality[TraceCounter.Damaged], input.Quality[TraceCounter.UnknownEvent]));
        Assert.Equal(alone, input.Quality[TraceCounter.StackAlone]);
    }

    private static ReportLine NextEvent(List<ReportLine> lines, ref int place, ref int alone)
    {
        ReportLine line = lines[place++];
        while (line.Event == "kernel_stack")
        {
            alone += line.IsTaken ? 0 : 1;
            long lost = line.Lost;
            line = lines[place++];
            line = line with { Lost = lost < 0 || line.Lost < 0 ? -1 : line.Lost + lost };
        }

        return line;
    }

    /// <summary>Whether the line's first frames are the record's; it shows those that the format declares.</summary>
    private static bool IsStack(ReportLine line, TraceRecord record)
    {
        if (!line.Rest.StartsWith($"size={record.Stack.Length} caller=ARRAY[", StringComparison.Ordinal))
        {
            return false;
        }

        byte[] bytes = [.. line.Rest[(line.Rest.IndexOf('[', StringComparison.Ordinal) + 1)..^1].Split(", ").Select(static part => byte.Parse(part, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))];
        return MemoryMarshal.AsBytes(record.Stack).StartsWith(bytes.AsSpan(0, Math.Min(bytes.Length, record.Stack.Length * 8)));
    }
}
