namespace Quire;

/// <summary>What a pool's owners are doing. Exact while nothing changes; while threads work, each figure was right at a moment of its own during the call.</summary>
public readonly record struct QuireMemoryPoolStatistics
{
    /// <summary>Owners taken and not disposed: rents and slices; pins are counted apart.</summary>
    public long RentedOwners => Rents - Returns;

    /// <summary>Bytes of these owners, as asked for. Slices share bytes, so the sum can be more than the memory behind it.</summary>
    public long RentedBytes { get; init; }

    /// <summary>Owners taken since the pool was made.</summary>
    public long Rents { get; init; }

    /// <summary>Owners disposed since the pool was made.</summary>
    public long Returns { get; init; }

    /// <summary>Pins that have not ended.</summary>
    public long Pins { get; init; }

    /// <summary>Callers of <see cref="QuireMemoryPool.RentAsync"/> that wait for memory.</summary>
    public int Waiters { get; init; }

    /// <summary>Owner objects that wait to be rented again: those of the whole process, all pools together. At most 16,384, and 64 a thread.</summary>
    public int FreeOwners { get; init; }
}
