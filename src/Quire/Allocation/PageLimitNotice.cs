namespace Quire;

/// <summary>An allocation got nothing because the allocator's limit is reached; see <see cref="PageAllocator.LimitReached"/>.</summary>
/// <param name="RequestedBytes">Bytes asked for.</param>
/// <param name="LimitBytes">Most bytes that the allocator may manage.</param>
public readonly record struct PageLimitNotice(long RequestedBytes, long LimitBytes);
