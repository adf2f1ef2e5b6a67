namespace Quire;

/// <summary>The sums of a pool over all threads, or over those that have ended.</summary>
internal struct PoolCounts
{
    internal long Rents;
    internal long Returns;
    internal long Bytes;
    internal long Pins;

    internal void Add(PoolShare share)
    {
        Rents += share.Rents;
        Returns += share.Returns;
        Bytes += share.Bytes;
        Pins += share.Pins;
    }
}
