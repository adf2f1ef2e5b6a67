using Xunit;
using static Quire.Tests.Tracing.StressRun;

namespace Quire.Tests.Tracing;

/// <summary>Many threads against a model. Randomness is seeded; a failure names its seed.</summary>
public sealed class LedgerStressTests : IDisposable
{
    private const ulong Page = (1ul << 28) | 1;
    private static readonly TimeSpan s_length = TimeSpan.FromMilliseconds(700);

    private readonly LedgerStore _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public void Threads_that_release_each_others_tickets_in_parts_end_at_the_model()
    {
        Entry?[] board = new Entry?[3000];
        int seed = RunFor(
            s_length,
            random =>
            {
                Entry? mine = random.Next(3) > 0 ? TakeEntry(random) : null;
                if (Interlocked.Exchange(ref board[random.Next(board.Length)], mine) is { } other)
                {
                    ReleaseEntry(other, random);
                }
            },
            beside: () => _ledger.Verify());

        Dictionary<uint, Entry> model = board.OfType<Entry>().ToDictionary(entry => entry.Ticket);
        List<Holder> holders = _ledger.Snapshot();
        Assert.True(model.Count == holders.Count, $"seed {seed}: {holders.Count} live of {model.Count}");
        foreach (Holder holder in holders)
        {
            Assert.True(
                model.TryGetValue(holder.Ticket, out Entry? entry)
                    && entry.Identity == holder.Identity && entry.References == holder.References,
                $"seed {seed}: {holder}");
        }

        Assert.True(_ledger.Verify());
        int idle = Threads * ((int)LedgerRing.Capacity + (2 * (int)LedgerRecords.Batch));
        Assert.InRange(_ledger.CarvedRecords, model.Count, board.Length + Threads + idle);
    }

    [Fact]
    public void Of_concurrent_releases_of_one_reference_exactly_one_wins_and_the_others_are_told_of_it()
    {
        const int Racers = 3;
        uint[] tickets = [.. Enumerable.Range(0, 20_000).Select(_ => _ledger.Take(Page, 1, 0, HolderKind.Page, "Race.cs", 100, "Take"))];
        int[] wins = new int[tickets.Length];
        Race(Racers, tickets.Length, (me, round) =>
        {
            LedgerRelease release = _ledger.Release(tickets[round], Page, 1, "Race.cs", me, "Release");
            if (release.Outcome == LedgerOutcome.Released)
            {
                Interlocked.Increment(ref wins[round]);
                return;
            }

            // Nothing is taken during the race, so the first release stays known.
            Assert.Equal(LedgerOutcome.Stale, release.Outcome);
            HolderStamp first = Assert.NotNull(release.Conflict!.Released);
            Assert.NotEqual(me, first.Site.Line);
            Assert.Equal($"racer {first.Site.Line}", first.ThreadName);
            Assert.Equal(100, release.Conflict.Taken!.Value.Site.Line);
        });
        Assert.All(wins, won => Assert.Equal(1, won));
        Assert.Empty(_ledger.Snapshot());
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void Concurrent_releases_in_parts_give_out_every_reference_once()
    {
        const int Racers = 3;
        const int References = 4;
        uint[] tickets = [.. Enumerable.Range(0, 10_000)
            .Select(_ => _ledger.Take(Page, References, 0, HolderKind.Page, "Race.cs", 100, "Take"))];
        int[] released = new int[tickets.Length];
        int[] lasts = new int[tickets.Length];
        Race(Racers, tickets.Length, (me, round) =>
        {
            for (int i = 0; i < 2; i++)
            {
                LedgerRelease release = _ledger.Release(tickets[round], Page, 1, "Race.cs", me, "Release");
                if (release.Outcome == LedgerOutcome.Released)
                {
                    Interlocked.Increment(ref released[round]);
                    Interlocked.Add(ref lasts[round], release.Remaining == 0 ? 1 : 0);
                }
            }
        });
        Assert.All(released, count => Assert.Equal(References, count));
        Assert.All(lasts, count => Assert.Equal(1, count));
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void Records_that_pass_through_the_pool_in_batches_are_never_given_to_two()
    {
        uint[]?[] board = new uint[]?[8];
        int seed = RunFor(
            s_length,
            random =>
            {
                uint[] tickets = new uint[random.Next(1, 1200)];
                for (int i = 0; i < tickets.Length; i++)
                {
                    tickets[i] = _ledger.Take(Page, 1, 0, HolderKind.Page, "Batch.cs", 1, "Take");
                }

                foreach (uint ticket in Interlocked.Exchange(ref board[random.Next(board.Length)], tickets) ?? [])
                {
                    Assert.Equal(LedgerOutcome.Released, _ledger.Release(ticket, Page, 1, "Batch.cs", 2, "Release").Outcome);
                }
            },
            beside: () => Thread.Sleep(1));
        uint[] left = [.. board.SelectMany(tickets => tickets ?? [])];
        Assert.True(left.Distinct().Count() == left.Length, $"seed {seed}: a ticket was given out twice");
        Assert.Equal(left.Order(), _ledger.Snapshot().Select(holder => holder.Ticket).Order());
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void Raw_counts_of_many_threads_on_few_pages_end_at_the_model()
    {
        const int Pages = 5;
        uint[] heads = new uint[Pages];
        long[] model = new long[Pages];
        int seed = RunFor(
            s_length,
            random =>
            {
                int page = random.Next(Pages);
                int added = random.Next(1, 5);
                _ledger.TakeRaw(ref heads[page], Identity(page), added, "Raw.cs", 1, "Add");
                int removed = random.Next(0, added + 1);
                Assert.Equal(removed, _ledger.ReleaseRaw(ref heads[page], Identity(page), removed, "Raw.cs", 2, "Sub"));
                Interlocked.Add(ref model[page], added - removed);
                if (random.Next(3) == 0)
                {
                    long left = Interlocked.Exchange(ref model[page], 0);
                    Assert.Equal((int)left, _ledger.ReleaseRaw(ref heads[page], Identity(page), (int)left, "Raw.cs", 3, "SubAll"));
                }
            },
            beside: () => Thread.Sleep(1));
        Assert.Equal(0, _ledger.Unmatched);
        for (int page = 0; page < Pages; page++)
        {
            Assert.True(model[page] == _ledger.ReferencesOf(Identity(page)), $"seed {seed}: page {page}");
            Assert.Equal((int)model[page], _ledger.ForgetRaw(ref heads[page], Identity(page), "Raw.cs", 4, "Free"));
        }

        Assert.Empty(_ledger.Snapshot());
        Assert.True(_ledger.Verify());

        // All of one gate: frames that are 64 apart.
        static ulong Identity(int page) => (3ul << 28) | (uint)(page * 64);
    }

    [Fact]
    public void Counts_that_many_threads_add_to_lose_none()
    {
        uint ticket = _ledger.Take(Page, 0, 0, HolderKind.Bias, "Bias.cs", 1, "Take");
        long sum = 0;
        RunFor(
            TimeSpan.FromMilliseconds(200),
            random =>
            {
                int references = random.Next(1, 4);
                Assert.True(_ledger.AddTo(ticket, references));
                int back = random.Next(0, references + 1);
                Assert.Equal(LedgerOutcome.Released, back == 0 ? LedgerOutcome.Released : Part(back));
                Interlocked.Add(ref sum, references - back);
                _ledger.Touch(ticket, "Bias.cs", 2, "Touch");
            },
            beside: () => Thread.Sleep(1));
        Assert.Equal(sum, _ledger.Find(ticket)?.References ?? 0);

        // One stays behind, so that no part is ever the last.
        LedgerOutcome Part(int back)
        {
            Assert.True(_ledger.AddTo(ticket, 1));
            Interlocked.Increment(ref sum);
            return _ledger.Release(ticket, Page, back, "Bias.cs", 3, "Part").Outcome;
        }
    }

    private Entry? TakeEntry(Random random)
    {
        int references = random.Next(1, 6);
        ulong identity = (ulong)random.NextInt64();
        uint ticket = _ledger.Take(identity, references, 0, (HolderKind)random.Next(8), "Stress.cs", references, "Take");
        Assert.NotEqual(0u, ticket);
        return new Entry(ticket, identity, references);
    }

    private void ReleaseEntry(Entry entry, Random random)
    {
        int left = entry.References;
        while (left > 0)
        {
            int part = random.Next(1, left + 1);
            LedgerRelease release = _ledger.Release(entry.Ticket, entry.Identity, part, "Stress.cs", 100, "Release");
            left -= part;
            Assert.Equal((LedgerOutcome.Released, left), (release.Outcome, release.Remaining));
        }

        if (random.Next(50) == 0)
        {
            Assert.NotEqual(LedgerOutcome.Released, _ledger.Release(entry.Ticket, entry.Identity, 1, "Stress.cs", 101, "Again").Outcome);
        }
    }
}
