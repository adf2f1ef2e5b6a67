using Quire.Traces;
using Quire.Traces.Analysis;
using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>A recording is the whole truth, or says that it is not: replayed, it gives the ledger and the counts as they are.</summary>
[Collection(LedgerCollection.Name)]
public sealed class RecordedRunTests : IDisposable
{
    private const int Threads = 4;
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"quire-{Guid.NewGuid():n}.qring");

    // What dead threads of other tests left with the shared allocator goes now: its timer would put it into a recording, as events of theirs.
    public RecordedRunTests() => PageAllocator.Shared.Trim();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_recorded_run_replayed_gives_exactly_the_ledgers_state_and_every_pages_count(bool stacks) => Trial.Seeded(random =>
    {
        using RecordedWorkload work = new();
        using PageTracingSession session = PageTracing.Start(Options(64 << 20, stacks));
        work.Run(Threads, 4000, random.Next());
        (List<Holder> holders, Dictionary<ulong, int> counts) = Truth(work.Allocator);
        Assert.NotEmpty(counts);
        session.Stop();
        Assert.Equal(0, session.Lost);

        Replay replay = Replay.Of(_path);
        Assert.Equal(Told(holders), replay.Told());
        Assert.All(counts, page => Assert.Equal((page.Key, page.Value), (page.Key, replay.Counts[page.Key])));
        Assert.All(replay.Counts, page => Assert.Equal((page.Key, counts.GetValueOrDefault(page.Key)), (page.Key, page.Value)));
        AssertPerfect(holders.Count);
    });

    [Fact]
    public void What_was_held_before_a_recording_is_in_it() => Trial.Seeded(random =>
    {
        using RecordedWorkload work = new();
        work.Run(Threads, 500, random.Next());
        using (Holders.Track())
        {
            work.Run(Threads, 1000, random.Next());
            using PageTracingSession session = PageTracing.Start(Options(64 << 20, stacks: false));
            work.Run(Threads, 1000, random.Next());
            List<Holder> holders = Truth(work.Allocator).Holders;
            session.Stop();
            Assert.Equal(Told(holders), Replay.Of(_path).Told());
            AssertPerfect(holders.Count);
        }
    });

    [Fact]
    public void A_recording_that_begins_and_ends_while_threads_are_at_work_replays_but_for_what_was_under_way() => Trial.Seeded(random =>
    {
        using RecordedWorkload work = new();
        work.Run(Threads, 500, random.Next());
        int seed = random.Next();

        // The rings have room for 699,008 events each; the sleep below may last longer than it says.
        Thread busy = new(() => work.Run(Threads, 60_000, seed, most: 500_000)) { IsBackground = true };
        busy.Start();
        try
        {
            for (int round = 0; round < 4 && busy.IsAlive; round++)
            {
                using PageTracingSession session = PageTracing.Start(Options(64 << 20, stacks: false));
                Thread.Sleep(random.Next(5, 60));
                session.Stop();
                Assert.Equal(0, session.Lost);

                // What each thread was in the midst of when the flags changed had passed them before, or came to them after. It may have been in the
                // midst of one operation when the recording began (changed without an event, or in the first snapshot and an event too), and of
                // another when it ended (changed, and its event not yet written): two of a kind for each thread.
                AssertPerfect(0, underWay: 2 * Threads);
                File.Delete(_path);
            }
        }
        finally
        {
            busy.Join();
        }
    });

    [Fact]
    public void With_events_lost_the_answer_is_the_last_snapshot_and_the_difference_is_flagged() => Trial.Seeded(random =>
    {
        using RecordedWorkload work = new();
        using PageTracingSession session = PageTracing.Start(Options(16 << 10, stacks: false));
        work.Run(Threads, 2000, random.Next());
        List<Holder> holders = Truth(work.Allocator).Holders;
        string killed = _path + ".killed";
        File.Copy(_path, killed);
        session.Stop();
        Assert.NotEqual(0, session.Lost);

        using TraceInput input = TraceInput.Open(_path);
        BlameReport blame = TraceAnalysis.Blame(input, new BlameOptions { All = true });
        Assert.Equal(session.Lost, blame.DataQuality["lost_events"]);
        Assert.Equal(holders.Sum(static holder => (long)holder.References), blame.HeldAtEnd.Sum(static row => row.References));
        Assert.NotEqual(0, blame.DataQuality["replay_missing"] + blame.DataQuality["replay_extra"] + blame.DataQuality["replay_differs"]);

        // The same without its end: there is nothing to compare with, and the answer says what it lacks.
        using TraceInput broken = TraceInput.Open(killed);
        BlameReport guess = TraceAnalysis.Blame(broken, new BlameOptions { All = true });
        Assert.NotEqual(0, guess.DataQuality["lost_events"]);
        Assert.Contains(guess.Notes, static note => note.Contains("events are missing", StringComparison.Ordinal));
        File.Delete(killed);
    });

    [Fact]
    public void A_sampled_recording_has_one_reference_in_so_many_and_its_figures_are_multiplied() => Trial.Seeded(random =>
    {
        const int Every = 8;
        const int Taken = 40_000;
        using PageAllocator allocator = Trial.Allocator(limit: 256 * Trial.MiB);
        using PageFragmentCache cache = new(allocator);
        using PageTracingSession session = PageTracing.Start(Options(64 << 20, stacks: false) with { SampleEvery = Every });
        PageFragment[] fragments = [.. Enumerable.Range(0, Taken).Select(_ => cache.Allocate(random.Next(1, 64)))];
        HolderTable table = Holders.Table();
        session.Stop();

        // One in eight, by a random walk of its own: six standard deviations.
        Assert.InRange(table.References, Taken * 0.9, Taken * 1.1);
        Assert.Contains("one reference in 8 was recorded", table.ToString(), StringComparison.Ordinal);
        using TraceInput input = TraceInput.Open(_path);
        BlameReport blame = TraceAnalysis.Blame(input, new BlameOptions { All = true });
        Assert.Contains(blame.Notes, static note => note.Contains("one reference in 8", StringComparison.Ordinal));
        PageFragment.Free(fragments);
        Assert.DoesNotContain(Holders.All(), holder => holder.Current.Site.File.EndsWith("RecordedRunTests.cs", StringComparison.Ordinal));
    });

    [Fact]
    public void While_stacks_are_recorded_holders_show_them_innermost_first_under_their_row()
    {
        Assert.SkipUnless(StackCapture.IsAvailable, StackCapture.WhyNot);
        using PageAllocator allocator = Trial.Allocator();
        using PageTracingSession session = PageTracing.Start(Options(1 << 20, stacks: true));
        Page page = allocator.Allocate();
        Holder holder = Holders.Of(page).Entries.Single();
        Assert.Contains(nameof(While_stacks_are_recorded_holders_show_them_innermost_first_under_their_row), holder.Taken.Stack!.Frames[0], StringComparison.Ordinal);
        string[] lines = new HolderTable([holder]).ToString().Split('\n');
        Assert.Contains("RecordedRunTests.cs:", lines[2], StringComparison.Ordinal);
        Assert.Equal($"    => {holder.Taken.Stack.Frames[0]}", lines[3]);
        page.Put();
    }

    public void Dispose() => File.Delete(_path);

    private PageTracingOptions Options(long ringBytes, bool stacks) => new() { Path = _path, RingBytes = ringBytes, MaximumBytes = 16 * ringBytes + (64 << 20), Stacks = stacks };

    private void AssertPerfect(int holders, int underWay = 0)
    {
        using TraceInput input = TraceInput.Open(_path);
        StatReport stat = TraceAnalysis.Stat(input, null);
        Assert.True(stat.Events.GetValueOrDefault("holder_take") >= Math.Min(1, holders));
        string[] flaws = [.. stat.DataQuality.Where(counter => counter.Value > underWay && counter.Key is not ("pages_seen_mid_life" or "holder_events_unmatched")).Select(static counter => $"{counter.Key} {counter.Value}")];
        Assert.True(flaws.Length == 0, string.Join(", ", flaws));
    }

    /// <summary>The ledger, and the count of every page that it names or that is in use.</summary>
    private static unsafe (List<Holder> Holders, Dictionary<ulong, int> Counts) Truth(PageAllocator allocator)
    {
        List<Holder> holders = [.. Holders.All().Where(static holder => holder.Kind != HolderKind.Bias)];
        Dictionary<ulong, int> counts = [];
        foreach ((uint first, uint frames) in allocator.Sections.All())
        {
            for (uint frame = first; frame < first + frames; frame++)
            {
                PageDescriptor* page = PageMap.Descriptor(frame);
                if (page->State == PageState.InUse)
                {
                    counts.Add(page->Identity, PageRef.Count(page));
                }
            }
        }

        return (holders, counts);
    }

    private static SortedSet<string> Told(IEnumerable<Holder> holders) =>
        [.. holders.Select(static holder => Replay.Tell(holder.Identity, holder.Ticket, holder.References, holder.Bytes, (int)holder.Kind, holder.Taken.Site.ToString()))];

    /// <summary>The simplest replay there is, which knows nothing of the analysis: tickets by their events, counts as sums.</summary>
    private sealed class Replay
    {
        private readonly Dictionary<uint, (ulong Identity, long References, long Bytes, int Kind, string Site)> _holders = [];

        internal Dictionary<ulong, int> Counts { get; } = [];

        internal static Replay Of(string path)
        {
            using TraceInput input = TraceInput.Open(path);
            Replay replay = new();
            while (input.TryRead(out TraceRecord record))
            {
                if (record.Snapshot != Quire.Traces.TraceSnapshot.End)
                {
                    replay.Apply(record);
                }
            }

            foreach (ulong gone in replay.Counts.Where(static page => page.Value == 0).Select(static page => page.Key).ToArray())
            {
                replay.Counts.Remove(gone);
            }

            return replay;
        }

        internal static string Tell(ulong identity, uint ticket, long references, long bytes, int kind, string site) => $"0x{identity:x} ticket {ticket:x} references {references} bytes {bytes} kind {kind} {site}";

        internal SortedSet<string> Told() => [.. _holders.Select(static holder => Tell(holder.Value.Identity, holder.Key, holder.Value.References, holder.Value.Bytes, holder.Value.Kind, holder.Value.Site))];

        private void Apply(in TraceRecord record)
        {
            ulong identity = (ulong)record.Number("pfn") | ((ulong)record.Number("generation") << 28);
            uint ticket = (uint)record.Number("ticket");
            int val = (int)record.Number("val");
            switch (record.Format.Name)
            {
                case "holder_take" or "holder_state":
                    _holders[ticket] = (identity, record.Number("references"), record.Number("bytes"), (int)record.Number("kind"), record.Text(record.Format.Find("site")!));
                    break;
                case "holder_release":
                    (ulong of, long references, long bytes, int kind, string site) = _holders[ticket];
                    Assert.Equal(of, identity);
                    _holders[ticket] = (of, references - record.Number("references"), bytes, kind, site);
                    if (_holders[ticket].References == 0)
                    {
                        _holders.Remove(ticket);
                    }

                    break;
                case "holder_move":
                    _holders[ticket] = _holders[ticket] with { Identity = identity };
                    break;
                case "page_ref_set" or "page_ref_mod" or "page_ref_mod_and_test" or "page_ref_mod_and_return" or "page_ref_unfreeze":
                    Add(identity, val);
                    break;
                case "page_ref_mod_unless" when record.Number("ret") == 1:
                    Add(identity, val);
                    break;
                case "page_ref_freeze" when record.Number("ret") == 1:
                    Add(identity, -val);
                    break;
                default:
                    break;
            }
        }

        private void Add(ulong identity, int references) => Counts[identity] = Counts.GetValueOrDefault(identity) + references;
    }
}
