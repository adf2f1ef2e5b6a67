using System.Runtime.CompilerServices;

namespace Quire;

/// <content>What is counted, and checked.</content>
public sealed unsafe partial class QuireMemoryPool
{
    /// <summary>The counts of threads that have ended. Guarded by the lock of <see cref="PoolThreads"/>.</summary>
    internal PoolCounts OfDeadThreads;

    /// <summary>What the pool's owners are doing: sums over all threads, so not for a hot path.</summary>
    public QuireMemoryPoolStatistics GetStatistics()
    {
        PoolCounts sum = PoolThreads.Sum(this);
        return new QuireMemoryPoolStatistics
        {
            Rents = sum.Rents,
            Returns = sum.Returns,
            RentedBytes = sum.Bytes,
            Pins = sum.Pins,
            Waiters = Queued,
            FreeOwners = PoolThreads.FreeOwners,
        };
    }

    /// <summary>All pools of the process that are not disposed, <see cref="Shared"/> included once it was used; for diagnostics. Safe on any thread.</summary>
    public static IReadOnlyList<QuireMemoryPool> All() => PoolThreads.Pools();

    /// <summary>The figures of all pools, for the meter.</summary>
    private static IEnumerable<PoolMetrics> Metrics() => All().Where(static pool => !pool.Allocator.IsDisposed).Select(static pool =>
    {
        PoolCounts sum = PoolThreads.Sum(pool);
        PageAllocatorStatistics pages = pool.Allocator.GetStatistics();
        return new PoolMetrics(
            pool.Name,
            pages.FreeBytes - (pages.DecommittedFrames * PageMap.FrameSize),
            pool.Allocator.CommittedEver,
            pool.Allocator.DecommittedEver,
            sum.Taken,
            sum.Bytes,
            pool.Queued);
    });

    /// <summary>A slice or a pin was taken of an owner of this pool.</summary>
    internal void CountShare(PageMemory.OwnerKind kind, int length)
    {
        PoolShare share = PoolThread.Mine().ShareOf(this);
        if (kind == PageMemory.OwnerKind.Pin)
        {
            Volatile.Write(ref share.Pins, share.Pins + 1);
            return;
        }

        // Happens before: as in a rent. The owner that is shared is out already, so a disposer counts at least that one.
        Volatile.Write(ref share.Rents, share.Rents + 1);
        share.Taken += length;
    }

    /// <summary>An owner, a slice or a pin has ended, and its memory is where an allocation finds it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Returned(PoolShare share, PageMemory.OwnerKind kind, int length)
    {
        if (kind == PageMemory.OwnerKind.Pin)
        {
            share.Pins--;
        }
        else
        {
            Volatile.Write(ref share.Returns, share.Returns + 1);
            share.Given += length;
        }

        // After the memory: see WaiterSignal.
        if (_signal.AnyWaits)
        {
            Pump();
        }
    }

    /// <summary>Checks the equations of the pool, and of its allocator. No thread may be renting or disposing; meant for tests.</summary>
    /// <exception cref="InvalidOperationException">An equation does not hold; the message says which.</exception>
    internal void Verify()
    {
        PoolCounts sum = PoolThreads.Sum(this);
        Invariant.Holds(sum.Rents >= sum.Returns, "a pool has {0} returns, more than rents", (ulong)sum.Returns);
        Invariant.Holds(sum.Bytes >= 0 && (sum.Rents != sum.Returns || sum.Bytes == 0), "a pool's rented bytes, {0}, do not fit its owners", (ulong)sum.Bytes);
        Invariant.Holds(sum.Pins >= 0, "a pool has more pins ended than made, by {0}", (ulong)-sum.Pins);
        Invariant.Holds(_signal.Waiters == Queued, "a pool's count of waiters, {0}, is not that of its queue", (ulong)_signal.Waiters);
        _stripes?.Verify();
        _shelf?.Verify();
        if (sum.Rents == sum.Returns && sum.Pins == 0 && _ownsAllocator)
        {
            _stripes?.Drain();
            _shelf?.Drain();
            Invariant.Holds(Allocator.GetStatistics().InUseFrames == 0, "{0} frames are in use of a pool that has no owner out", (ulong)Allocator.GetStatistics().InUseFrames);
        }

        Allocator.Verify();
    }
}
