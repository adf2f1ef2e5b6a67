using System.Diagnostics;

namespace Quire.Samples.MovableCache;

/// <summary>
/// Threads that use a cache as a server would: get, and on a miss load and put. Keys are asked for unevenly (a few very often); every value can be checked against its key, so one byte
/// that a move lost would be seen.
/// </summary>
internal sealed class Readers : IDisposable
{
    private const int MostBytes = 3 * MovablePage.Size;

    private readonly PageCache _cache;
    private readonly int _keys;
    private readonly Thread[] _threads;
    private bool _stop;
    private long _damaged;
    private long _longestTicks;

    internal Readers(PageCache cache, int keys, int threads, int seed)
    {
        _cache = cache;
        _keys = keys;
        _threads = [.. Enumerable.Range(0, threads).Select(i => new Thread(() => Work(new Random(seed + i))) { Name = $"reader {i}", IsBackground = true })];
        Array.ForEach(_threads, static thread => thread.Start());
    }

    /// <summary>Values that were not what was put.</summary>
    internal long Damaged => Volatile.Read(ref _damaged);

    /// <summary>The longest get since this was last asked.</summary>
    internal TimeSpan TakeLongestGet() => Stopwatch.GetElapsedTime(0, Interlocked.Exchange(ref _longestTicks, 0));

    public void Dispose()
    {
        Volatile.Write(ref _stop, true);
        Array.ForEach(_threads, static thread => thread.Join());
    }

    /// <summary>The value of a key: its length and its bytes follow from it.</summary>
    internal static ReadOnlySpan<byte> Load(long key, byte[] buffer)
    {
        int length = 1 + (int)((ulong)key * 0x9E37_79B9_7F4A_7C15 % MostBytes);
        Span<byte> value = buffer.AsSpan(0, length);
        for (int i = 0; i < length; i++)
        {
            value[i] = (byte)(key + (i * 31));
        }

        return value;
    }

    private void Work(Random random)
    {
        byte[] value = new byte[MostBytes], expected = new byte[MostBytes];
        while (!Volatile.Read(ref _stop))
        {
            // The cube of a number between 0 and 1 is small far more often than large.
            double even = random.NextDouble();
            long key = (long)(even * even * even * _keys);
            long began = Stopwatch.GetTimestamp();
            bool isHit = _cache.TryGet(key, value, out int length);
            Longest(Stopwatch.GetTimestamp() - began);
            ReadOnlySpan<byte> loaded = Load(key, expected);
            if (!isHit)
            {
                _cache.TryPut(key, loaded);
            }
            else if (!loaded.SequenceEqual(value.AsSpan(0, length)))
            {
                Interlocked.Increment(ref _damaged);
            }
        }
    }

    private void Longest(long ticks)
    {
        for (long seen = Volatile.Read(ref _longestTicks); ticks > seen;)
        {
            long was = Interlocked.CompareExchange(ref _longestTicks, ticks, seen);
            if (was == seen)
            {
                return;
            }

            seen = was;
        }
    }
}
