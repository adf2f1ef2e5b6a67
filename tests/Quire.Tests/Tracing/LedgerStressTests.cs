using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>Many threads against a model. Randomness is seeded; a failure names its seed.</summary>
public sealed class LedgerStressTests : IDisposable
{
    private const int Threads = 4;
    private const ulong Page = (1ul << 28) | 1;
    private static readonly string[] s_stressNames = [.. Enumerable.Range(0, Threads).Select(me => $"stress {me}")];
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
                model.TryGetValue(holder.Ticket, out Entry? entry) && entry.Identity == holder.Identity && entry.References == holder.References,
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
        uint[] tickets = [.. Enumerable.Range(0, 10_000).Select(_ => _ledger.Take(Page, References, 0, HolderKind.Page, "Race.cs", 100, "Take"))];
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
    public void A_snapshot_beside_takes_touches_and_releases_never_shows_a_mixture()
    {
        // Every field of a record follows from its identity; every field of a stamp from its line. Few records, so that each is reused at once.
        _ledger.MaximumRecords = 8;
        Entry?[] board = new Entry?[4];
        long seen = 0;
        long touched = 0;
        int seed = RunFor(
            s_length,
            random =>
            {
                int me = Number();
                ulong identity = ((ulong)random.Next() << 8) | (uint)me;
                uint ticket = _ledger.Take(
                    identity, References(identity), (uint)(identity >> 3), (HolderKind)(identity >> 8 & 7), "Mix.cs", me + (8 * (int)(identity >> 8 & 63)), "Take");
                Entry? entry = ticket == 0 ? null : new Entry(ticket, identity, References(identity));
                int place = random.Next(board.Length);
                for (int i = 0; i < 5; i++)
                {
                    if (Volatile.Read(ref board[place]) is { } touch)
                    {
                        _ledger.Touch(touch.Ticket, "Touch.cs", me + (8 * random.Next(64)), me == 0 ? "Zero" : "Other");
                    }
                }

                if (Interlocked.Exchange(ref board[place], entry) is { } other)
                {
                    Assert.Equal(
                        LedgerOutcome.Released, _ledger.Release(other.Ticket, other.Identity, other.References, "Mix.cs", 1, "Release").Outcome);
                }
            },
            beside: () =>
            {
                foreach (Holder holder in _ledger.Snapshot())
                {
                    seen++;
                    int taker = (int)(holder.Identity & 7);
                    Assert.Equal(References(holder.Identity), holder.References);
                    Assert.Equal((uint)(holder.Identity >> 3), holder.Bytes);
                    Assert.Equal((HolderKind)(holder.Identity >> 8 & 7), holder.Kind);
                    Assert.Equal(new CallSite("Mix.cs", taker + (8 * (int)(holder.Identity >> 8 & 63)), "Take"), holder.Taken.Site);
                    Assert.Equal($"stress {taker}", holder.Taken.ThreadName);
                    if (holder.Touched is { } stamp)
                    {
                        touched++;
                        int toucher = stamp.Site.Line & 7;
                        Assert.Equal("Touch.cs", stamp.Site.File);
                        Assert.Equal($"stress {toucher}", stamp.ThreadName);
                        Assert.Equal(toucher == 0 ? "Zero" : "Other", stamp.Site.Member);
                    }
                }
            });
        Assert.True(seen > 100 && touched > 100, $"seed {seed}: only {seen} records and {touched} touches were seen");
        Assert.True(_ledger.Verify());

        static int References(ulong identity) => (int)(identity >> 5 & 0xFFFF) + 1;
    }

    [Fact]
    public void A_reader_beside_two_that_touch_one_record_never_mixes_their_stamps()
    {
        // The state looks the same before and after a whole touch: only the count of stamps tells.
        uint ticket = _ledger.Take(Page, 1, 0, HolderKind.Page, "Touch.cs", 99, "Take");
        int[] scopes = [.. Enumerable.Range(0, Threads).Select(_ => Ledger.NewScope())];
        long seen = 0;
        int seed = RunFor(
            s_length,
            random =>
            {
                int me = Number();
                if (me >= 2)
                {
                    Thread.Sleep(1);
                    return;
                }

                Ledger.CurrentScope = scopes[me];
                for (int i = random.Next(1, 50); i > 0; i--)
                {
                    _ledger.Transfer(ticket, "Touch.cs", me, "Transfer");
                }
            },
            beside: () =>
            {
                for (int i = 0; i < 1000; i++)
                {
                    Holder holder = _ledger.Find(ticket)!;
                    if (holder.Touched is { } stamp)
                    {
                        seen++;
                        if (holder.Scope != scopes[stamp.Site.Line] || stamp.ThreadName != s_stressNames[stamp.Site.Line])
                        {
                            Assert.Fail($"{holder} is in scope {holder.Scope} of {string.Join(", ", scopes)}");
                        }
                    }
                }
            });
        Assert.True(seen > 1000, $"seed {seed}: only {seen} touches were seen");
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
    public void What_a_second_release_is_told_never_mixes_two_records()
    {
        _ledger.MaximumRecords = 2;
        Entry? last = null;
        long told = 0;
        long forgotten = 0;
        int seed = RunFor(
            s_length,
            random =>
            {
                if (Number() == 0)
                {
                    int value = random.Next(1 << 20);
                    ulong identity = (ulong)value;
                    uint ticket = _ledger.Take(identity, 1, 0, (HolderKind)(value & 7), "Told.cs", 1 + (value & 255), "Take");
                    Assert.Equal(
                        LedgerOutcome.Released, _ledger.Release(ticket, identity, 1, "Told.cs", 1 + (value & 255), "Release", (value & 1) != 0).Outcome);
                    Volatile.Write(ref last, new Entry(ticket, identity, 1));
                }
                else if (Volatile.Read(ref last) is { } stale)
                {
                    LedgerRelease again = _ledger.Release(stale.Ticket, stale.Identity, 1, "Again.cs", 1, "Again");
                    Assert.NotEqual(LedgerOutcome.Released, again.Outcome);
                    LedgerConflict conflict = again.Conflict!;
                    if (conflict.Taken is not { } taken)
                    {
                        Interlocked.Increment(ref forgotten);
                        return;
                    }

                    // A record of another page with the same sequence is a thousand takes younger, and must be consistent too.
                    Interlocked.Increment(ref told);
                    int line = 1 + (int)(conflict.Identity & 255);
                    Assert.Equal(new CallSite("Told.cs", line, "Take"), taken.Site);
                    Assert.Equal((HolderKind)(conflict.Identity & 7), conflict.Kind);
                    if (conflict.Released is { } first)
                    {
                        Assert.Equal(new CallSite("Told.cs", line, "Release"), first.Site);
                        Assert.Equal((conflict.Identity & 1) != 0, conflict.FreedPage);
                    }
                }
            },
            beside: () => Thread.Sleep(1));
        Assert.True(told > 100 && forgotten > 0, $"seed {seed}: told {told} times, forgotten {forgotten} times");
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

    // The number in the calling thread's name.
    private static int Number() => int.Parse(Thread.CurrentThread.Name!.AsSpan(Thread.CurrentThread.Name!.LastIndexOf(' ') + 1));

    /// <summary>Repeats an action on several threads for a time, and another beside them. Returns the seed.</summary>
    private static int RunFor(TimeSpan length, Action<Random> action, Action beside)
    {
        int seed = Random.Shared.Next();
        Exception? failure = null;
        bool stop = false;
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(me => new Thread(() =>
        {
            Random random = new(seed + me);
            failure = Record.Exception(() =>
            {
                while (!Volatile.Read(ref stop))
                {
                    action(random);
                }
            }) ?? failure;
        })
        { Name = s_stressNames[me] })];
        Array.ForEach(threads, thread => thread.Start());
        Exception? besideFailure = Record.Exception(() =>
        {
            for (long end = Environment.TickCount64 + (long)length.TotalMilliseconds; Environment.TickCount64 < end && failure is null;)
            {
                beside();
            }
        });
        Volatile.Write(ref stop, true);
        Array.ForEach(threads, thread => thread.Join());
        Assert.True((failure ?? besideFailure) is null, $"seed {seed}: {failure ?? besideFailure}");
        return seed;
    }

    /// <summary>Lets racers numbered from 1 do each round at once, or as near to it as the cores allow.</summary>
    private static void Race(int racers, int rounds, Action<int, int> action)
    {
        Exception? failure = null;
        int arrived = 0;
        Thread[] threads = [.. Enumerable.Range(1, racers).Select(me => new Thread(() =>
        {
            for (int round = 0; round < rounds && failure is null; round++)
            {
                Interlocked.Increment(ref arrived);
                SpinWait spin = default;
                while (Volatile.Read(ref arrived) < racers * (round + 1) && Volatile.Read(ref failure) is null)
                {
                    spin.SpinOnce(sleep1Threshold: -1);
                }

                int at = round;
                failure = Record.Exception(() => action(me, at)) ?? failure;
            }
        })
        { Name = $"racer {me}" })];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Null(failure);
    }

    private sealed record Entry(uint Ticket, ulong Identity, int References);
}
