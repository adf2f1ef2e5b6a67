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
        Assert.InRange(Environment.TickCount64 - (long)CoarseClock.Now, 0, 1);
        Ledger.Start();
        try
        {
            List<long> errors = [];
            for (int i = 0; i < 200; i++)
            {
                Thread.Sleep(1);
                errors.Add(Environment.TickCount64 - (long)CoarseClock.Now);
            }

            // A machine that is busy elsewhere may keep the ticker from its core for a while; mostly it must keep time.
            errors.Sort();
            Assert.True(errors[160] <= 20, $"a fifth of the readings are {errors[160]} ms or more behind");
            Assert.True(errors[0] >= -20);

            // And a refresh sets it right at once, whatever the ticker does.
            CoarseClock.Refresh();
            Assert.InRange(Environment.TickCount64 - (long)CoarseClock.Now, 0, 5);
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
}
