using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <content>Which stack belongs to the event at hand.</content>
internal sealed unsafe partial class DatCursor
{
    private readonly Waiting[] _waiting = new Waiting[DatEvent.Levels];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FindStack()
    {
        ulong context = _current.Context;
        for (int at = 0; at < AheadSlots - 1 && TryPeek(at); at++)
        {
            ref DatEvent next = ref _ahead[(_first + at) & (AheadSlots - 1)];
            if (next.Lost != 0)
            {
                return;
            }

            if (next.Context != context || next.IsTaken || next.Type == _stacks.UserType)
            {
                continue;
            }

            if (next.Type != _stackType)
            {
                return;
            }

            StackPayload = next.Payload;
            StackLength = next.Length;
            if (at == 0)
            {
                Drop();
            }
            else
            {
                next.IsTaken = true;
            }

            return;
        }
    }

    /// <summary>A stack whose event is still to come.</summary>
    private void Wait(in DatEvent stack)
    {
        if (stack.Lost != 0)
        {
            NoneWaits();
        }

        ref Waiting waiting = ref _waiting[stack.Level];
        _counters.StacksAlone += waiting.Payload is null ? 0 : 1;
        waiting = new Waiting { Payload = stack.Payload, Length = stack.Length, Context = stack.Context, Chunk = stack.Chunk };
    }

    private void TakeWaiting(bool isLoss)
    {
        if (isLoss)
        {
            NoneWaits();
        }

        ref Waiting waiting = ref _waiting[_current.Level];
        if (waiting.Payload is null)
        {
            return;
        }

        // Two chunks stay where they are; a stack from before those is gone.
        if (waiting.Context == _current.Context && waiting.Chunk + 1 >= _pages.Chunk)
        {
            StackPayload = waiting.Payload;
            StackLength = waiting.Length;
        }
        else
        {
            _counters.StacksAlone++;
        }

        waiting = default;
    }

    private void NoneWaits()
    {
        foreach (ref Waiting waiting in _waiting.AsSpan())
        {
            _counters.StacksAlone += waiting.Payload is null ? 0 : 1;
            waiting = default;
        }
    }

    /// <summary>A stack that stands before its event.</summary>
    private struct Waiting
    {
        internal byte* Payload;
        internal int Length;
        internal ulong Context;
        internal long Chunk;
    }
}
