namespace Quire.Samples.UdpRelay;

/// <summary>The relay's own page allocator: its limit bounds what queued datagrams may take, and its count shows what is still held.</summary>
/// <remarks>Not the shared allocator: other parts of a process may hold pages of that, and then "0 held" could not be said.</remarks>
internal sealed class RelayMemory
{
    internal RelayMemory(long limitBytes)
    {
        Allocator = new PageAllocator(new PageAllocatorOptions { Name = "udp-relay", LimitBytes = limitBytes });
    }

    internal PageAllocator Allocator { get; }

    /// <summary>Pages of 4 KiB that somebody holds a reference to.</summary>
    internal long PagesHeld => Allocator.GetStatistics().InUseFrames;

    /// <summary>Gives everything back to the system. Null, or the holders of what is still held.</summary>
    internal string? Close()
    {
        try
        {
            Allocator.Dispose();
            return null;
        }
        catch (PagesStillHeldException exception)
        {
            return exception.Message;
        }
    }
}
