using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

/// <summary>The texts, word by word: a recording, a question, the expected answer.</summary>
public class ReportTextTests
{
    [Fact]
    public void Blame_says_who_grows_first_and_folds_the_small() => Golden.Check("server.blame.txt", Blame(Scenes.Server()));

    [Fact]
    public void The_reserve_of_a_cache_makes_no_holder_small()
    {
        RecordingBuilder recording = Scenes.Server(withEnd: false);
        recording.AddRing().Write("fragment_refill", Scenes.At(790), 4, ("pfn", 0x50000ul), ("generation", 1ul), ("order", 3), ("references", 1_000_000), ("count", 1_000_000), ("cache", 2), ("owner", "rx"));

        string[] lines = Blame(recording).Split('\n');

        Assert.Contains(lines, static line => line.Contains("reserve of fragment caches", StringComparison.Ordinal) && line.Contains("1,000,0", StringComparison.Ordinal));
        Assert.Contains(lines, static line => line.Contains("Retry.cs:57", StringComparison.Ordinal));
    }

    [Fact]
    public void Stat_of_a_sampled_recording_says_that_its_holders_are_a_sample()
    {
        using TraceInput input = TraceInput.Open(Save(Scenes.Server(sample: 16)));
        StringWriter text = new();
        ReportText.Write(text, TraceAnalysis.Stat(input, null));
        Assert.Matches("holders at end: ([0-9]+) of one reference in 16, so some [0-9,]+ in all\n", text.ToString());
    }

    [Fact]
    public void Blame_with_all_folds_nothing() => Golden.Check("server.blame-all.txt", Blame(Scenes.Server(), new BlameOptions { All = true }));

    [Fact]
    public void Blame_of_a_process_that_was_killed_says_what_the_answer_rests_on() =>
        Golden.Check("killed.blame.txt", Blame(Scenes.Server(withEnd: false, withStacks: false)));

    [Fact]
    public void Blame_of_a_sampled_recording_scales_its_figures_and_says_so() => Golden.Check("sampled.blame.txt", Blame(Scenes.Server(withEnd: false, sample: 16)));

    [Fact]
    public void Blame_names_what_is_held_longer_than_is_allowed() =>
        Golden.Check("server.blame-max-age.txt", Blame(Scenes.Server(), new BlameOptions { MaxAge = TimeSpan.FromMilliseconds(500) }));

    [Fact]
    public void Blame_of_a_failed_allocation_begins_with_who_held_the_page() => Golden.Check("contiguous.blame.txt", Blame(Scenes.Contiguous()));

    [Fact]
    public void Blame_of_a_pin_that_never_ends_says_so() => Golden.Check("pinned.blame.txt", Blame(Scenes.Contiguous(letsGo: false)));

    [Fact]
    public void The_page_of_a_failed_allocation_shows_the_attempt() => Golden.Check("pinned.page.txt", Page(Scenes.Contiguous(letsGo: false), 0xf1dc));

    [Fact]
    public void A_page_shows_its_holders_and_folds_what_balances() => Golden.Check("server.page.txt", Page(Scenes.Server(), 0x17ac8));

    [Fact]
    public void A_tail_is_answered_for_by_its_head() => Golden.Check("server.page-tail.txt", Page(Scenes.Server(withEnd: false), 0x17acb));

    [Fact]
    public void A_free_page_has_nobody() => Golden.Check("server.page-unseen.txt", Page(Scenes.Server(), 0x99999));

    [Fact]
    public void A_history_shows_every_event_of_a_page() => Golden.Check("pinned.history.txt", History(Scenes.Contiguous(), 0xf1dc, stacks: true));

    [Fact]
    public void A_history_tells_generations_apart() => Golden.Check("server.history.txt", History(Scenes.Server(), 0x20003, stacks: false));

    [Fact]
    public void Stat_counts_events_threads_and_pages()
    {
        using TraceInput input = TraceInput.Open(Save(Scenes.Contiguous()));
        StringWriter text = new();
        ReportText.Write(text, TraceAnalysis.Stat(input, null));
        Golden.Check("contiguous.stat.txt", text.ToString());
    }

    private static string Blame(RecordingBuilder recording, BlameOptions? options = null)
    {
        using TraceInput input = TraceInput.Open(Save(recording));
        StringWriter text = new();
        ReportText.Write(text, TraceAnalysis.Blame(input, options ?? new BlameOptions()), options?.All ?? false);
        return Clean(text, input);
    }

    private static string Page(RecordingBuilder recording, ulong pfn)
    {
        using TraceInput input = TraceInput.Open(Save(recording));
        StringWriter text = new();
        ReportText.Write(text, TraceAnalysis.Page(input, pfn, new BlameOptions()), all: false);
        return Clean(text, input);
    }

    private static string History(RecordingBuilder recording, ulong pfn, bool stacks)
    {
        using TraceInput input = TraceInput.Open(Save(recording));
        StringWriter text = new();
        ReportText.Write(text, TraceAnalysis.History(input, pfn, null), stacks);
        return Clean(text, input);
    }

    private static string Save(RecordingBuilder recording) => recording.Save();

    private static string Clean(StringWriter text, TraceInput input) => text.ToString().Replace(input.Source.Path, "run.qring", StringComparison.Ordinal);
}
