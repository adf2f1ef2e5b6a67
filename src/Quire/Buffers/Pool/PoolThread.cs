using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>What one thread has of all memory pools: free owners, and its share of each pool. One object, so that a rent looks up one thread static, which costs as much as two cache lines.</summary>
internal sealed class PoolThread
{
    /// <summary>Owners kept at most.</summary>
    internal const int MostOwners = 2 * OwnerBatch.Size;

    [ThreadStatic]
    internal static PoolThread? t_current;

    private int _count;
    private Slots _owners;

    /// <summary>The share used last; most threads use one pool.</summary>
    internal PoolShare Last = PoolShare.None;

    /// <summary>By the pools' slots. Replaced under the lock of <see cref="PoolThreads"/>.</summary>
    internal PoolShare?[] Shares = [];

    /// <summary>Free owners that wait here.</summary>
    internal int Owners => Volatile.Read(ref _count);

    /// <summary>The calling thread's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PoolThread Mine() => t_current ?? Enter();

    /// <summary>The thread's share of a pool.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PoolShare ShareOf(QuireMemoryPool pool)
    {
        PoolShare last = Last;
        return last.Pool == pool.Id ? last : ShareSlow(pool);
    }

    /// <summary>A free owner.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal PageMemory Take()
    {
        // Two threads that dispose one object at once, against the rules, may put it into two lists; whoever finds it in use leaves it there. So one object is never given to two.
        int count = _count - 1;
        if ((uint)count < MostOwners)
        {
            _count = count;
            PageMemory owner = _owners[count]!;
            if (owner.IsFree)
            {
                return owner;
            }
        }

        return TakeSlow();
    }

    /// <summary>Keeps an owner that is free.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Keep(PageMemory owner)
    {
        int count = _count;
        if ((uint)count >= MostOwners)
        {
            KeepSlow(owner);
            return;
        }

        // Mostly it lies there still: what is taken leaves its place as it is. Comparing is cheaper than the collector's barrier.
        if (_owners[count] != owner)
        {
            _owners[count] = owner;
        }

        _count = count + 1;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static PoolThread Enter()
    {
        PoolThread thread = new();
        PoolThreads.Add(Thread.CurrentThread, thread);
        return t_current = thread;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PoolShare ShareSlow(QuireMemoryPool pool)
    {
        PoolShare?[] shares = Shares;
        uint slot = pool.Slot;
        PoolShare share = slot < (uint)shares.Length && shares[slot] is { } mine && mine.Pool == pool.Id ? mine : PoolThreads.Open(this, pool);
        return Last = share;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageMemory TakeSlow()
    {
        while (true)
        {
            if (_count == 0)
            {
                _count = OwnerDepot.TryTake(_owners);
                if (_count == 0)
                {
                    return new PageMemory();
                }
            }

            if (_owners[--_count] is { IsFree: true } owner)
            {
                return owner;
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void KeepSlow(PageMemory owner)
    {
        // The half that came first goes, so that between two visits to the depot there lie 32 owners at least.
        Span<PageMemory?> all = _owners;
        OwnerDepot.Give(all[..OwnerBatch.Size]);
        all[OwnerBatch.Size..].CopyTo(all);
        _count = OwnerBatch.Size;
        Keep(owner);
    }

    [InlineArray(MostOwners)]
    private struct Slots
    {
        private PageMemory? _first;
    }
}
