using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Traces.Tests.Analysis;

/// <summary>Blame against a model that knows the truth. A seed that fails is in the message.</summary>
public class ReplayTests
{
    private const int Ample = 1 << 14;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 25)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_replay_of_all_events_has_every_holder_and_every_count_of_the_truth(int seed)
    {
        ModelRun run = new(seed);
        run.Go(4_000);

        using TraceInput input = TraceInput.Open(run.Save(Ample));
        TracePass pass = Pass(input);

        Assert.False(pass.HasEndSnapshot);
        Holds(seed, run, pass);
        Assert.True(pass.Quality["count_mismatches"] == 0, $"seed {seed}: {pass.Quality}");
        Counts(seed, run, pass);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_snapshot_of_the_end_confirms_a_whole_replay_without_one_difference(int seed)
    {
        ModelRun run = new(seed);
        run.Go(4_000);
        run.Snapshot(2);

        using TraceInput input = TraceInput.Open(run.Save(Ample));
        TracePass pass = Pass(input);

        Assert.True(pass.HasEndSnapshot);
        Assert.Equal("", Differences(pass));
        Assert.Equal(0, pass.Quality["page_counts_differ"] + pass.Quality["count_mismatches"]);
        Holds(seed, run, pass);
        Counts(seed, run, pass);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_recording_begun_in_the_midst_has_what_was_held_before_by_its_snapshot_of_the_start(int seed)
    {
        ModelRun before = new(seed);
        before.Go(1_000);
        ModelRun run = before.Continue();
        run.Snapshot(1);
        run.Go(3_000);

        using TraceInput input = TraceInput.Open(run.Save(Ample));
        TracePass pass = Pass(input);

        Holds(seed, run, pass);
        Counts(seed, run, pass);
        Assert.True(pass.Quality["count_mismatches"] == 0, $"seed {seed}: {pass.Quality}");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void With_events_lost_the_snapshot_is_the_answer_and_every_difference_is_counted(int seed)
    {
        ModelRun run = new(seed);
        run.Go(4_000);
        run.Snapshot(2);

        using TraceInput input = TraceInput.Open(run.Save(Ample, ofFirst: 20));
        TracePass pass = Pass(input);

        Assert.True(input.Quality[TraceCounter.Lost] > 0);
        Assert.True(pass.MayLackEvents);
        Holds(seed, run, pass);
        Counts(seed, run, pass);

        // What the events alone would have said, and how far that is from the truth.
        ModelRun blind = new(seed);
        blind.Go(4_000);
        using TraceInput events = TraceInput.Open(blind.Save(Ample, ofFirst: 20));
        HashSet<uint> replayed = [.. Pass(events).Replay.All().Select(static holding => holding.Ticket)];
        long missing = run.Holders.Keys.Count(ticket => !replayed.Contains(ticket));
        long extra = replayed.Count(ticket => !run.Holders.ContainsKey(ticket));
        Assert.True(missing > 0, $"seed {seed}: nothing was lost that matters, so nothing is tested");
        Assert.True(pass.Quality["replay_missing"] + pass.Quality["replay_differs"] >= missing, $"seed {seed}: {missing} missing, {pass.Quality}");
        Assert.True(pass.Quality["replay_extra"] + pass.Quality["holders_of_freed_pages"] >= extra, $"seed {seed}: {extra} extra, {pass.Quality}");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void With_events_lost_and_no_snapshot_the_answer_says_that_it_is_not_sure(int seed)
    {
        ModelRun run = new(seed);
        run.Recording.IsStopped = false;
        run.Go(4_000);

        using TraceInput input = TraceInput.Open(run.Save(Ample, ofFirst: 20));
        BlameReport report = TraceAnalysis.Blame(input, new BlameOptions { All = true });

        Assert.Contains(report.Notes, static note => note.Contains("events are missing", StringComparison.Ordinal));
        Assert.True(report.DataQuality[TraceCounter.Lost] > 0);
        Assert.All(report.HeldAtEnd.SelectMany(static row => row.Holders!), static holder => Assert.True(holder.Confidence < 1));
        StringWriter text = new();
        ReportText.Write(text, report, all: false);
        Assert.Contains("held when the recording broke off", text.ToString() + report.Verdict, StringComparison.Ordinal);
        Assert.Matches(@"data quality: [\d,]+ lost events", text.ToString());
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_failed_attempt_names_those_who_held_its_page_then_and_when_each_let_go(int seed)
    {
        ModelRun run = new(seed);
        run.Go(4_000);

        using TraceInput input = TraceInput.Open(run.Save(Ample));
        AttemptReport[] failed = [.. TraceAnalysis.Blame(input, new BlameOptions()).Attempts.Where(static attempt => attempt.Result == "busy")];

        Assert.Equal(run.Failures.Count, failed.Length);
        Assert.NotEmpty(failed);
        Dictionary<uint, string> seen = [];
        for (int failure = 0; failure < failed.Length; failure++)
        {
            (ulong pfn, uint[] tickets, ulong time) = run.Failures[failure];
            BusyPageReport page = Assert.Single(failed[failure].BusyPages);
            Assert.Equal((pfn, (long?)time), (page.Pfn, failed[failure].EndNs));
            Assert.Equal(tickets.Length, page.Holders.Count);
            Assert.Equal(0, page.Unattributed);
            long?[] expected = [.. tickets.Select(ticket => run.LetGo.TryGetValue((failure, ticket), out ulong when) ? (long?)when : null).Order()];
            Assert.Equal(expected, page.Holders.Select(static holder => holder.ReleasedNs).Order());
            Assert.Equal(expected.Contains(null) ? null : expected[^1], failed[failure].ClearNs);
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void The_rows_of_blame_add_up_to_the_counts_of_all_live_pages(int seed)
    {
        ModelRun run = new(seed);
        run.Go(4_000);
        run.Snapshot(2);

        using TraceInput input = TraceInput.Open(run.Save(Ample));
        BlameReport report = TraceAnalysis.Blame(input, new BlameOptions { All = true });

        Assert.Equal(run.Pages.Values.Sum(static page => (long)page.Count), report.Totals.References);
        Assert.Equal(0, report.Totals.UnattributedReferences);
        Assert.Equal(run.Pages.Count, report.Totals.Pages);
        Assert.Equal(run.Pages.Values.Sum(static page => 4096L << page.Order), report.Totals.Bytes);
        var expected = run.Holders.Values
            .GroupBy(static holder => (Site: holder.Touched ?? holder.Site, holder.Kind))
            .Select(static group => (group.Key.Site, Class: Kind(group.Key.Kind), References: group.Sum(static holder => (long)holder.References),
                Pages: group.Select(static holder => holder.Page.Pfn).Distinct().Count(), Used: group.Sum(static holder => (long)holder.Bytes)))
            .Order();
        Assert.Equal(expected, report.HeldAtEnd.Select(static row => (row.Site, row.Class, row.References, row.Pages, row.UsedBytes)).Order());
        Assert.All(report.HeldAtEnd, static row => Assert.Equal(row.References, row.Taken - row.Released));
        Assert.All(report.HeldAtEnd, static row => Assert.Equal(row.References, row.Trend[^1]));
        Assert.All(report.HeldAtEnd, static row => Assert.Equal(row.References, row.Holders!.Sum(static holder => (long)holder.References)));
    }

    private static TracePass Pass(TraceInput input)
    {
        TracePass pass = new(input);
        pass.Run(null);
        return pass;
    }

    private static string Kind(int kind) => kind switch { 0 => "page", 1 => "fragment", 2 => "pin", 3 => "long_term_pin", 5 => "movable", _ => "?" };

    private static string Differences(TracePass pass) =>
        string.Join(", ", pass.Quality.Counters.Where(static counter => counter.Value != 0 && counter.Name.StartsWith("replay_", StringComparison.Ordinal)));

    private static void Holds(int seed, ModelRun run, TracePass pass)
    {
        Dictionary<uint, Holding> replayed = pass.Replay.All().ToDictionary(static holding => holding.Ticket);
        Assert.True(
            replayed.Keys.Order().SequenceEqual(run.Holders.Keys.Order()),
            $"seed {seed}: {replayed.Count} holders, {run.Holders.Count} in truth; {pass.Quality}");
        foreach (ModelHolder truth in run.Holders.Values)
        {
            Holding holding = replayed[truth.Ticket];
            Assert.True(
                (holding.Page.Pfn, holding.Page.Generation, holding.References, holding.Kind, holding.Bytes)
                    == (truth.Page.Pfn, truth.Page.Generation, truth.References, truth.Kind, (long)truth.Bytes),
                $"seed {seed}, ticket 0x{truth.Ticket:x}: {holding.References} references to 0x{holding.Page.Pfn:x}, {truth.References} to 0x{truth.Page.Pfn:x} in truth");
            Assert.Equal(truth.Site, pass.Origins.SiteOf(holding.TakenOrigin));
            Assert.Equal(truth.Touched ?? truth.Site, pass.Origins.SiteOf(holding.Origin));
            Assert.Equal(truth.Pid, holding.TakenPid);
        }
    }

    private static void Counts(int seed, ModelRun run, TracePass pass)
    {
        Dictionary<ulong, int> live = pass.Lives.Live.Where(static page => page.Value.Count.Current != 0 || page.Value.Count.IsBegun).ToDictionary(static page => page.Key.Pfn, static page => page.Value.Count.Current);
        Assert.True(
            live.OrderBy(static page => page.Key).SequenceEqual(run.Pages.Values.ToDictionary(static page => page.Pfn, static page => page.Count).OrderBy(static page => page.Key)),
            $"seed {seed}: {live.Count} live pages, {run.Pages.Count} in truth; {string.Join(", ", live.Where(page => run.Pages.GetValueOrDefault(page.Key)?.Count != page.Value).Select(page => $"0x{page.Key:x} {page.Value} for {run.Pages.GetValueOrDefault(page.Key)?.Count}"))}; {pass.Quality}");
    }
}
