using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>The relay with the ledger on, as its command has it.</summary>
[Collection(LedgerCollection.Name)]
public class UdpRelayLedgerTests
{
    [Fact]
    public void What_is_still_held_at_the_stop_is_reported_with_its_holder_and_status_1()
    {
        using TestUpstream upstream = new(0x5a);
        using IDisposable ledger = Holders.Track();
        using Relay relay = Relay.Start(RelayHarness.Options(upstream));
        PageFragment forgotten = Forget(relay.Allocator);
        RelayEnd end = relay.Stop();
        Assert.Equal(8, end.Statistics.PagesHeld);
        using StringWriter output = new();
        using StringWriter error = new();
        Assert.Equal(1, RelayCommand.Report(end, output, error));
        Assert.Contains("pages held: 8", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("udp-relay: still held:", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("UdpRelayLedgerTests.cs:", error.ToString(), StringComparison.Ordinal);
        Assert.Contains(nameof(Forget), error.ToString(), StringComparison.Ordinal);
        forgotten.Free();
        relay.Allocator.Dispose();
    }

    private static PageFragment Forget(PageAllocator allocator)
    {
        using PageFragmentCache cache = new(allocator);
        return cache.Allocate(23);
    }
}
