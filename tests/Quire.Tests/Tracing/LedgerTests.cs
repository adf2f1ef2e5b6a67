using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>What one thread sees of the ledger: tickets, releases and their refusals, counts, stamps, queries.</summary>
public sealed class LedgerTests : IDisposable
{
    private const ulong PageA = (7ul << 28) | 0x17ac9;
    private const ulong PageB = (8ul << 28) | 0x17ac9;

    private readonly LedgerStore _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public unsafe void A_record_is_one_cache_line()
    {
        Assert.Equal(64, sizeof(LedgerRecord));
        Assert.Equal(64, LedgerRecord.Size);
        Assert.Equal(0, sizeof(LedgerRing) % 64);
        Assert.True(sizeof(LedgerRing) >= 16 + ((int)LedgerRing.Capacity * sizeof(uint)));
        Assert.True(Unsafe.SizeOf<LedgerRelease>() <= 16, "a release's answer fits two registers");
    }

    [Fact]
    public void A_live_record_shows_who_took_what_where_and_when()
    {
        uint ticket = _ledger.Take(PageA, 3, 1460, HolderKind.Fragment, "/src/Parser.cs", 141, "KeepHeader");
        Thread.Sleep(30);

        Holder holder = Assert.Single(_ledger.Snapshot());
        Assert.NotEqual(0u, ticket);
        Assert.Equal(ticket, holder.Ticket);
        Assert.Equal(PageA, holder.Identity);
        Assert.Equal(0x17ac9u, holder.FrameNumber);
        Assert.Equal(7, holder.Generation);
        Assert.Equal(3, holder.References);
        Assert.Equal(1460, holder.Bytes);
        Assert.Equal(HolderKind.Fragment, holder.Kind);
        Assert.Equal(new CallSite("/src/Parser.cs", 141, "KeepHeader"), holder.Taken.Site);
        Assert.Equal(Environment.CurrentManagedThreadId, holder.Taken.ThreadId);
        Assert.Equal(Thread.CurrentThread.Name, holder.Taken.ThreadName);
        Assert.InRange(holder.Taken.Age.TotalMilliseconds, 10, 10_000);
        Assert.Null(holder.Touched);
        Assert.Equal(holder, Assert.Single(_ledger.Of(PageA)) with { Taken = holder.Taken });
        Assert.Empty(_ledger.Of(PageB));
        Assert.Equal(3, _ledger.ReferencesOf(PageA));
        Assert.Equal(0, _ledger.ReferencesOf(PageB));
    }

    [Fact]
    public void A_released_record_is_gone_from_every_query()
    {
        uint ticket = Take(PageA);
        Assert.Equal(LedgerOutcome.Released, Release(ticket, PageA).Outcome);
        Assert.Empty(_ledger.Snapshot());
        Assert.Empty(_ledger.Of(PageA));
        Assert.Equal(0, _ledger.ReferencesOf(PageA));
        Assert.Null(_ledger.Find(ticket));
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void A_counted_record_is_released_in_parts_and_never_below_zero()
    {
        uint ticket = Take(PageA, 5);
        Assert.Equal((LedgerOutcome.Released, 3), Answer(Release(ticket, PageA, 2)));
        Assert.Equal((LedgerOutcome.TooMany, 3), Answer(Release(ticket, PageA, 4)));
        Assert.Equal(3, _ledger.Find(ticket)!.References);
        Assert.Equal((LedgerOutcome.Released, 0), Answer(Release(ticket, PageA, 3)));
        Assert.Equal(LedgerOutcome.Stale, Release(ticket, PageA).Outcome);
    }

    [Fact]
    public void Drop_releases_whatever_the_record_holds()
    {
        uint ticket = Take(PageA, 5);
        Assert.Equal((LedgerOutcome.Released, 0), Answer(_ledger.Drop(ticket, PageA, "A.cs", 1, "M")));
        Assert.Equal(LedgerOutcome.Stale, _ledger.Drop(ticket, PageA, "A.cs", 1, "M").Outcome);
    }

    [Fact]
    public void A_count_can_be_added_to_overwritten_and_be_zero_while_live()
    {
        uint ticket = Take(PageA, 0);
        Assert.Equal(0, _ledger.Find(ticket)!.References);
        Assert.True(_ledger.AddTo(ticket, 64));
        Assert.True(_ledger.AddTo(ticket, -4));
        Assert.Equal(60, _ledger.Find(ticket)!.References);
        Assert.True(_ledger.SetReferences(ticket, 0));
        Assert.Equal(0, _ledger.Find(ticket)!.References);
        Assert.True(_ledger.SetReferences(ticket, int.MaxValue));
        Assert.Equal(int.MaxValue, _ledger.Find(ticket)!.References);
        Assert.Throws<OverflowException>(() => _ledger.AddTo(ticket, 1));
        Assert.Throws<OverflowException>(() => _ledger.AddTo(ticket, int.MinValue));
        Assert.Equal(int.MaxValue, _ledger.Find(ticket)!.References);
        Assert.Equal(LedgerOutcome.Released, Release(ticket, PageA, int.MaxValue).Outcome);
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void Negative_counts_are_refused_and_leave_nothing_behind()
    {
        uint ticket = Take(PageA, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => Take(PageA, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Release(ticket, PageA, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => Release(ticket, PageA, int.MinValue + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ledger.SetReferences(ticket, -1));
        Assert.Equal(2, _ledger.Find(ticket)!.References);
        Assert.Single(_ledger.Snapshot());
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void A_touch_restamps_and_keeps_who_took_it()
    {
        uint ticket = _ledger.Take(PageA, 1, 23, HolderKind.Fragment, "Parser.cs", 141, "KeepHeader");
        Assert.True(_ledger.Touch(ticket, "Retry.cs", 57, "Enqueue"));
        Assert.True(_ledger.Touch(ticket, "Retry.cs", 60, "Flush"));

        Holder holder = _ledger.Find(ticket)!;
        Assert.Equal(new CallSite("Parser.cs", 141, "KeepHeader"), holder.Taken.Site);
        Assert.Equal(new CallSite("Retry.cs", 60, "Flush"), holder.Touched!.Value.Site);
        Assert.Equal(holder.Touched, holder.Current);

        Release(ticket, PageA);
        Assert.False(_ledger.Touch(ticket, "Retry.cs", 57, "Enqueue"));
        Assert.Equal(new CallSite("Parser.cs", 141, "KeepHeader"), Release(ticket, PageA).Conflict!.Taken!.Value.Site);
    }

    [Fact]
    public void The_stamps_of_a_record_do_not_outlive_it()
    {
        _ledger.MaximumRecords = 1;
        uint ticket = Take(PageA);
        _ledger.Touch(ticket, "Retry.cs", 57, "Enqueue");
        Release(ticket, PageA);
        Assert.Null(_ledger.Find(Take(PageA))!.Touched);
    }

    [Fact]
    public unsafe void A_reader_notices_whatever_happened_to_the_record_between_its_loads()
    {
        _ledger.MaximumRecords = 1;
        uint ticket = Take(PageA, 2);
        LedgerRecord* record = _ledger.Records.At(LedgerState.Index(ticket));
        LedgerRecord copy = LedgerRecord.Copy(record, record->State);
        Assert.True(LedgerRecord.IsUnchanged(record, copy));

        // A whole touch leaves the state as it was.
        _ledger.Touch(ticket, "A.cs", 1, "M");
        Assert.Equal(copy.State, record->State);
        Assert.False(LedgerRecord.IsUnchanged(record, copy));

        copy = LedgerRecord.Copy(record, record->State);
        Release(ticket, PageA, 1);
        Assert.False(LedgerRecord.IsUnchanged(record, copy));

        // Released and taken again for the same: the incarnation differs.
        copy = LedgerRecord.Copy(record, record->State);
        Release(ticket, PageA, 1);
        LedgerRecord dead = LedgerRecord.Copy(record, record->State);
        Take(PageA, 1);
        Assert.False(LedgerRecord.IsUnchanged(record, copy));
        Assert.False(LedgerRecord.IsUnchanged(record, dead));
    }

    [Fact]
    public void The_incarnation_wraps_past_zero()
    {
        ulong last = LedgerState.Make(LedgerState.Free, (1u << 30) - 1, 0);
        Assert.Equal(1u, LedgerState.NextIncarnation(last));
        ulong state = LedgerState.Make(LedgerState.Live, (1u << 30) - 1, int.MaxValue);
        Assert.Equal(int.MaxValue, LedgerState.References(state));
        Assert.Equal((1u << 30) - 1, LedgerState.Incarnation(state));
        Assert.Equal(LedgerState.Live, LedgerState.Phase(state));
        Assert.True(LedgerState.IsLive(state, LedgerState.Ticket(5, (1u << 30) - 1)));
        Assert.Equal(3, LedgerState.References(LedgerState.WithReferences(state, 3)));
        Assert.Equal(LedgerState.Incarnation(state), LedgerState.Incarnation(LedgerState.WithReferences(state, 3)));
    }

    [Fact]
    public void A_full_ledger_gives_ticket_zero_counts_it_and_recovers()
    {
        _ledger.MaximumRecords = 300;
        List<uint> tickets = [.. Enumerable.Range(0, 300).Select(_ => Take(PageA))];
        Assert.DoesNotContain(0u, tickets);
        Assert.Equal(300, tickets.Distinct().Count());
        Assert.Equal(0, _ledger.Untracked);
        Assert.Equal(0u, Take(PageA));
        Assert.Equal(0u, Take(PageA));
        Assert.Equal(2, _ledger.Untracked);
        Assert.Equal(300, _ledger.CarvedRecords);

        Release(tickets[7], PageA);
        Assert.NotEqual(0u, Take(PageA));
        Assert.Equal(0u, Take(PageA));
        Assert.Equal(3, _ledger.Untracked);
        Assert.True(_ledger.Verify());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData((1 << 22) + 1)]
    public void A_maximum_out_of_range_is_refused(int maximum) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _ledger.MaximumRecords = maximum);

    [Fact]
    public void Every_index_of_a_grown_ledger_is_its_own_record()
    {
        const int Count = 40_000;   // more than two chunks
        uint[] tickets = [.. Enumerable.Range(0, Count).Select(i => Take(PageA + (ulong)i, i))];
        Assert.Equal(Count, tickets.Distinct().Count());
        Assert.Equal(Count, _ledger.Snapshot().Count);
        Assert.True(_ledger.Verify());
        for (int i = 0; i < Count; i++)
        {
            Assert.Equal(i, _ledger.Find(tickets[i])!.References);
            Assert.Equal(LedgerOutcome.Released, Release(tickets[i], PageA + (ulong)i, i).Outcome);
        }

        int carved = _ledger.CarvedRecords;
        tickets = [.. Enumerable.Range(0, Count).Select(i => Take(PageA + (ulong)i, i))];
        Assert.Equal(carved, _ledger.CarvedRecords);
        Assert.Equal(Count, tickets.Distinct().Count());
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public unsafe void What_stays_wrong_is_told_and_a_thread_that_only_stands_still_for_a_while_is_not()
    {
        uint ticket = Take(PageA);
        nint record = (nint)_ledger.Records.At(LedgerState.Index(ticket));
        ulong state = ((LedgerRecord*)record)->State;
        ulong midway = LedgerState.InPhase(state, LedgerState.Taking);
        bool isTold = true;
        for (int attempt = 0; attempt < 5 && isTold; attempt++)
        {
            Volatile.Write(ref ((LedgerRecord*)record)->State, midway);
            Thread thread = new(() =>
            {
                Thread.Sleep(300);
                Volatile.Write(ref ((LedgerRecord*)record)->State, state);
            });
            thread.Start();

            // Told where the thread found no core for seconds.
            isTold = Record.Exception(() => Assert.True(_ledger.Verify())) is not null;
            thread.Join();
        }

        Assert.False(isTold, "five times a thread that stood still for a while was taken for damage");
        Volatile.Write(ref ((LedgerRecord*)record)->State, midway);
        Assert.Contains("is nowhere", Assert.Throws<InvalidOperationException>(() => _ledger.Verify()).Message, StringComparison.Ordinal);
        Volatile.Write(ref ((LedgerRecord*)record)->State, state);
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void Nothing_is_allocated_on_the_heap_by_what_hot_paths_call()
    {
        uint head = 0;
        uint[] tickets = new uint[2000];
        Work();
        Assert.Equal(0, Garbage.Least(5, Work));

        // More than a ring holds at once, so that refills and spills are in it.
        void Work()
        {
            for (int i = 0; i < tickets.Length; i++)
            {
                tickets[i] = _ledger.Take(PageA, 2, 9, HolderKind.Fragment, "A.cs", i % 100, "M");
            }

            foreach (uint ticket in tickets)
            {
                _ledger.Touch(ticket, "A.cs", 200, "M");
                _ledger.AddTo(ticket, 1);
                _ledger.Release(ticket, PageA, 1, "A.cs", 201, "M");
                _ledger.Release(ticket, PageA, 2, "A.cs", 201, "M");
                _ledger.MarkFreed(ticket);
                _ledger.TakeRaw(ref head, PageA, 3, "A.cs", 202, "M");
                _ledger.ReleaseRaw(ref head, PageA, 3, "A.cs", 203, "M");
            }
        }
    }

    private uint Take(ulong page, int references = 1) => _ledger.Take(page, references, 0, HolderKind.Page, "Test.cs", 1, "Take");

    private LedgerRelease Release(uint ticket, ulong page, int references = 1) =>
        _ledger.Release(ticket, page, references, "Test.cs", 2, "Release");

    private static (LedgerOutcome Outcome, int Remaining) Answer(LedgerRelease release) => (release.Outcome, release.Remaining);
}
