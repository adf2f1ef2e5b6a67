using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>Tickets used twice, for another page, too late, or invented: each is found, told of, and harms nobody.</summary>
public sealed class LedgerMisuseTests : IDisposable
{
    private const ulong PageA = (7ul << 28) | 0x17ac9;
    private const ulong PageB = (8ul << 28) | 0x17ac9;

    private readonly LedgerStore _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public void A_second_release_is_told_of_the_take_and_of_the_first_release()
    {
        uint ticket = _ledger.Take(PageA, 1, 0, HolderKind.Page, "Retry.cs", 57, "Enqueue");
        _ledger.Release(ticket, PageA, 1, "Retry.cs", 91, "Flush");

        LedgerRelease second = _ledger.Release(ticket, PageA, 1, "Conn.cs", 210, "Dispose");
        Assert.Equal(LedgerOutcome.Stale, second.Outcome);
        Assert.Equal(PageA, second.Conflict!.Identity);
        Assert.Equal(new CallSite("Retry.cs", 57, "Enqueue"), second.Conflict.Taken!.Value.Site);
        Assert.Equal(new CallSite("Retry.cs", 91, "Flush"), second.Conflict.Released!.Value.Site);
        Assert.Equal(Environment.CurrentManagedThreadId, second.Conflict.Released.Value.ThreadId);
        Assert.False(second.Conflict.FreedPage);
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void A_release_is_remembered_for_as_many_takes_as_a_batch_has_records()
    {
        uint ticket = Take(PageA);
        Release(ticket, PageA);
        for (uint i = 0; i < LedgerRecords.Batch - 1; i++)
        {
            Release(Take(PageB), PageB);
        }

        Assert.NotNull(Release(ticket, PageA).Conflict!.Released);
    }

    [Fact]
    public void A_stale_ticket_of_a_record_that_was_taken_again_is_found_and_harms_nobody()
    {
        _ledger.MaximumRecords = 1;
        uint stale = Take(PageA);
        Release(stale, PageA);
        uint fresh = Take(PageA);

        LedgerRelease release = Release(stale, PageA);
        Assert.Equal(LedgerOutcome.Stale, release.Outcome);
        Assert.Null(release.Conflict!.Released);
        Assert.False(_ledger.Touch(stale, "A.cs", 1, "M"));
        Assert.False(_ledger.AddTo(stale, 1));
        Assert.False(_ledger.SetReferences(stale, 1));
        Assert.False(_ledger.MarkFreed(stale));
        Assert.Null(_ledger.Find(stale));
        Assert.Equal(1, _ledger.Find(fresh)!.References);
        Assert.Equal(LedgerOutcome.Released, Release(fresh, PageA).Outcome);
    }

    [Fact]
    public void A_release_for_another_page_is_refused_and_told_which_page_it_is()
    {
        uint ticket = Take(PageA);
        LedgerRelease wrong = Release(ticket, PageB);
        Assert.Equal(LedgerOutcome.WrongPage, wrong.Outcome);
        Assert.Equal(PageA, wrong.Conflict!.Identity);
        Assert.Null(wrong.Conflict.Released);
        Assert.Equal(LedgerOutcome.WrongPage, _ledger.Drop(ticket, PageB, "A.cs", 1, "M").Outcome);

        Assert.Equal(LedgerOutcome.Released, Release(ticket, PageA).Outcome);
        Assert.Equal(LedgerOutcome.WrongPage, Release(ticket, PageB).Outcome);
    }

    [Fact]
    public void A_release_that_freed_the_page_is_remembered_before_others()
    {
        uint first = Take(PageA);
        uint second = Take(PageA);
        uint third = Take(PageA);
        _ledger.Release(first, PageA, 1, "A.cs", 1, "One");
        _ledger.Release(second, PageA, 1, "A.cs", 2, "Two");
        Assert.True(_ledger.MarkFreed(second));
        Assert.False(_ledger.MarkFreed(second));
        Assert.False(_ledger.MarkFreed(third));
        _ledger.Release(third, PageA, 1, "A.cs", 3, "Three");

        LedgerConflict last = _ledger.LastReleaseOf(PageA)!;
        Assert.True(last.FreedPage);
        Assert.Equal("A.cs:2 Two", last.Released!.Value.Site.ToString());
        Assert.Null(_ledger.LastReleaseOf(PageB));
        Assert.True(Release(second, PageA).Conflict!.FreedPage);
    }

    [Fact]
    public void A_ticket_says_whether_it_is_live_and_otherwise_who_released_it()
    {
        _ledger.MaximumRecords = 1;
        Assert.False(_ledger.IsLive(0, PageA));
        Assert.False(_ledger.IsLive(uint.MaxValue, PageA));
        Assert.Null(_ledger.ReleaseOf(uint.MaxValue));

        uint ticket = Take(PageA);
        Assert.True(_ledger.IsLive(ticket, PageA));
        Assert.False(_ledger.IsLive(ticket, PageB));
        Assert.Null(_ledger.ReleaseOf(ticket));
        Assert.Null(_ledger.ReleaseOf(0));

        _ledger.Release(ticket, PageA, 1, "A.cs", 4, "Flush");
        Assert.False(_ledger.IsLive(ticket, PageA));
        Assert.Equal("A.cs:4 Flush", _ledger.ReleaseOf(ticket)!.Released!.Value.Site.ToString());

        // The record's next holder, of the same page, does not bring the old ticket back.
        uint next = Take(PageA);
        Assert.False(_ledger.IsLive(ticket, PageA));
        Assert.True(_ledger.IsLive(next, PageA));
        Assert.Null(_ledger.ReleaseOf(ticket));
    }

    [Fact]
    public void The_newest_release_is_found_when_none_is_known_to_have_freed_the_page()
    {
        uint first = Take(PageA);
        uint second = Take(PageA);
        _ledger.Release(second, PageA, 1, "A.cs", 1, "Older");
        Thread.Sleep(40);
        _ledger.Release(first, PageA, 1, "A.cs", 2, "Newer", freed: false);
        Assert.Equal("A.cs:2 Newer", _ledger.LastReleaseOf(PageA)!.Released!.Value.Site.ToString());
    }

    [Fact]
    public void A_ticket_of_zero_is_untracked_and_invented_tickets_are_stale()
    {
        Assert.Equal(LedgerOutcome.Untracked, Release(0, PageA).Outcome);
        Assert.False(_ledger.Touch(0, "A.cs", 1, "M"));
        foreach (uint invented in new[] { 1u, 0x3FFFFFu, 0xFFFFFFFFu, 1u << 22, (1u << 22) | 5, 77u << 22 })
        {
            Assert.Equal(LedgerOutcome.Stale, Release(invented, PageA).Outcome);
            Assert.False(_ledger.Touch(invented, "A.cs", 1, "M"));
            Assert.Null(_ledger.Find(invented));
        }

        uint ticket = Take(PageA);
        Assert.Equal(LedgerOutcome.Stale, Release(ticket ^ (1u << 31), PageA).Outcome);
        Assert.Equal(LedgerOutcome.Released, Release(ticket, PageA).Outcome);
    }

    [Fact]
    public void The_sequence_wraps_past_zero_and_repeats_only_after_1023_takes()
    {
        _ledger.MaximumRecords = 1;
        List<uint> tickets = [];
        for (int i = 0; i < 3000; i++)
        {
            uint ticket = Take(PageA);
            Assert.NotEqual(0u, LedgerState.Sequence(ticket));
            for (int back = 1; back <= Math.Min(1022, tickets.Count); back += 73)
            {
                Assert.NotEqual(tickets[^back], ticket);
                Assert.Equal(LedgerOutcome.Stale, Release(tickets[^back], PageA).Outcome);
            }

            if (i >= 1023)
            {
                Assert.Equal(tickets[i - 1023], ticket);
            }

            tickets.Add(ticket);
            Assert.Equal(LedgerOutcome.Released, Release(ticket, PageA).Outcome);
        }

        Assert.Equal(1023, tickets.Distinct().Count());
        Assert.True(_ledger.Verify());
    }

    private uint Take(ulong page, int references = 1) => _ledger.Take(page, references, 0, HolderKind.Page, "Test.cs", 1, "Take");

    private LedgerRelease Release(uint ticket, ulong page, int references = 1) =>
        _ledger.Release(ticket, page, references, "Test.cs", 2, "Release");
}
