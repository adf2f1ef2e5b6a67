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

    [Fact]
    public void Whoever_finds_a_number_finds_its_text_in_every_sink_attached_before_whoever_made_it()
    {
        string run = Guid.NewGuid().ToString();
        bool isOver = false;
        int at = 0;
        int sinks = 0;
        Exception? failure = null;

        // Several number the same texts and sites at once: all but one find what another is about to publish.
        Thread[] threads = [.. Enumerable.Range(0, 3).Select(me => new Thread(() => failure = Record.Exception(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                Sink sink = new(run);
                if (me == 0)
                {
                    TextTable.Attach(sink);
                    sinks++;
                }

                for (int i = 0; i < 20; i++)
                {
                    int mine = me == 0 ? Interlocked.Increment(ref at) : Volatile.Read(ref at);
                    uint text = TextTable.NumberOf($"{run} {mine}");
                    uint site = CallSiteTable.NumberOf("Raced.cs", mine, run);
                    Assert.True(me != 0 || sink.Texts.ContainsKey(text), $"text {mine} was found before it was published");
                    Assert.True(me != 0 || sink.Texts.ContainsKey(site), $"site {mine} was found before it was published");
                }

                TextTable.Detach(sink);
            }
        }) ?? failure))];
        Array.ForEach(threads, thread => thread.Start());
        Thread.Sleep(700);
        Volatile.Write(ref isOver, true);
        Array.ForEach(threads, thread => thread.Join());
        Assert.True(failure is null, failure?.ToString());
        Assert.True(sinks > 5 && at >= 100, $"{sinks} sinks, {at} texts");
    }

    private sealed class Sink(string run = "?") : ITextSink
    {
        internal ConcurrentDictionary<uint, string> Texts { get; } = [];

        internal ConcurrentDictionary<uint, uint[]> Stacks { get; } = [];

        public void Text(uint number, string text)
        {
            // The window in which another could find the number, if it were there already.
            Thread.SpinWait(text.Contains(run, StringComparison.Ordinal) ? 500 : 0);
            Texts[number] = text;
        }

        public void Stack(uint number, ReadOnlySpan<uint> frames, bool isPartial) => Stacks[number] = [.. frames, isPartial ? 1u : 0u];
    }
}
