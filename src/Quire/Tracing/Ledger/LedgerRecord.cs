using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>One entry of the ledger: references to one page that one holder took at once. One cache line.</summary>
/// <remarks>
/// Its life goes round through the phases of <see cref="LedgerState"/>:
/// <code>
/// Free --take--> Taking --> Live --release--> Releasing --> Free | Freed
///                           Live --touch--> Stamping --> Live
/// </code>
/// Who may write what: only the thread that moved <see cref="State"/> to Taking, Stamping or Releasing writes the other
/// fields, and only until it moves the state on; so a reader that finds the same state (and the same
/// <see cref="Stamps"/>) before and after has read a record that existed. The one exception is <see cref="Next"/>, which belongs
/// to the gate of the page's chain.
/// <para>
/// A record that was released keeps who took it and who released it until it is taken again: that is what a second release is
/// told.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = Size)]
internal unsafe struct LedgerRecord
{
    internal const int Size = 64;

    internal ulong State;       // phase, incarnation and references: the one word that decides, see LedgerState
    internal ulong Identity;    // the page: frame and generation, opaque here
    internal ulong TakenAt;     // milliseconds of CoarseClock
    internal uint TakenOrigin;    // call site or stack, see Origin
    internal uint TakenThread;  // number in LedgerThreads, never reused, unlike a thread id
    internal uint Bytes;        // bytes of the page that the holder uses
    internal uint Scope;        // leak scope, 0 for none
    internal uint LastAfter;    // milliseconds from TakenAt to the last touch while live, to the release when free; stops at 49 days
    internal uint LastOrigin;     // of the last touch while live, of the release when free
    internal uint LastThread;   // the same
    internal uint Stamps;       // touches since the take; 0: the fields Last* mean nothing yet
    internal uint Next;         // ticket of the page's next raw record, under the gate of the page's chain
    internal uint Kind;         // HolderKind in the low byte; above it how many references it stands for, where not all are recorded

    /// <summary>
    /// Copies all that readers may see, as of a state just read. To be believed only if <see cref="IsUnchanged"/> afterwards.
    /// </summary>
    internal static LedgerRecord Copy(LedgerRecord* record, ulong state) => new()
    {
        // Happens before: each load acquires, so the state that is read again afterwards is at least as new as any of these.
        State = state,
        Stamps = Atomic.LoadAcquire(ref record->Stamps),
        Identity = Atomic.LoadAcquire(ref record->Identity),
        TakenAt = Atomic.LoadAcquire(ref record->TakenAt),
        TakenOrigin = Atomic.LoadAcquire(ref record->TakenOrigin),
        TakenThread = Atomic.LoadAcquire(ref record->TakenThread),
        Bytes = Atomic.LoadAcquire(ref record->Bytes),
        Scope = Atomic.LoadAcquire(ref record->Scope),
        LastAfter = Atomic.LoadAcquire(ref record->LastAfter),
        LastOrigin = Atomic.LoadAcquire(ref record->LastOrigin),
        LastThread = Atomic.LoadAcquire(ref record->LastThread),
        Kind = Atomic.LoadAcquire(ref record->Kind),
    };

    /// <summary>True if no one wrote the record between the reading of the copy's state and now: then the copy is of one moment.</summary>
    /// <remarks>
    /// The state first, the stamps after it: a touch counts before it makes the record live again, with the same state as before.
    /// </remarks>
    internal static bool IsUnchanged(LedgerRecord* record, in LedgerRecord copy) =>
        Atomic.LoadAcquire(ref record->State) == copy.State && Atomic.LoadAcquire(ref record->Stamps) == copy.Stamps;
}

/// <summary>The word that decides about a record, and the ticket that names one of its incarnations.</summary>
/// <remarks>
/// <code>
/// state:  references 31 | incarnation 30 | phase 3        ticket:  sequence 10 | index 22
/// </code>
/// The ticket's sequence is the low ten bits of the incarnation, which skips every value whose low ten bits are 0: so no
/// ticket is 0, and phase and sequence lie together and are compared at once. A stale ticket is mistaken for a new one only after exactly a
/// multiple of 1,023 further takes of the same record, and then the identity of the page must match too. The whole incarnation,
/// which readers compare, comes round after a thousand million takes of one record.
/// </remarks>
internal static class LedgerState
{
    internal const uint Free = 0;
    internal const uint Live = 1;
    internal const uint Stamping = 2;
    internal const uint Releasing = 3;
    internal const uint Freed = 4;      // free, and its release was the one that freed the page
    internal const uint Taking = 5;

    internal const int IndexBits = 22;
    internal const uint IndexMask = (1u << IndexBits) - 1;
    internal const uint SequenceMask = (1u << 10) - 1;

    private const int PhaseBits = 3;
    private const ulong PhaseMask = (1u << PhaseBits) - 1;
    private const uint IncarnationMask = (1u << 30) - 1;
    private const int ReferencesShift = 33;
    private const ulong BelowReferences = (1ul << ReferencesShift) - 1;
    private const ulong PhaseAndSequence = (SequenceMask << PhaseBits) | (uint)PhaseMask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Phase(ulong state) => (uint)(state & PhaseMask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Incarnation(ulong state) => (uint)(state >> PhaseBits) & IncarnationMask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int References(ulong state) => (int)(state >> ReferencesShift);

    /// <summary>A state; <paramref name="references"/> is not negative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Make(uint phase, uint incarnation, int references) =>
        ((ulong)(uint)references << ReferencesShift) | ((ulong)incarnation << PhaseBits) | phase;

    /// <summary>The same incarnation and references in another phase.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong InPhase(ulong state, uint phase) => (state & ~PhaseMask) | phase;

    /// <summary>The same incarnation and phase with another count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong WithReferences(ulong state, int references) =>
        (state & BelowReferences) | ((ulong)(uint)references << ReferencesShift);

    /// <summary>The incarnation that the next take gives.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint NextIncarnation(ulong state)
    {
        uint next = (Incarnation(state) + 1) & IncarnationMask;
        return next + ((next & SequenceMask) == 0 ? 1u : 0u);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Ticket(uint index, uint incarnation) => (incarnation << IndexBits) | index;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Index(uint ticket) => ticket & IndexMask;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Sequence(uint ticket) => ticket >> IndexBits;

    /// <summary>True if the state is live and of the ticket's incarnation: one comparison.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsLive(ulong state, uint ticket) =>
        (state & PhaseAndSequence) == ((Sequence(ticket) << PhaseBits) | Live);

    /// <summary>True if the state is of the ticket's incarnation, in whatever phase.</summary>
    internal static bool IsOf(ulong state, uint ticket) => (Incarnation(state) & SequenceMask) == Sequence(ticket);
}
