using System.Diagnostics;
using System.Runtime.CompilerServices;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Work;

/// <summary>How a handoff's second thread works.</summary>
/// <param name="Batched">It takes what is there, up to <see cref="MostABatch"/>, and drops that at once.</param>
/// <param name="Reads">It reads each block's first byte before it drops it.</param>
internal readonly record struct HandoffStyle(bool Batched, bool Reads)
{
    public const int RingCapacity = 512;
    public const int MostABatch = 64;
}

/// <summary>
/// Blocks are taken on one thread, handed through a ring of 512, and dropped on another: the kernel's own test of its page fragments.
/// </summary>
/// <remarks>Time runs from the first block taken, both threads awake, to the last one dropped.</remarks>
internal sealed class HandoffContender<TBlocks, T>(
    string name, ContenderRole role, TBlocks blocks, Consumer consumer, HandoffStyle style) : Contender(name, role), IConsumerJob
    where TBlocks : struct, IBlocks<T>
    where T : struct
{
    private readonly TBlocks _blocks = blocks;
    private readonly SpscRing<T> _ring = new(HandoffStyle.RingCapacity);
    private readonly T[] _batch = new T[HandoffStyle.MostABatch];
    private int _sum;

    protected override long PreemptionsElsewhere => consumer.Preempted;

    protected override double Turn(int operations)
    {
        consumer.Begin(this, operations);
        long start = Stopwatch.GetTimestamp();
        Produce(operations);
        consumer.Join();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / operations;
    }

    void IConsumerJob.Consume(int operations)
    {
        if (style.Batched)
        {
            ConsumeBatches(operations);
        }
        else
        {
            ConsumeOneByOne(operations);
        }
    }

    void IConsumerJob.Abandon() => _ring.Abandon();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Produce(int operations)
    {
        TBlocks blocks = _blocks;
        SpscRing<T> ring = _ring;
        for (int i = 0; i < operations; i++)
        {
            ring.Put(blocks.Take());
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ConsumeOneByOne(int operations)
    {
        TBlocks blocks = _blocks;
        SpscRing<T> ring = _ring;
        bool reads = style.Reads;
        int sum = 0;
        for (int i = 0; i < operations; i++)
        {
            T block = ring.Take();
            if (reads)
            {
                sum += blocks.Read(block);
            }

            blocks.DropElsewhere(block);
        }

        _sum += sum;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ConsumeBatches(int operations)
    {
        TBlocks blocks = _blocks;
        SpscRing<T> ring = _ring;
        bool reads = style.Reads;
        int sum = 0;
        for (int left = operations; left > 0;)
        {
            Span<T> batch = _batch.AsSpan(0, Math.Min(left, _batch.Length));
            batch = batch[..ring.Take(batch)];
            if (reads)
            {
                foreach (T block in batch)
                {
                    sum += blocks.Read(block);
                }
            }

            blocks.DropElsewhere(batch);
            left -= batch.Length;
        }

        _sum += sum;
    }
}
