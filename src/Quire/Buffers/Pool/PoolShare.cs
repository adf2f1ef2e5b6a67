namespace Quire;

/// <summary>What one thread has of one pool: its counts, and the ways to memory that it need not look up.</summary>
/// <remarks>
/// Written by that thread alone, with plain additions; the counts are read by others. An owner that is rented here and disposed there leaves <see cref="Rents"/> here and <see cref="Returns"/> there;
/// bytes and pins are differences and may be negative. Only the sums over all threads mean something.
/// </remarks>
internal sealed unsafe class PoolShare(long pool)
{
    /// <summary>The share of no pool.</summary>
    internal static readonly PoolShare None = new(0);

    /// <summary>The pool's <see cref="QuireMemoryPool.Id"/>, and not the pool: a thread must not keep it alive.</summary>
    internal readonly long Pool = pool;

    internal long Rents;
    internal long Returns;

    /// <summary>Bytes of rents and slices, as asked for.</summary>
    internal long Taken;

    /// <summary>Bytes of those disposed.</summary>
    internal long Given;
    internal long Pins;

    /// <summary>The thread's magazine at the pool's allocator; null before the first page, and where the allocator clears what is freed.</summary>
    internal MagazineBlock* Magazine;

    /// <summary>Keeps the magazine's memory, so that it may be looked at when the allocator is gone.</summary>
    internal PageMagazine? MagazineKeeper;

    /// <summary>The thread's own fragment cache, for pools on the shared allocator.</summary>
    internal PageFragmentCache? Fragments;

    /// <summary>The stripe that the thread tries first, for all other pools.</summary>
    internal int Stripe;
}
