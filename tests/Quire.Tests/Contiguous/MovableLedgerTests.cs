using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>Movable pages where the process must be the test's own: the ledger is on, or an entry of the table may be taken by nobody else.</summary>
[Collection(LedgerCollection.Name)]
public class MovableLedgerTests
{
    [Fact]
    public void A_freed_page_is_stale_on_every_use_and_the_message_has_both_places()
    {
        using AreaFixture world = new();
        MovablePage page = MovablePage.Allocate(world.Allocator);
        page.Free();
        Assert.False(page.IsAlive);
        string pin = Assert.Throws<PageBugException>(() => page.Pin()).Message;
        Assert.Contains("Allocated: MovableLedgerTests.cs", pin);
        Assert.Contains("Freed: MovableLedgerTests.cs", pin);
        Assert.Contains(nameof(A_freed_page_is_stale_on_every_use_and_the_message_has_both_places), pin);
        Assert.Throws<PageBugException>(() => page.Pin(PinDuration.LongTerm));
        Assert.Throws<PageBugException>(() => page.Free());

        // Also when the entry is somebody else's by now.
        MovablePage next = world.Add();
        Assert.Equal(page.Index, next.Index);
        Assert.Throws<PageBugException>(() => page.Free());
        Assert.Throws<PageBugException>(() => page.Pin());
        Assert.True(next.IsAlive);
        Assert.NotEqual(page, next);
    }

    [Fact]
    public void While_tracking_is_on_the_tables_reference_keeps_its_record_when_the_data_moves()
    {
        using AreaFixture world = new();
        using IDisposable tracking = Holders.Track();
        MovablePage page = world.Add();
        ContiguousRange range = world.Area.Allocate(1024);
        PagePin pin = page.Pin();
        PageHolders holders = Holders.Of(pin.Page);
        Holder table = Assert.Single(holders.Entries, static entry => entry.Kind == HolderKind.Movable);
        Assert.Equal("AreaFixture.cs", Path.GetFileName(table.Taken.Site.File));
        Assert.Equal(0, holders.Untracked);
        pin.Unpin();
        world.Area.Release(range);
    }

    [Fact]
    public void With_tracking_on_a_reference_kept_past_its_pin_is_named()
    {
        using AreaFixture world = new();
        using IDisposable tracking = Holders.Track();
        MovablePage page = world.Add();
        Page kept = default;
        AreaFixture.Start("keeper", () => kept = AreaFixture.KeepReference(page)).Join();
        ContiguousBusyException thrown = Assert.Throws<ContiguousBusyException>(() => world.Area.Allocate(1024, deadline: TimeSpan.FromMilliseconds(50)));
        BusyPage busy = Assert.Single(thrown.Failure!.BusyPages);
        Assert.Equal(nameof(AreaFixture.KeepReference), Assert.Single(busy.Blocking).Taken.Site.Member);
        Assert.Equal(0, busy.Untracked);
        kept.Put();
    }
}
