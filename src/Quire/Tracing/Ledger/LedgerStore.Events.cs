using System.Runtime.CompilerServices;

namespace Quire;

/// <content>What a recording is told: every change of a record, after it happened and by the thread that made it.</content>
/// <remarks>
/// Order: a ticket leaves its taker only after the event of its taking was written, so a release can't be stamped before it. Parts of one record that several threads
/// release may be stamped in another order than they were; so an event says what left, and the sum is what counts.
/// </remarks>
internal sealed unsafe partial class LedgerStore
{
    private bool Traces
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Tracking.Recording && _isTraced;
    }

    /// <summary>The event of a live record, as it was taken or, in a snapshot, as it stands.</summary>
    internal static HolderTakeEvent Event(ulong identity, uint ticket, int references, uint bytes, HolderKind kind, uint scope, uint origin) => new()
    {
        Pfn = identity & Ledger.FrameMask,
        Generation = identity >> Ledger.FrameBits,
        Ticket = ticket,
        References = references,
        Bytes = bytes,
        Kind = (uint)kind,
        Scope = scope,
        Stack = Origin.StackNumber(origin),
        Site = Origin.SiteNumber(origin),
    };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TraceTake(ulong identity, uint ticket, int references, uint bytes, HolderKind kind, uint origin)
    {
        HolderTakeEvent taken = Event(identity, ticket, references, bytes, kind, LedgerScope.t_current, origin);
        TraceRings.Write(Tracepoint.HolderTake, ref taken);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TraceRelease(ulong identity, uint ticket, int references, int remaining, uint origin)
    {
        HolderReleaseEvent released = new()
        {
            Pfn = identity & Ledger.FrameMask,
            Generation = identity >> Ledger.FrameBits,
            Ticket = ticket,
            References = references,
            Remaining = remaining,
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
        };
        TraceRings.Write(Tracepoint.HolderRelease, ref released);
    }

    private static void TraceTouch(uint ticket, uint scope, uint origin)
    {
        HolderTouchEvent touched = new()
        {
            Ticket = ticket,
            Scope = scope,
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
        };
        TraceRings.Write(Tracepoint.HolderTouch, ref touched);
    }

    private static void TraceMove(uint ticket, ulong identity)
    {
        HolderMoveEvent moved = new() { Pfn = identity & Ledger.FrameMask, Generation = identity >> Ledger.FrameBits, Ticket = ticket };
        TraceRings.Write(Tracepoint.HolderMove, ref moved);
    }

    private static void TraceCount(uint ticket, int references)
    {
        HolderCountEvent counted = new() { Ticket = ticket, References = references };
        TraceRings.Write(Tracepoint.HolderCount, ref counted);
    }
}
