using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// The small rents of a pool with an allocator of its own: a few fragment caches that any thread may use, one at a time each. A thread keeps to one, until it finds it occupied.
/// </summary>
/// <remarks>
/// <para>
/// The alternative was a cache for each thread, as <see cref="PageFragmentCache.Current"/> is. Rejected: only its owner may drain a cache's current page, so a pool could not be disposed, and under a limit
/// a page a thread could not be had back. The price is one exchange to enter a stripe.
/// </para>
/// <para>
/// Nobody waits for a stripe: who finds it occupied tries the others, and who finds all occupied gets no fragment (its caller then takes a page). Hence whoever is inside may block (growth of the
/// allocator), may be taken off its core, and may even come back to the pool, from a listener of its failure: nothing can wait for it.
/// Only <see cref="Close"/> waits. Chosen by thread and not by core: asking for the core costs as much as half the rest. Kernel: <c>netdev_alloc_frag</c>, whose cache is per CPU.
/// </para>
/// </remarks>
internal sealed unsafe class FragmentStripes
{
    private readonly PageAllocator _allocator;
    private readonly Stripe[] _stripes;
    private readonly Action<bool> _reclaim;

    internal FragmentStripes(PageAllocator allocator)
    {
        _allocator = allocator;
        _stripes = new Stripe[BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount)];
        for (int i = 0; i < _stripes.Length; i++)
        {
            _stripes[i] = new Stripe(allocator);
        }

        _reclaim = Reclaim;
        allocator.AddReclaimer(_reclaim);
    }

    /// <summary>Takes a fragment while the ledger is off and the current page of the stripe has room. The hot way: nothing in it can fail half-way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryCut(PoolShare share, int size, out PageFragment fragment, out byte* address)
    {
        Stripe[] stripes = _stripes;
        Stripe stripe = stripes[share.Stripe & (stripes.Length - 1)];
        if (stripe.TryEnter())
        {
            bool cut = stripe.Cache.TryCut(size, out fragment, out address);
            stripe.Exit();
            return cut;
        }

        fragment = default;
        address = null;
        return false;
    }

    /// <summary>Takes a fragment, with a new page for it if need be.</summary>
    /// <param name="share">The thread's share; it moves on to the stripe that served it.</param>
    /// <param name="size">Bytes, 1 to what a page of order 0 holds.</param>
    /// <param name="fragment">The fragment.</param>
    /// <param name="failure">Why there is none; <see cref="AllocationFailure.None"/> where only all stripes were occupied.</param>
    /// <param name="site">The call site, while the ledger is on.</param>
    internal bool TryTake(PoolShare share, int size, out PageFragment fragment, out AllocationFailure failure, CallSite site)
    {
        failure = AllocationFailure.None;
        int first = share.Stripe;
        for (int i = 0; i < _stripes.Length; i++)
        {
            Stripe stripe = _stripes[(first + i) & (_stripes.Length - 1)];
            if (stripe.TryEnter())
            {
                try
                {
                    // After a failure the others are asked all the same: their current pages may have room, which no allocator gives back.
                    if ((failure == AllocationFailure.None || stripe.Cache.HasRoom(size))
                        && stripe.Cache.TryAllocate(size, out fragment, out failure, PageFragmentCache.MinAlignment, site.File, site.Line, site.Member))
                    {
                        share.Stripe = first + i;
                        return true;
                    }
                }
                finally
                {
                    stripe.Exit();
                }
            }
        }

        fragment = default;
        return false;
    }

    /// <summary>True where a current page has room now, or somebody is about to say.</summary>
    internal bool HasRoom(int size)
    {
        foreach (Stripe stripe in _stripes)
        {
            if (!stripe.TryEnter())
            {
                return true;
            }

            bool has = stripe.Cache.HasRoom(size);
            stripe.Exit();
            if (has)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Gives back what no fragment is out of: everywhere, or (false) where no page was changed since the last call. Waits for nobody.</summary>
    internal void Reclaim(bool all)
    {
        foreach (Stripe stripe in _stripes)
        {
            if (stripe.TryEnter())
            {
                try
                {
                    if (all || stripe.Rounds == stripe.Cache.Rounds)
                    {
                        stripe.Cache.DrainUnused();
                    }

                    stripe.Rounds = stripe.Cache.Rounds;
                }
                finally
                {
                    stripe.Exit();
                }
            }
        }
    }

    /// <summary>Gives back all that the caches have; waits for those who are inside. The stripes can be used again.</summary>
    internal void Drain() => ForEach(static cache => cache.DrainQuietly());

    /// <summary>The same for good.</summary>
    internal void Close()
    {
        _allocator.RemoveReclaimer(_reclaim);
        ForEach(static cache => cache.Close());
    }

    /// <summary>No thread may be renting or disposing.</summary>
    internal void Verify() => ForEach(static cache => cache.Verify());

    private void ForEach(Action<PageFragmentCache> action)
    {
        foreach (Stripe stripe in _stripes)
        {
            SpinWait spin = default;
            while (!stripe.TryEnter())
            {
                // Sleeps in the end: who is inside may be mapping memory.
                spin.SpinOnce();
            }

            try
            {
                action(stripe.Cache);
            }
            finally
            {
                stripe.Exit();
            }
        }
    }

    private sealed class Stripe(PageAllocator allocator)
    {
        private Line _line;

        internal PageFragmentCache Cache { get; } = new(allocator);

        /// <summary>The cache's rounds at the last reclaim. Belongs to who is inside.</summary>
        internal long Rounds { get; set; }

        /// <summary>Happens before: the exchange that finds 0 follows the release by the one who was inside last, so all that was done to the cache is seen.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal bool TryEnter() => Atomic.CompareExchange(ref _line.Occupied, 1, 0) == 0;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal void Exit() => Atomic.StoreRelease(ref _line.Occupied, 0);

        /// <summary>A cache line on each side: stripes are made one after another, and lie so.</summary>
        [StructLayout(LayoutKind.Explicit, Size = 128)]
        private struct Line
        {
            [FieldOffset(64)]
            internal int Occupied;
        }
    }
}
