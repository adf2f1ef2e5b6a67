using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>A thread's share of what memory pools have: free owners, and counts for each pool. One object, so that a rent looks up one thread static.</summary>
internal sealed class PoolThread
{
    [ThreadStatic]
    internal static PoolThread? t_current;

    private OwnerBatch _loaded = new();
    private OwnerBatch _spare = new();

    /// <summary>By the pools' slots. Replaced under the lock of <see cref="PoolThreads"/>.</summary>
    internal PoolCounts[] Counts = [];

    /// <summary>Where a pool is counted that was disposed meanwhile: nobody reads it.</summary>
    internal PoolCounts Stray;

    /// <summary>Free owners that wait here.</summary>
    internal int Owners => _loaded.Count + _spare.Count;

    /// <summary>The calling thread's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PoolThread Mine() => t_current ?? Enter();

    /// <summary>Where the thread counts for a pool. Do not keep the reference across anything that may come back to a pool.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref PoolCounts CountsOf(QuireMemoryPool pool)
    {
        PoolCounts[] counts = Counts;
        uint slot = pool.Slot;
        if (slot < (uint)counts.Length && counts[slot].Pool == pool.Id)
        {
            return ref counts[slot];
        }

        return ref PoolThreads.Open(this, pool);
    }

    /// <summary>A free owner.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageMemory Take()
    {
        // Two threads that dispose one object at once, against the rules, may put it into two lists; whoever finds it in use leaves it there. So one object is never given to two.
        PageMemory? owner = _loaded.Pop();
        return owner is not null && owner.IsFree ? owner : TakeSlow();
    }

    /// <summary>Keeps an owner that is free.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Keep(PageMemory owner)
    {
        if (!_loaded.TryPush(owner))
        {
            KeepSlow(owner);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static PoolThread Enter()
    {
        PoolThread thread = new();
        PoolThreads.Add(Thread.CurrentThread, thread);
        return t_current = thread;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageMemory TakeSlow()
    {
        while (true)
        {
            if (_loaded.Count == 0)
            {
                (_loaded, _spare) = (_spare, _loaded);
            }

            if (_loaded.Count == 0)
            {
                if (OwnerDepot.TryExchangeForFull(_loaded) is not { } full)
                {
                    return new PageMemory();
                }

                _loaded = full;
            }

            if (_loaded.Pop() is { IsFree: true } owner)
            {
                return owner;
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void KeepSlow(PageMemory owner)
    {
        // The loaded one is full. A spare that has room takes its place; a full one goes to the depot, so that between two visits there lie 32 owners at least.
        if (_spare.Count == OwnerBatch.Size)
        {
            _spare = OwnerDepot.ExchangeForEmpty(_spare);
        }

        (_loaded, _spare) = (_spare, _loaded);
        _loaded.TryPush(owner);
    }
}
