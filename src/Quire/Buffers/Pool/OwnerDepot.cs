namespace Quire;

/// <summary>
/// Where full batches of free owners wait for a thread that needs some: a thread that only rents gets those of a thread that only disposes, one batch of
/// <see cref="OwnerBatch.Size"/> for one gate.
/// </summary>
/// <remarks>
/// Bounded: <see cref="MostBatches"/> batches, that is 16,384 owners of 64 bytes, 1 MiB a process; those above go to the collector. After a burst of a million owners the rest is
/// garbage at once, and the next burst makes them anew.
/// </remarks>
internal static class OwnerDepot
{
    internal const int MostBatches = 512;

    private static SpinGate s_gate;
    private static OwnerBatch? s_full;
    private static OwnerBatch? s_empty;
    private static int s_fullCount;

    /// <summary>Free owners that wait here.</summary>
    internal static int Owners => Volatile.Read(ref s_fullCount) * OwnerBatch.Size;

    /// <summary>A full batch for an empty one; null, and the empty one stays the caller's, where there is none.</summary>
    internal static OwnerBatch? TryExchangeForFull(OwnerBatch empty)
    {
        s_gate.Enter();
        OwnerBatch? full = s_full;
        if (full is not null)
        {
            s_full = full.Next;
            full.Next = null;
            s_fullCount--;
            empty.Next = s_empty;
            s_empty = empty;
        }

        s_gate.Exit();
        return full;
    }

    /// <summary>An empty batch for a full one.</summary>
    internal static OwnerBatch ExchangeForEmpty(OwnerBatch full)
    {
        s_gate.Enter();
        OwnerBatch? empty = s_empty;
        if (s_fullCount < MostBatches)
        {
            full.Next = s_full;
            s_full = full;
            s_fullCount++;
        }

        if (empty is not null)
        {
            s_empty = empty.Next;
            empty.Next = null;
        }

        s_gate.Exit();
        return empty ?? new OwnerBatch();
    }
}
