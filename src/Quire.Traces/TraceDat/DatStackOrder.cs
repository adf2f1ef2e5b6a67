namespace Quire.Traces;

/// <summary>On which side of its event the kernel writes a stack.</summary>
internal enum DatStackOrder
{
    /// <summary>Behind it: the <c>stacktrace</c> option, and triggers with a condition.</summary>
    After,

    /// <summary>Before it: a <c>stacktrace</c> trigger without a condition runs before the event is given its place in the buffer.</summary>
    Before,
}

/// <summary>
/// Finds out on which side of their events a file's stacks stand; the file does not say it. A stack and its own event are written in one go, a microsecond apart; the
/// event on its other side comes whenever it comes. So over many stacks the side that is nearer in sum is the right one.
/// </summary>
internal sealed class DatStackSide
{
    /// <summary>Stacks with an event on both sides, below which the common order is taken.</summary>
    private const int MinimumPairs = 16;

    /// <summary>How much nearer the events behind must be to be believed.</summary>
    private const int Clearly = 4;

    /// <summary>ns. What is farther than this does not belong together, however much farther: one interrupt in between, or one idle second, is not to outweigh all others.</summary>
    private const long Far = 100_000;

    private readonly (ulong Context, long Time, bool IsThere)[] _events = new (ulong, long, bool)[DatEvent.Levels];
    private readonly (ulong Context, long Time, long Before, bool IsThere)[] _stacks = new (ulong, long, long, bool)[DatEvent.Levels];
    private long _before;
    private long _after;
    private int _pairs;

    internal DatStackOrder Order => _pairs >= MinimumPairs && _after * Clearly < _before ? DatStackOrder.Before : DatStackOrder.After;

    /// <summary>The events to come are another CPU's, or some were lost before them.</summary>
    internal void Break()
    {
        Array.Clear(_events);
        Array.Clear(_stacks);
    }

    /// <summary>The next event or stack of a CPU.</summary>
    internal void Add(in DatEvent next, bool isStack)
    {
        if (next.Lost != 0)
        {
            Break();
        }

        int level = next.Level;
        ulong context = next.Context;
        ref (ulong Context, long Time, bool IsThere) last = ref _events[level];
        ref (ulong Context, long Time, long Before, bool IsThere) stack = ref _stacks[level];
        if (isStack)
        {
            stack = (context, next.Time, next.Time - last.Time, last.IsThere && last.Context == context);
            last.IsThere = false;
            return;
        }

        if (stack.IsThere && stack.Context == context)
        {
            _before += Math.Clamp(stack.Before, 0, Far);
            _after += Math.Clamp(next.Time - stack.Time, 0, Far);
            _pairs++;
        }

        stack.IsThere = false;
        last = (context, next.Time, true);
    }
}

/// <summary>Which events are stacks; type -1 where none is.</summary>
/// <param name="Type">Number of the kernel's stacks (<c>kernel_stack</c>).</param>
/// <param name="UserType">Number of the user's (<c>user_stack</c>), which are events by themselves and have no stack.</param>
/// <param name="Order">On which side of its event a stack stands.</param>
internal readonly record struct DatStackKind(int Type, int UserType, DatStackOrder Order);
