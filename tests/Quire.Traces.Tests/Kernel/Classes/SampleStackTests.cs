using System.Text;
using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Kernel.Classes;

/// <summary>The stacks that real kernels recorded, each with its class: <c>UPDATE_GOLDEN=1</c> writes them anew, to be read before they are committed.</summary>
public sealed class SampleStackTests
{
    private const int Shown = 7;

    [Fact]
    public void Every_stack_of_the_samples_has_the_class_that_was_read_and_agreed()
    {
        SortedDictionary<string, long> lines = new(StringComparer.Ordinal);
        foreach (string file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Data", "kernel"), "*.dat", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            using TraceInput input = TraceInput.Open(file);
            while (input.TryRead(out TraceRecord record))
            {
                if (record.Format.System != "page_ref" || record.Stack.IsEmpty)
                {
                    continue;
                }

                string line = Line(input, record);
                lines[line] = lines.GetValueOrDefault(line) + 1;
            }
        }

        Assert.True(lines.Count > 150, $"only {lines.Count} stacks");
        string text = string.Join('\n', lines.Keys) + "\n";
        string path = Path.Combine(KernelSamples.Root(), "tests", "Quire.Traces.Tests", "Kernel", "Classes", "SampleStacks.txt");
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(path, text);
        }

        Assert.Equal(File.ReadAllText(path), text);
        long unknown = lines.Where(static line => line.Key.Contains(" unknown ", StringComparison.Ordinal)).Sum(static line => line.Value);
        Assert.True(unknown * 100 < lines.Values.Sum(), $"{unknown} of {lines.Values.Sum()} events are of unknown stacks");
    }

    [Theory]
    [InlineData("s2-vmsplice-pipe", 0xf1dc, "vmsplice", "vmsplice")]
    [InlineData("s9-thp-tail-page-pinned", 0xf400, "vmsplice", "vmsplice")]
    public void The_offender_of_a_sample_is_a_pipe_where_it_took_and_where_it_gave_back(string sample, long pfn, string frame, string label)
    {
        List<string> takes = [];
        List<string> puts = [];
        using TraceInput input = TraceInput.Open(KernelSamples.FileOf(sample, "trace.dat"));
        while (input.TryRead(out TraceRecord record))
        {
            if (record.Format.System == "page_ref" && record.Number("pfn") == pfn)
            {
                string[] frames = Frames(input, record);
                RefMatch match = RefClasses.Match(frames, RoleOf(record), isPin: false);
                if (match.Class.Name == "pipe")
                {
                    (RoleOf(record) == RefRole.Take ? takes : puts).Add(frames[match.Frame]);
                }
            }
        }

        Assert.NotEmpty(takes);
        Assert.All(takes, one => Assert.Contains(frame, one, StringComparison.Ordinal));
        Assert.All(takes, one => Assert.Contains(label, one, StringComparison.Ordinal));
        Assert.All(puts, one => Assert.Equal("page_cache_pipe_buf_release", one));
        Assert.Equal(takes.Count, puts.Count);
    }

    private static string Line(TraceInput input, TraceRecord record)
    {
        string[] frames = Frames(input, record);
        RefRole role = RoleOf(record);
        RefMatch match = RefClasses.Match(frames, role, isPin: false);
        StringBuilder line = new();
        line.Append(role == RefRole.Take ? "take " : "put  ").Append(match.Class.Name.PadRight(17)).Append(' ').Append((match.Rule?.Id ?? match.Detail ?? "-").PadRight(20))
            .Append(' ').Append(match.Frame < 0 ? "-" : frames[match.Frame]).Append(':');
        foreach (string frame in frames.SkipWhile(static frame => frame.StartsWith("trace_event_", StringComparison.Ordinal) || frame.StartsWith("__page_ref_", StringComparison.Ordinal)).Take(Shown))
        {
            line.Append(' ').Append(frame);
        }

        return line.ToString();
    }

    private static string[] Frames(TraceInput input, TraceRecord record)
    {
        string[] frames = new string[record.Stack.Length];
        for (int at = 0; at < frames.Length; at++)
        {
            frames[at] = input.SymbolOf(record.Stack[at]);
        }

        return frames;
    }

    private static RefRole RoleOf(TraceRecord record) => record.Format.Name switch
    {
        "page_ref_freeze" => RefRole.Put,
        "page_ref_set" or "page_ref_unfreeze" => RefRole.Take,
        _ => record.Number("val") < 0 ? RefRole.Put : RefRole.Take,
    };
}
