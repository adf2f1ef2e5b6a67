using System.Collections.Concurrent;
using Xunit;

namespace Quire.Tests.Tracing.Rings;

/// <summary>Every number has its text before anybody can name it, in every recording that runs.</summary>
public sealed class TextTableTests
{
    [Fact]
    public void A_text_has_one_number_and_a_number_one_text()
    {
        string text = $"arena {Guid.NewGuid()}";
        uint number = TextTable.NumberOf(text);
        Assert.InRange(number, TextTable.First, TextTable.First + TextTable.MaximumTexts);
        Assert.Equal(number, TextTable.NumberOf(new string(text.AsSpan())));
        Assert.NotEqual(number, TextTable.NumberOf(text + "'"));
        Assert.Equal(text, TextTable.TextOf(number));
        Assert.Equal("", TextTable.TextOf(0));
        Assert.Equal("", TextTable.TextOf(uint.MaxValue));
        uint site = CallSiteTable.NumberOf("/folder/Text.cs", 17, text);
        Assert.Equal($"Text.cs:17 {text}", TextTable.TextOf(site));
    }

    [Fact]
    public void A_sink_gets_what_was_known_and_what_comes_until_it_is_detached()
    {
        string name = Guid.NewGuid().ToString();
        uint before = TextTable.NumberOf($"before {name}");
        uint siteBefore = CallSiteTable.NumberOf("Before.cs", 1, name);
        Sink sink = new();
        TextTable.Attach(sink);
        Assert.Equal(($"before {name}", $"Before.cs:1 {name}"), (sink.Texts[before], sink.Texts[siteBefore]));
        uint during = TextTable.NumberOf($"during {name}");
        uint siteDuring = CallSiteTable.NumberOf("During.cs", 2, name);
        TextTable.PublishStack(77, [during, before], isPartial: true);
        Assert.Equal(($"during {name}", $"During.cs:2 {name}"), (sink.Texts[during], sink.Texts[siteDuring]));
        Assert.Equal([during, before, 1u], sink.Stacks[77]);
        TextTable.Detach(sink);
        uint after = TextTable.NumberOf($"after {name}");
        uint siteAfter = CallSiteTable.NumberOf("After.cs", 3, name);
        Assert.False(sink.Texts.ContainsKey(after) || sink.Texts.ContainsKey(siteAfter));
    }

    [Fact]
    public void An_owner_of_numbers_is_asked_by_every_sink_those_too_that_came_before_it()
    {
        Sink early = new();
        Sink late = new();
        bool isOver = false;
        TextTable.Attach(early);
        TextTable.AddReplay(sink =>
        {
            if (!isOver)
            {
                sink.Stack(4711, [1u], isPartial: false);
            }
        });
        TextTable.Attach(late);
        isOver = true;
        TextTable.Detach(early);
        TextTable.Detach(late);
        Assert.Equal([1u, 0u], early.Stacks[4711]);
        Assert.Equal([1u, 0u], late.Stacks[4711]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nobody_finds_a_number_whose_text_is_still_on_its_way(bool isSite)
    {
        string run = Guid.NewGuid().ToString();
        using ManualResetEventSlim underWay = new();
        using ManualResetEventSlim found = new();
        bool tooEarly = false;
        Sink sink = new(text =>
        {
            if (text.Contains(run, StringComparison.Ordinal))
            {
                underWay.Set();
                tooEarly |= found.Wait(200);
            }
        });
        TextTable.Attach(sink);
        Thread other = new(() =>
        {
            underWay.Wait();
            Number();
            found.Set();
        });
        other.Start();
        uint number = Number();
        other.Join();
        TextTable.Detach(sink);
        Assert.False(tooEarly, "Another found the number before its text was in the recording.");
        Assert.Contains(run, sink.Texts[number], StringComparison.Ordinal);

        uint Number() => isSite ? CallSiteTable.NumberOf("Raced.cs", 5, run) : TextTable.NumberOf(run);
    }

    [Fact]
    public void What_is_numbered_while_a_sink_is_shown_what_was_known_reaches_it_too()
    {
        string run = Guid.NewGuid().ToString();
        TextTable.NumberOf($"{run} first");
        CallSiteTable.NumberOf("First.cs", 1, run);
        List<uint> numbers = [];
        int sites = 0;
        int texts = 0;
        Thread me = Thread.CurrentThread;
        Sink sink = new(text =>
        {
            // Only what the attaching thread is shown: others of the process number things too.
            bool isSite = !text.StartsWith(run, StringComparison.Ordinal);
            if (Thread.CurrentThread == me && (isSite ? sites++ : texts++) < 2)
            {
                Thread other = new(() =>
                {
                    numbers.Add(CallSiteTable.NumberOf("Meanwhile.cs", numbers.Count + 1, run));
                    numbers.Add(TextTable.NumberOf($"meanwhile {numbers.Count} {run}"));
                });
                other.Start();
                other.Join();
            }
        });
        TextTable.Attach(sink);
        TextTable.Detach(sink);
        Assert.True(numbers.Count >= 6, $"{numbers.Count}");
        Assert.All(numbers, number => Assert.Contains(run, sink.Texts[number], StringComparison.Ordinal));
    }

    private sealed class Sink(Action<string>? meets = null) : ITextSink
    {
        internal ConcurrentDictionary<uint, string> Texts { get; } = [];

        internal ConcurrentDictionary<uint, uint[]> Stacks { get; } = [];

        public void Text(uint number, string text)
        {
            meets?.Invoke(text);
            Texts[number] = text;
        }

        public void Stack(uint number, ReadOnlySpan<uint> frames, bool isPartial) => Stacks[number] = [.. frames, isPartial ? 1u : 0u];
    }
}
