using System.Text;
using Quire.Tests;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>Texts cut short or changed at random: read, or refused in one line; never a crash, a hang or memory without end.</summary>
public sealed class TextHostileTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("quire-hostile-text-");

    public static TheoryData<string> Dialects => [.. TextCorpora.All.Keys];

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Dialects))]
    public void A_text_cut_anywhere_is_refused_or_read(string dialect)
    {
        byte[] text = TextCorpora.All[dialect];
        Random random = new(7);
        int read = 0;
        for (int round = 0; round < 150; round++)
        {
            int from = round % 3 == 0 ? random.Next(text.Length) : 0;
            read += Try(text[from..random.Next(from, text.Length)], $"{dialect}, seed 7, round {round}") ? 1 : 0;
        }

        Assert.True(read > 100, $"only {read} of the {dialect} texts cut short could be read at all");
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public void A_text_changed_anywhere_is_refused_or_read(string dialect)
    {
        byte[] text = TextCorpora.All[dialect];
        int read = 0;
        for (int seed = 0; seed < 400; seed++)
        {
            read += Try(TextCorpora.Mutate(text, new Random(seed)), $"{dialect}, seed {seed}") ? 1 : 0;
        }

        Assert.True(read > 150, $"only {read} of the {dialect} texts changed could be read at all");
    }

    [Fact]
    public void A_stack_without_end_and_a_line_without_end_are_cut()
    {
        string frames = string.Concat(Enumerable.Range(0, 5000).Select(static at => $" => f{at % 9}\n"));
        TextEvents text = TextEvents.OfText($"  a-1 [000] ..... 1.000000: page_ref_set: pfn=0x1 val=1\n  a-1 [000] ..... 1.000001: <stack trace>\n{frames}{new string('y', 300_000)}\n  a-1 [000] ..... 1.000002: page_ref_set: pfn=0x2 val=1\n");
        Assert.Equal([1024, 0], text.All.Select(static seen => seen.Stack.Length));
        Assert.Equal(1, text["bad_lines"]);
    }

    [Fact]
    public void Forms_of_events_without_end_are_kept_as_text()
    {
        string lines = string.Concat(Enumerable.Range(0, 12_000).Select(static at => $"  a-1 [000] ..... 1.{at:d6}: event{at / 100}: a{at}=1\n"));
        TextEvents text = TextEvents.OfText(lines);
        Assert.Equal(12_000, text.All.Count);
        Assert.InRange(text["events_of_too_many_forms"], 3_000, 12_000);
    }

    [Theory]
    [InlineData("ftrace")]
    [InlineData("ftrace without stacks")]
    [InlineData("pipe")]
    [InlineData("trace-cmd")]
    [InlineData("perf")]
    [InlineData("latency")]
    [InlineData("odd")]
    public void An_event_costs_no_memory_once_the_reader_is_warm(string dialect)
    {
        byte[] once = dialect != "odd" ? TextCorpora.All[dialect] : Encoding.UTF8.GetBytes("""
            guest:              sh-1      [000] .....     1.000001: sched_switch: prev_comm=a b prev_pid=1 prev_state=S ==> next_comm=c next_pid=2
            guest:              sh-1      [000] .....     1.000002: words: nothing but words
                                sh-2      [001] .....     1.000002: page_ref_set: pfn=0x1 mapping=          (null) val=1
                                sh-1      [000] .....     1.000003: tracing_mark_write: hello
                              a b-3       [001] .....     1.000004: schedule <-do_exit

            """);
        string file = Path.Combine(_folder.FullName, "x");
        File.WriteAllBytes(file, [.. Enumerable.Repeat(once, dialect == "odd" ? 2000 : 200).SelectMany(static bytes => bytes)]);
        using TraceInput input = TraceInput.Open(file);
        while (input.TryRead(out _))
        {
        }

        int events = 0;
        long allocated = Garbage.Least(3, () =>
        {
            input.Rewind();
            for (events = 0; input.TryRead(out TraceRecord record); events++)
            {
                _ = record.Number("pfn");
            }
        });

        // Events that wait are used again, and may grow once more; 4 bytes an event are no allocation an event.
        Assert.True(events >= 2000 && allocated < events * 4L, $"{allocated} bytes for {events} events");
    }

    private bool Try(byte[] bytes, string what)
    {
        string file = Path.Combine(_folder.FullName, "x");
        File.WriteAllBytes(file, bytes);
        TimeSpan began = ProcessorTime.Now();
        long before = GC.GetAllocatedBytesForCurrentThread();
        bool isRead = false;
        try
        {
            using TraceInput input = TraceInput.Open(file);
            _ = input.Source.Cpus.Count;
            int events = 0;
            while (input.TryRead(out TraceRecord record))
            {
                Assert.True(++events <= bytes.Length, $"{what}: more events than bytes");
                _ = record.ToString();
                foreach (ulong address in record.Stack)
                {
                    _ = input.SymbolOf(address);
                }
            }

            Assert.True(input.Quality[TraceCounter.FieldOutside] == 0, $"{what}: {input.Quality}");
            isRead = true;
        }
        catch (TraceFormatException exception)
        {
            Assert.False(string.IsNullOrEmpty(exception.What), what);
            Assert.DoesNotContain('\n', exception.Message);
        }
        catch (Exception exception) when (exception is not Xunit.Sdk.IAssertionException)
        {
            Assert.Fail($"{what}: {exception}");
        }

        TimeSpan took = ProcessorTime.Now() - began;
        Assert.True(took < s_limit, $"{what}: took {took}");
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 << 20, $"{what}: {GC.GetAllocatedBytesForCurrentThread() - before} bytes");
        return isRead;
    }
}
