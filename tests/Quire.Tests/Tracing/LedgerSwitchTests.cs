using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>The process-wide switch and its clock. Alone: they are everybody's.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LedgerSwitchCollection
{
    public const string Name = "The ledger's switch";
}

/// <inheritdoc cref="LedgerSwitchCollection"/>
[Collection(LedgerSwitchCollection.Name)]
public sealed class LedgerSwitchTests
{
    [Fact]
    public void Tracking_is_on_until_every_start_was_stopped()
    {
        Assert.False(Tracking.Active);
        Assert.False(CoarseClock.IsTicking);
        Ledger.Start();
        Ledger.Start();
        Assert.True(Tracking.Active && CoarseClock.IsTicking);
        Ledger.Stop();
        Assert.True(Tracking.Active && CoarseClock.IsTicking);
        Ledger.Stop();
        Assert.False(Tracking.Active || CoarseClock.IsTicking);
        Assert.Throws<InvalidOperationException>(Ledger.Stop);
        Assert.False(Tracking.Active);
    }

    [Fact]
    public void Switching_from_many_threads_ends_off()
    {
        for (int round = 0; round < 200; round++)
        {
            Parallel.For(0, 8, _ =>
            {
                Ledger.Start();
                Assert.True(Tracking.Active);
                Ledger.Stop();
            });
            Assert.False(Tracking.Active || CoarseClock.IsTicking);
        }

        // A late tick must not bring the clock's copy back: it would stand still for ever.
        Thread.Sleep(5 * CoarseClock.PeriodMilliseconds);
        Assert.False(CoarseClock.IsTicking);
    }

    [Fact]
    public void The_clock_is_right_to_twenty_milliseconds_with_and_without_its_ticker()
    {
        AssertRight();
        Ledger.Start();
        try
        {
            // A machine that is busy elsewhere may keep the ticker, or this thread, from its core for a while: one good round of many will do.
            long behind = long.MaxValue;
            for (int round = 0; round < 50 && behind > 20; round++)
            {
                List<long> errors = [];
                for (int i = 0; i < 200; i++)
                {
                    Thread.Sleep(1);
                    long now = (long)CoarseClock.Now;
                    errors.Add(Environment.TickCount64 - now);
                }

                errors.Sort();
                Assert.True(errors[0] >= 0, $"it was {-errors[0]} ms ahead");
                behind = Math.Min(behind, errors[160]);
            }

            Assert.True(behind <= 20, $"in each round a fifth of the readings were {behind} ms or more behind");

            // And a refresh sets it right at once, whatever the ticker does.
            AssertRight(refreshes: true);
        }
        finally
        {
            Ledger.Stop();
        }
    }

    [Fact]
    public void A_refresh_is_never_undone_by_one_that_was_slower()
    {
        Ledger.Start();
        try
        {
            Func<bool> goOn = Trial.For(300);
            Trial.OnThreads(4, _ =>
            {
                for (long last = 0; goOn();)
                {
                    long now = AssertRight(refreshes: true);
                    Assert.InRange(now, last, long.MaxValue);
                    last = now;
                }
            });
        }
        finally
        {
            Ledger.Stop();
        }
    }

    [Fact]
    public void Takes_record_whether_or_not_tracking_is_on()
    {
        const ulong Identity = (99ul << 28) | 0xFFFFFFF;
        Assert.False(Tracking.Active);
        uint ticket = Ledger.Take(Identity, 1, 0, HolderKind.Pin, Origin.Here("Pin.cs", 1, "Pin"));
        Assert.Equal(HolderKind.Pin, Assert.Single(Ledger.Of(Identity)).Kind);
        Assert.Equal(LedgerOutcome.Released, Ledger.Release(ticket, Identity, 1, Origin.Here("Pin.cs", 2, "Unpin")).Outcome);
        Assert.Equal(LedgerOutcome.Stale, Ledger.Release(ticket, Identity, 1, Origin.Here("Pin.cs", 2, "Unpin")).Outcome);
    }

    /// <summary>What the clock shows is a time between two readings of the system's, the first before the refresh.</summary>
    private static long AssertRight(bool refreshes = false)
    {
        long before = Environment.TickCount64;
        if (refreshes)
        {
            CoarseClock.Refresh();
        }

        long now = (long)CoarseClock.Now;
        Assert.InRange(now, before, Environment.TickCount64);
        return now;
    }
}
