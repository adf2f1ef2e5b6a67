namespace Quire.Samples.MovableCache;

/// <summary>What a cache has and did since the beginning.</summary>
internal readonly record struct CacheFigures(long Entries, long Bytes, long Hits, long Misses, long Evicted, long Refused)
{
    /// <summary>Share of the gets that found their value, 0 to 1.</summary>
    internal double HitRate => Hits + Misses == 0 ? 0 : (double)Hits / (Hits + Misses);

    public static CacheFigures operator +(CacheFigures a, CacheFigures b) =>
        new(a.Entries + b.Entries, a.Bytes + b.Bytes, a.Hits + b.Hits, a.Misses + b.Misses, a.Evicted + b.Evicted, a.Refused + b.Refused);

    /// <summary>What was done since an earlier moment; entries and bytes are those of now.</summary>
    internal CacheFigures Since(CacheFigures earlier) =>
        new(Entries, Bytes, Hits - earlier.Hits, Misses - earlier.Misses, Evicted - earlier.Evicted, Refused - earlier.Refused);
}
