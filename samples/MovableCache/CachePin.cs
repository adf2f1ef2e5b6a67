namespace Quire.Samples.MovableCache;

/// <summary>The right to read the first page of a cached value in place, until it is disposed, once.</summary>
internal readonly struct CachePin(CacheShard shard, CacheEntry entry, PagePin pin) : IDisposable
{
    /// <summary>The value's bytes, as far as they lie in its first page.</summary>
    internal ReadOnlySpan<byte> Span => pin.Span[..Math.Min(entry.Length, MovablePage.Size)];

    /// <summary>Number of the frame in which they lie now.</summary>
    internal long Frame => pin.Page.FrameNumber;

    /// <summary>Lets the value go.</summary>
    public void Dispose()
    {
        pin.Unpin();
        shard.Unpinned(entry);
    }
}
