namespace Quire;

/// <summary>
/// Where free owners wait for a thread that needs some: a thread that only rents gets those of a thread that only disposes, <see cref="OwnerBatch.Size"/> at a time.
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

    /// <summary>Takes a batch of owners; returns how many, 0 or <see cref="OwnerBatch.Size"/>.</summary>
    internal static int TryTake(Span<PageMemory?> owners)
    {
        s_gate.Enter();
        OwnerBatch? batch = s_full;
        if (batch is not null)
        {
            s_full = batch.Next;
            s_fullCount--;
        }

        s_gate.Exit();
        if (batch is null)
        {
            return 0;
        }

        // Outside the gate: the batch is this thread's now.
        batch.Owners.CopyTo(owners);
        Array.Clear(batch.Owners);
        s_gate.Enter();
        batch.Next = s_empty;
        s_empty = batch;
        s_gate.Exit();
        return OwnerBatch.Size;
    }

    /// <summary>Keeps a batch of owners, unless there are enough.</summary>
    internal static void Give(ReadOnlySpan<PageMemory?> owners)
    {
        s_gate.Enter();
        bool isFull = s_fullCount >= MostBatches;
        OwnerBatch? batch = s_empty;
        if (batch is not null && !isFull)
        {
            s_empty = batch.Next;
        }

        s_gate.Exit();
        if (isFull)
        {
            return;
        }

        batch ??= new OwnerBatch();
        owners.CopyTo(batch.Owners);

        // Some threads at once may pass the bound by a batch each.
        s_gate.Enter();
        batch.Next = s_full;
        s_full = batch;
        s_fullCount++;
        s_gate.Exit();
    }
}
