using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>What a stale handle still knows is in its entry of the table, until somebody takes that entry: so nobody else may, meanwhile.</summary>
[Collection(LedgerCollection.Name)]
public class StalePageTests
{
    [Fact]
    public void A_freed_page_is_stale_on_every_use_and_the_message_has_both_places()
    {
        using AreaFixture world = new();
        MovablePage page = MovablePage.Allocate(world.Allocator);
        page.Free();
        Assert.False(page.IsAlive);
        string pin = Assert.Throws<PageBugException>(() => page.Pin()).Message;
        Assert.Contains($"Allocated: StalePageTests.cs", pin);
        Assert.Contains($"Freed: StalePageTests.cs", pin);
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
}
