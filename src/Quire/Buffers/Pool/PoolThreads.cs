namespace Quire;

/// <summary>All pools of the process and all threads that used one: where the sums are made.</summary>
/// <remarks>
/// Equation, while nobody is at work: for each pool, the counts of the living threads plus those of the dead (<see cref="QuireMemoryPool.OfDeadThreads"/>) are all that was ever done.
/// Thread ends are found by asking, whenever a thread first comes here. Pools are known weakly: one that was dropped without a dispose can go.
/// </remarks>
internal static class PoolThreads
{
    private static readonly Lock s_gate = new();
    private static readonly List<(Thread Thread, PoolThread Share)> s_threads = [];
    private static readonly List<WeakReference<QuireMemoryPool>?> s_pools = [];
    private static long s_lastId;

    /// <summary>Free owners of the process that wait to be rented.</summary>
    internal static int FreeOwners
    {
        get
        {
            lock (s_gate)
            {
                return OwnerDepot.Owners + s_threads.Sum(static entry => entry.Share.Owners);
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
            // What threads still do to its counts lands in their own places for it, which nobody reads.
            s_pools[(int)pool.Slot] = null;
        }
    }

    internal static void Add(Thread thread, PoolThread share)
    {
        lock (s_gate)
        {
            s_threads.RemoveAll(static entry =>
            {
                // Happens before: a successful join orders all that the dead thread did before what follows.
                if (!entry.Thread.Join(0))
                {
                    return false;
                }

                for (int slot = 0; slot < entry.Share.Counts.Length; slot++)
                {
                    Bequeath(slot, entry.Share.Counts[slot]);
                }

                return true;
            });
            s_threads.Add((thread, share));
        }
    }

    /// <summary>Makes room for a pool in a thread's counts. Called on that thread.</summary>
    internal static ref PoolCounts Open(PoolThread share, QuireMemoryPool pool)
    {
        lock (s_gate)
        {
            if (s_pools[(int)pool.Slot] is not { } entry || !entry.TryGetTarget(out QuireMemoryPool? present) || present != pool)
            {
                // Disposed at this moment, and the slot may be another's.
                return ref share.Stray;
            }

            if (pool.Slot >= (uint)share.Counts.Length)
            {
                PoolCounts[] larger = new PoolCounts[Math.Max(4, System.Numerics.BitOperations.RoundUpToPowerOf2(pool.Slot + 1))];
                share.Counts.CopyTo(larger, 0);
                share.Counts = larger;
            }

            // A pool that had the slot before is gone, and nobody asks for its counts any more.
            ref PoolCounts counts = ref share.Counts[pool.Slot];
            counts = new PoolCounts { Pool = pool.Id };
            return ref counts;
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
            sum.Pool = pool.Id;
            foreach ((_, PoolThread share) in s_threads)
            {
                if (Mine(share, pool, out int slot))
                {
                    sum.Returns += Volatile.Read(ref share.Counts[slot].Returns);
                    sum.Given += Volatile.Read(ref share.Counts[slot].Given);
                }
            }

            foreach ((_, PoolThread share) in s_threads)
            {
                if (Mine(share, pool, out int slot))
                {
                    sum.Rents += Volatile.Read(ref share.Counts[slot].Rents);
                    sum.Taken += Volatile.Read(ref share.Counts[slot].Taken);
                    sum.Pins += Volatile.Read(ref share.Counts[slot].Pins);
                }
            }

            return sum;
        }
    }

    private static bool Mine(PoolThread share, QuireMemoryPool pool, out int slot)
    {
        slot = (int)pool.Slot;
        return slot < share.Counts.Length && share.Counts[slot].Pool == pool.Id;
    }

    private static void Bequeath(int slot, in PoolCounts counts)
    {
        if (s_pools[slot] is { } entry && entry.TryGetTarget(out QuireMemoryPool? pool) && pool.Id == counts.Pool)
        {
            pool.OfDeadThreads.Add(counts);
        }
    }
}
