using System.Diagnostics;
using System.Runtime.CompilerServices;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Work;

/// <summary>On one thread: 32 blocks are taken into an array, then the 32 are dropped in the same order.</summary>
/// <remarks>
/// 32 are out at once, so no allocator gets away with one slot that it fills and empties. That is a burst of packets.
/// </remarks>
internal sealed unsafe class BatchContender<TBlocks, T> : Contender
    where TBlocks : struct, IBlocks<T>
    where T : struct
{
    public const int Batch = 32;

    private readonly TBlocks _blocks;
    private readonly T[] _batch;

    /// <summary>The pinned array's first element.</summary>
    private readonly byte* _slots;

    public BatchContender(string name, ContenderRole role, TBlocks blocks)
        : base(name, role)
    {
        _blocks = blocks;
        _batch = GC.AllocateArray<T>(Batch, pinned: true);
        _slots = (byte*)Unsafe.AsPointer(ref _batch[0]);
    }

    protected override double Turn(int operations)
    {
        int batches = (operations + Batch - 1) / Batch;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < batches; i++)
        {
            TakeAll();
            DropAll();
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / ((double)batches * Batch);
    }

    // Two methods rather than two loops in one: together they have more live values than the machine has registers that
    // survive a call, and the spilled loop counter cost the native peers more than a nanosecond a block, which is not theirs.
    // For the same reason handles without references go through a pointer: a reference into the array is spilled around
    // each native call, a pointer is not.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void TakeAll()
    {
        TBlocks blocks = _blocks;
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            T[] batch = _batch;
            for (int i = 0; i < batch.Length; i++)
            {
                batch[i] = blocks.Take();
            }
        }
        else
        {
            byte* slot = _slots;
            for (int i = 0; i < Batch; i++)
            {
                Unsafe.Write(slot, blocks.Take());
                slot += Unsafe.SizeOf<T>();
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DropAll()
    {
        TBlocks blocks = _blocks;
        if (RuntimeHelpers.IsReferenceOrContainsReferences<T>())
        {
            T[] batch = _batch;
            for (int i = 0; i < batch.Length; i++)
            {
                blocks.Drop(batch[i]);
            }
        }
        else
        {
            byte* slot = _slots;
            for (int i = 0; i < Batch; i++)
            {
                blocks.Drop(Unsafe.Read<T>(slot));
                slot += Unsafe.SizeOf<T>();
            }
        }
    }
}
