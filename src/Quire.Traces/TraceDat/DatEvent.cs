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

    /// <summary>What an event and its stack have in common: flags, preemption count and thread. An interrupt between the two differs.</summary>
    internal readonly ulong Context => *(ulong*)Payload >> 16;
}
