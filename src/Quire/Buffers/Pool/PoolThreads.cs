namespace Quire;

/// <summary>All pools of the process and all threads that used one: where the sums are made.</summary>
/// <remarks>
/// Equation, while nobody is at work: for each pool, the counts of the living threads plus those of the dead (<see cref="QuireMemoryPool.OfDeadThreads"/>) are all that was ever done.
/// Thread ends are found by asking, whenever a thread first comes here. Pools are known weakly: one that was dropped without a dispose can go.
/// </remarks>
internal static class PoolThreads
{
    private static readonly Lock s_gate = new();
    private static readonly List<(Thread Thread, PoolThread Mine)> s_threads = [];
    private static readonly List<WeakReference<QuireMemoryPool>?> s_pools = [];
    private static long s_lastId;
    private static int s_stripe;

    /// <summary>Free owners of the process that wait to be rented.</summary>
    internal static int FreeOwners
    {
        get
        {
            lock (s_gate)
            {
                return OwnerDepot.Owners + s_threads.Sum(static entry => entry.Mine.Owners);
            }
        }
    }

    /// <summary>All pools that are alive.</summary>
    internal static List<QuireMemoryPool> Pools()
    {
        lock (s_gate)
        {
            List<QuireMemoryPool> pools = [];
            foreach (WeakReference<QuireMemoryPool>? entry in s_pools)
            {
                if (entry is not null && entry.TryGetTarget(out QuireMemoryPool? pool))
                {
                    pools.Add(pool);
                }
            }

            return pools;
        }
    }

    /// <summary>Takes a pool in; gives its slot, which another may have had, and its number, which none had.</summary>
    internal static (uint Slot, long Id) Enroll(QuireMemoryPool pool)
    {
        lock (s_gate)
        {
            int slot = s_pools.FindIndex(static entry => entry is null || !entry.TryGetTarget(out _));
            if (slot < 0)
            {
                slot = s_pools.Count;
                s_pools.Add(null);
            }

            s_pools[slot] = new WeakReference<QuireMemoryPool>(pool);
            return ((uint)slot, ++s_lastId);
        }
    }

    /// <summary>Forgets a pool that is disposed.</summary>
    internal static void Depart(QuireMemoryPool pool)
    {
        lock (s_gate)
        {
            // What threads still count for it lands in their shares, which nobody reads.
            s_pools[(int)pool.Slot] = null;
        }
    }

    internal static void Add(Thread thread, PoolThread mine)
    {
        lock (s_gate)
        {
            // Happens before: a successful join orders all that the dead thread did before what follows. All are asked before any is folded in, so that
            // whatever ends the asking leaves nobody counted twice.
            List<(Thread Thread, PoolThread Mine)> dead = s_threads.FindAll(static entry => entry.Thread.Join(0));
            s_threads.RemoveAll(dead.Contains);
            dead.ForEach(static entry => Bequeath(entry.Mine));
            s_threads.Add((thread, mine));
        }
    }

    /// <summary>What a thread that has ended counted, to the pools that are still there.</summary>
    private static void Bequeath(PoolThread mine)
    {
        for (int slot = 0; slot < mine.Shares.Length; slot++)
        {
            if (mine.Shares[slot] is { } share && s_pools[slot] is { } weak && weak.TryGetTarget(out QuireMemoryPool? pool) && pool.Id == share.Pool)
            {
                pool.OfDeadThreads.Add(share);
            }
        }
    }

    /// <summary>Makes a thread's share of a pool. Called on that thread.</summary>
    internal static PoolShare Open(PoolThread mine, QuireMemoryPool pool)
    {
        lock (s_gate)
        {
            if (s_pools[(int)pool.Slot] is not { } entry || !entry.TryGetTarget(out QuireMemoryPool? present) || present != pool)
            {
                // Disposed at this moment, and the slot may be another's: a share that nobody reads.
                return new PoolShare(pool.Id);
            }

            if (pool.Slot >= (uint)mine.Shares.Length)
            {
                Array.Resize(ref mine.Shares, (int)Math.Max(4, System.Numerics.BitOperations.RoundUpToPowerOf2(pool.Slot + 1)));
            }

            // A pool that had the slot before is gone, and nobody asks for its counts any more.
            return mine.Shares[pool.Slot] = new PoolShare(pool.Id) { Stripe = s_stripe++ };
        }
    }

    /// <summary>
    /// The sums of a pool. Returns are read before rents: a rent is counted before the owner is given out, so whoever sees its return sees its rent, and there are never more returns than rents.
    /// </summary>
    internal static PoolCounts Sum(QuireMemoryPool pool)
    {
        lock (s_gate)
        {
            PoolCounts sum = pool.OfDeadThreads;
            foreach ((_, PoolThread mine) in s_threads)
            {
                if (ShareOf(mine, pool) is { } share)
                {
                    sum.Returns += Volatile.Read(ref share.Returns);
                    sum.Given += Volatile.Read(ref share.Given);
                }
            }

            foreach ((_, PoolThread mine) in s_threads)
            {
                if (ShareOf(mine, pool) is { } share)
                {
                    sum.Rents += Volatile.Read(ref share.Rents);
                    sum.Taken += Volatile.Read(ref share.Taken);
                    sum.Pins += Volatile.Read(ref share.Pins);
                }
            }

            return sum;
        }
    }

    private static PoolShare? ShareOf(PoolThread mine, QuireMemoryPool pool) =>
        pool.Slot < (uint)mine.Shares.Length && mine.Shares[pool.Slot] is { } share && share.Pool == pool.Id ? share : null;
}
