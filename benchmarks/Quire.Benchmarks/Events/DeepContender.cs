using System.Diagnostics;
using System.Runtime.CompilerServices;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Events;

/// <summary>Events written by a method that stands exactly <see cref="Frames"/> managed frames above the thread's start.</summary>
/// <remarks>
/// The harness has some frames of its own; the rest is made up by a method that calls itself. The depth is looked up in each turn, before its time
/// runs, so that no figure can come from another depth than it says.
/// </remarks>
/// <param name="name">Its name in the table.</param>
/// <param name="role">Its role.</param>
/// <param name="writer">Writes.</param>
/// <param name="events">Events a call of <paramref name="writer"/>: figures are for one of them.</param>
internal sealed class DeepContender<TWriter>(string name, ContenderRole role, TWriter writer, int events) : Contender(name, role)
    where TWriter : struct, IEventWriter
{
    public const int Frames = 16;

    private readonly TWriter _writer = writer;
    private int _returned;

    protected override double Turn(int operations)
    {
        // What stands above this method when the loop runs: the descents, and the loop itself.
        int descents = Frames - new StackTrace().FrameCount - 1;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(descents);
        return Descend(descents, (operations + events - 1) / events) / events;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private double Descend(int descents, int calls)
    {
        double nanoseconds = descents > 1 ? Descend(descents - 1, calls) : Loop(calls);

        // After the call, so that it is a call and not a jump.
        _returned++;
        return nanoseconds;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private double Loop(int calls)
    {
        if (new StackTrace().FrameCount is var frames && frames != Frames)
        {
            throw new InvalidOperationException($"the events would be written at {frames} frames, not at {Frames}");
        }

        TWriter writer = _writer;
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
        {
            writer.Write(i);
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / calls;
    }
}
