using System.Runtime.CompilerServices;

namespace Quire.Samples.MovableCache;

/// <summary>
/// A cache of byte strings under a byte limit, whose bytes lie in movable pages: whoever needs the memory in one piece can have it, by moving what is cached and by a lower limit.
/// </summary>
/// <remarks>
/// Keys are spread over shards, each with a lock, a dictionary and a clock (<see cref="CacheShard"/>). A get copies the value out under short pins; <see cref="TryPin"/> is for who must
/// read in place. The limit counts whole pages, since that is what the memory costs.
/// </remarks>
internal sealed class PageCache : IDisposable
{
    private readonly CacheShard[] _shards;
    private long _limit;

    internal PageCache(PageAllocator allocator, long limitBytes, int shards = 16)
    {
        _shards = [.. Enumerable.Range(0, shards).Select(_ => new CacheShard(allocator))];
        LimitBytes = limitBytes;
    }

    /// <summary>Most bytes of pages that the values may take. A lower one evicts at once.</summary>
    internal long LimitBytes
    {
        get => Volatile.Read(ref _limit);
        set
        {
            Volatile.Write(ref _limit, value);
            foreach (CacheShard shard in _shards)
            {
                shard.SetLimit(value / _shards.Length);
            }
        }
    }

    /// <summary>What all shards have and did.</summary>
    internal CacheFigures Figures => _shards.Select(static shard => shard.Figures).Aggregate(static (a, b) => a + b);

    /// <summary>Copies a value out, if it is there.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="destination">Where to, at least as long as the longest value.</param>
    /// <param name="length">The value's length.</param>
    internal bool TryGet(long key, Span<byte> destination, out int length) => ShardOf(key).TryGet(key, destination, out length);

    /// <summary>Puts a value in, in the place of one with the same key. False where there is no memory and nothing to evict: then nothing is cached under the key.</summary>
    internal bool TryPut(long key, ReadOnlySpan<byte> value) => ShardOf(key).TryPut(key, value);

    /// <summary>Pins the first page of a value, to be read in place. Until the pin is disposed the value is not evicted and its page does not move: a short pin, so 100 ms at most.</summary>
    internal bool TryPin(long key, out CachePin pin, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        ShardOf(key).TryPin(key, out pin, file, line, member);

    /// <summary>Frees everything; nobody may use the cache any more.</summary>
    public void Dispose() => LimitBytes = 0;

    private CacheShard ShardOf(long key) => _shards[(uint)((ulong)key * 0x9E37_79B9_7F4A_7C15 >> 32) % _shards.Length];
}
