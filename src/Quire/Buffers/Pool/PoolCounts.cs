namespace Quire;

/// <summary>What one thread did to the owners of one pool. Written by that thread alone, with plain additions; read by others.</summary>
/// <remarks>
/// An owner that is rented here and disposed there leaves <see cref="Rents"/> here and <see cref="Returns"/> there; bytes and pins are differences and may be negative. Only the sums over all threads mean
/// something.
/// </remarks>
internal struct PoolCounts
{
    /// <summary>The pool's <see cref="QuireMemoryPool.Id"/>; another where the place was another pool's.</summary>
    internal long Pool;
    internal long Rents;
    internal long Returns;

    /// <summary>Bytes of rents and slices, as asked for.</summary>
    internal long Taken;

    /// <summary>Bytes of those disposed.</summary>
    internal long Given;
    internal long Pins;

    /// <summary>Bytes out.</summary>
    internal readonly long Bytes => Taken - Given;

    internal void Add(in PoolCounts other)
    {
        Rents += other.Rents;
        Returns += other.Returns;
        Taken += other.Taken;
        Given += other.Given;
        Pins += other.Pins;
    }
}
