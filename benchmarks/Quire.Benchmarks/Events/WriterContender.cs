using System.Diagnostics;
using System.Runtime.CompilerServices;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Events;

/// <summary>What a program calls to have events written.</summary>
internal interface IEventWriter
{
    void Write(int number);
}

/// <summary>Events written one after the other, at whatever depth the harness is.</summary>
internal sealed class WriterContender<TWriter>(string name, ContenderRole role, TWriter writer) : Contender(name, role)
    where TWriter : struct, IEventWriter
{
    private readonly TWriter _writer = writer;

    protected override double Turn(int operations)
    {
        long start = Stopwatch.GetTimestamp();
        Loop(operations);
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / operations;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Loop(int operations)
    {
        TWriter writer = _writer;
        for (int i = 0; i < operations; i++)
        {
            writer.Write(i);
        }
    }
}
