using System.Runtime.InteropServices;

namespace Quire;

/// <summary>The free records at one thread's hand, and its number: all that a take and a release write besides the record.</summary>
/// <remarks>
/// Equation: <c>Tail - Head</c> is the number of free records in it, 0 to <see cref="Capacity"/>; both only ever grow, so they also
/// count what passed through. Only the owner writes, without atomics. A record leaves at the head and comes back at the tail: a
/// released one is taken again as late as possible, and until then it can say who released it.
/// <para>
/// Outside the GC heap, aligned to a cache line, so that two threads' heads never share one. Never freed: a dead
/// thread's ring is adopted by the next thread, so there are as many as threads lived at once.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal unsafe struct LedgerRing
{
    internal const uint Capacity = 512;
    internal const uint SlotMask = Capacity - 1;
    private const int Size = (16 + ((int)Capacity * sizeof(uint)) + 63) / 64 * 64;

    /// <summary>The ring that this thread used last; of which ledger, its <see cref="Store"/> tells.</summary>
    [ThreadStatic]
    internal static LedgerRing* t_current;

    internal uint Head;
    internal uint Tail;
    internal uint Thread;   // the owner's number in LedgerThreads
    internal uint Store;    // the number of its ledger: tests have ledgers of their own
    internal fixed uint Slots[(int)Capacity];

    internal readonly uint Count => Tail - Head;

    internal static LedgerRing* Create(uint store)
    {
        LedgerRing* ring = (LedgerRing*)NativeMemory.AlignedAlloc(Size, 64);
        NativeMemory.Clear(ring, Size);
        ring->Store = store;
        return ring;
    }
}
