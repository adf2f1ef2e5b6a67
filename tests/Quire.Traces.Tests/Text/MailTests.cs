using System.Text;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>Traces that came by mail.</summary>
public sealed class MailTests
{
    private static readonly string[] s_kernel = Lines("s2-vmsplice-pipe", "trace.txt.gz");
    private static readonly string[] s_report = Lines("s2-vmsplice-pipe", "trace-cmd-report.txt.gz");
    private static readonly string[] s_retries = Lines("s7-busy-retry-then-success", "trace.txt.gz");
    private static readonly string[] s_pipe = Lines("s8-lost-events", "trace_pipe.txt.gz");

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 60)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_trace_quoted_and_wrapped_gives_the_events_it_had(int seed)
    {
        Random random = new(seed);
        string text = Part(random, out _, out _);
        MailMangler mangler = new(seed);
        byte[] mangled = mangler.Mangle(text);
        TextEvents expected = TextEvents.OfText(text);
        TextEvents found = TextEvents.Of(mangled);
        Same(expected.All, found.All, mangler.About);
        Assert.True(found["bad_lines"] == 0, $"{mangler.About}: {found.Quality}");
        foreach (string counter in new[] { TraceCounter.Lost, TraceCounter.StackAlone, TraceCounter.LostUnknown })
        {
            Assert.True(expected[counter] == found[counter], $"{mangler.About}: {counter} is {found[counter]}, was {expected[counter]}");
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Of_a_trace_cut_at_both_ends_what_is_whole_is_read_and_what_is_not_is_counted(int seed)
    {
        Random random = new(seed);
        Part(random, out string[] lines, out int first);

        // The line that is cut first is one of an event, and so is the last: cut where its fields are, or before.
        int begin = Next(lines, first + random.Next(200));
        int last = Next(lines, begin + 300 + random.Next(300));
        string begun = lines[begin];
        string ended = lines[last];
        string whole = string.Join('\n', lines[(begin + 1)..last]) + "\n";
        int dash = begun.IndexOf('-', StringComparison.Ordinal);
        string cutBegin = begun[random.Next(dash + 1, begun.Length - 12)..];

        // A text that is cut at the file's end can't be told from a shorter one; the fields of page_ref can.
        string cutEnd = ended[..random.Next(20, ended.LastIndexOf('=') + 1)];
        TextEvents expected = TextEvents.OfText(whole);
        TextEvents found = TextEvents.OfText($"{cutBegin}\n{whole}{cutEnd}");
        string about = $"seed {seed}: '{cutBegin}' to '{cutEnd}': {found.Quality}";
        Same(expected.All, found.All, about);
        Assert.True(found["bad_lines"] + found["lines_not_of_the_trace"] == 2, about);
        Assert.True(found["bad_lines"] >= 1, about);
    }

    [Fact]
    public void Prose_between_events_is_no_part_of_them()
    {
        TextEvents text = TextEvents.OfText("""
            > sh-49      [001] .....    16.676751: page_ref_set: pfn=0xf344 flags=none count=1
            mapcount=0 mapping=0000000000000000 mt=4 val=1
            This is the allocation, and then

            > sh-49      [001] .....    16.676752: page_ref_mod: pfn=0xf344 flags=none count=2
            > mapcount=0 mapping=0000000000000000 mt=4 val=1
            is where count=2 comes from.
            >> sh-49      [001] .....    16.676753: page_ref_mod:
            >> pfn=0xf344 flags=none count=1 mapcount=0 mapping=0000000000000000 mt=4 val=-1
            > [...]
            >> sh-49      [001] .....
            >> 16.676754: page_ref_mod: pfn=0xf344 flags=none count=0 mapcount=0 mapping=0000000000000000 mt=4 val=-1
            >> sh-49      [001] .....    16.676755: tracing_mark_write: a long text that somebody wrote to the marker
            >> and that was wrapped
            >
            > and this was not
            """);
        Assert.Equal([1L, 1, -1, -1], text.All.Take(4).Select(static seen => (long)seen.Fields["val"]));
        Assert.Equal("a long text that somebody wrote to the marker and that was wrapped", text.All[4].Fields["buf"]);
        Assert.Equal(5, text.All.Count);
        Assert.Equal(0, text["bad_lines"]);
    }

    private static void Same(List<SeenEvent> expected, List<SeenEvent> found, string about)
    {
        for (int at = 0; at < Math.Min(expected.Count, found.Count); at++)
        {
            Assert.True(expected[at].Text == found[at].Text, $"{about}:\n{expected[at].Text}\n{found[at].Text}");
        }

        Assert.True(expected.Count == found.Count, $"{about}: {found.Count} events, not {expected.Count}");
    }

    private static string Part(Random random, out string[] lines, out int first)
    {
        lines = random.Next(4) switch { 0 => s_kernel, 1 => s_report, 2 => s_retries, _ => s_pipe };
        first = Next(lines, random.Next(2) == 0 ? 0 : random.Next(lines.Length / 2));
        int last = Next(lines, first + 200 + random.Next(2000));
        return string.Join('\n', lines[first..last]) + "\n";
    }

    /// <summary>The next line of an event whose text ends in a number.</summary>
    private static int Next(string[] lines, int from)
    {
        while (!lines[from].Contains(": page_ref_", StringComparison.Ordinal))
        {
            from++;
        }

        return from;
    }

    private static string[] Lines(string scenario, string file) => Encoding.UTF8.GetString(KernelSamples.Unpack(scenario, file)).Split('\n');
}
