using System.Diagnostics;
using System.Runtime.CompilerServices;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Work;

/// <summary>On one thread: a block is taken and dropped at once, again and again.</summary>
internal sealed class PairContender<TBlocks, T>(string name, ContenderRole role, TBlocks blocks) : Contender(name, role)
    where TBlocks : struct, IBlocks<T>
    where T : struct
{
    private readonly TBlocks _blocks = blocks;

    protected override double Turn(int operations)
    {
        long start = Stopwatch.GetTimestamp();
        Loop(operations);
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / operations;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Loop(int operations)
    {
        TBlocks blocks = _blocks;
        for (int i = 0; i < operations; i++)
        {
            blocks.Drop(blocks.Take());
        }
    }
}
