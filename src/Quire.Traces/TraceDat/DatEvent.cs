namespace Quire.Traces;

/// <summary>One event where it lies in its page.</summary>
internal unsafe struct DatEvent
{
    internal byte* Payload;
    internal int Length;

    /// <summary>The event's number (<c>common_type</c>).</summary>
    internal ushort Type;

    /// <summary>A stack that its event has already taken.</summary>
    internal bool IsTaken;

    internal long Time;

    /// <summary>Events lost before it on its CPU; -1 where nobody knows how many.</summary>
    internal long Lost;

    /// <summary>The chunk of packed pages it lies in.</summary>
    internal long Chunk;

    /// <summary>Kinds of interrupts that may nest: soft, hard, not maskable.</summary>
    internal const int Levels = 8;

    /// <summary>Of <c>common_flags</c>, in a hard interrupt, in a soft one, in one that can't be masked.</summary>
    private const byte InterruptFlags = 0x08 | 0x10 | 0x40;

    /// <summary>
    /// What an event and its stack have in common: thread, and which interrupts it happened in. Within one of these nothing else of the same can come between the two, for
    /// a tracepoint is not preempted. The other flags and the preemption count may differ: a trigger takes its own.
    /// </summary>
    internal readonly ulong Context => *(uint*)(Payload + 4) | ((ulong)(Payload[2] & InterruptFlags) << 32);

    /// <summary>Which interrupts it happened in, from 0 (none) on.</summary>
    internal readonly int Level => ((Payload[2] >> 3) & 3) | ((Payload[2] >> 4) & 4);
}
