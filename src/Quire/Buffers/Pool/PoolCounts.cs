namespace Quire;

/// <summary>The sums of a pool over all threads, or over those that have ended.</summary>
internal struct PoolCounts
{
    internal long Rents;
    internal long Returns;
    internal long Taken;
    internal long Given;
    internal long Pins;

    /// <summary>Bytes out.</summary>
    internal readonly long Bytes => Taken - Given;

    internal void Add(PoolShare share)
    {
        Rents += share.Rents;
        Returns += share.Returns;
        Taken += share.Taken;
        Given += share.Given;
        Pins += share.Pins;
    }
}
