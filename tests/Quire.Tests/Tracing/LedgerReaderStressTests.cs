using Xunit;
using static Quire.Tests.Tracing.StressRun;

namespace Quire.Tests.Tracing;

/// <summary>Readers beside writers: what they are shown was true at one moment. Randomness is seeded; a failure names its seed.</summary>
public sealed class LedgerReaderStressTests : IDisposable
{
    private const ulong Page = (1ul << 28) | 1;
    private static readonly TimeSpan s_length = TimeSpan.FromMilliseconds(700);

    private readonly LedgerStore _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public void A_snapshot_beside_takes_touches_and_releases_never_shows_a_mixture()
    {
        // Every field of a record follows from its identity; every field of a stamp from its line. Few records, so that each is
        // reused at once.
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
                int line = me + (8 * (int)(identity >> 8 & 63));
                uint ticket = _ledger.Take(
                    identity, References(identity), (uint)(identity >> 3), (HolderKind)(identity >> 8 & 7), "Mix.cs", line, "Take");
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
                    LedgerRelease release = _ledger.Release(other.Ticket, other.Identity, other.References, "Mix.cs", 1, "Release");
                    Assert.Equal(LedgerOutcome.Released, release.Outcome);
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
            },
            enough: () => seen > 100 && touched > 100);
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
                        if (holder.Scope != scopes[stamp.Site.Line] || stamp.ThreadName != Names[stamp.Site.Line])
                        {
                            Assert.Fail($"{holder} is in scope {holder.Scope} of {string.Join(", ", scopes)}");
                        }
                    }
                }
            },
            enough: () => seen > 1000);
        Assert.True(seen > 1000, $"seed {seed}: only {seen} touches were seen");
    }

    [Fact]
    public void A_ticket_that_was_released_is_never_live_again_though_its_record_is_taken_at_once()
    {
        // One record, one page: only the incarnation tells the old ticket from the next one.
        _ledger.MaximumRecords = 1;
        Entry? last = null;
        RunFor(
            s_length,
            random =>
            {
                if (Number() == 0)
                {
                    uint ticket = _ledger.Take(Page, 1, 0, HolderKind.Page, "Live.cs", 1, "Take");
                    Assert.True(_ledger.IsLive(ticket, Page));

                    // Held for a moment, so that a reader which took it for the one before still finds that one the last.
                    Thread.SpinWait(random.Next(40));
                    _ledger.Release(ticket, Page, 1, "Live.cs", 2, "Release");
                    Volatile.Write(ref last, new Entry(ticket, Page, 1));
                }
                else if (Volatile.Read(ref last) is { } stale)
                {
                    bool live = _ledger.IsLive(stale.Ticket, Page);

                    // A thousand takes later the sequence comes round, and the ticket is rightly another's: then this is not the
                    // last any more.
                    Assert.False(live && ReferenceEquals(Volatile.Read(ref last), stale));
                }
            },
            beside: () => Thread.Sleep(1));
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
                    LedgerRelease release = _ledger.Release(ticket, identity, 1, "Told.cs", 1 + (value & 255), "Release", (value & 1) != 0);
                    Assert.Equal(LedgerOutcome.Released, release.Outcome);
                    Volatile.Write(ref last, new Entry(ticket, identity, 1));
                }
                else if (Volatile.Read(ref last) is { } stale)
                {
                    LedgerRelease again = _ledger.Release(stale.Ticket, stale.Identity, 1, "Again.cs", 1, "Again");
                    Assert.NotEqual(LedgerOutcome.Released, again.Outcome);
                    Assert.True(_ledger.ReleaseOf(stale.Ticket)?.Taken?.Site.File is null or "Told.cs");
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
            beside: () => Thread.Sleep(1),
            enough: () => Volatile.Read(ref told) > 100 && Volatile.Read(ref forgotten) > 0);
        Assert.True(told > 100 && forgotten > 0, $"seed {seed}: told {told} times, forgotten {forgotten} times");
        Assert.True(_ledger.Verify());
    }
}
