using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// The ledger recorded a holder (<c>holder_take</c>); or, in a snapshot, had it on record (<c>holder_state</c>), with the time it was taken.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HolderTakeEvent
{
    internal EventHeader Header;
    internal ulong Pfn;
    internal ulong Generation;
    internal uint Ticket;
    internal int References;

    /// <summary>Bytes of the page that the holder uses.</summary>
    internal uint Bytes;

    /// <summary>A <see cref="HolderKind"/>.</summary>
    internal uint Kind;

    /// <summary>Leak scope; 0 for none.</summary>
    internal uint Scope;
    internal uint Stack;
    [Text]
    internal uint Site;

    /// <summary>In a snapshot: the thread that took it.</summary>
    internal int TakenPid;

    /// <summary>In a snapshot: when it was taken, in ns of the trace's clock, right to 20 ms.</summary>
    internal ulong Taken;

    /// <summary>In a snapshot: who answers for it now, where it was handed on; 0 otherwise.</summary>
    [Text]
    internal uint TouchedSite;
}

/// <summary>References left the ledger (<c>holder_release</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HolderReleaseEvent
{
    internal EventHeader Header;
    internal ulong Pfn;
    internal ulong Generation;
    internal uint Ticket;

    /// <summary>References that left now.</summary>
    internal int References;

    /// <summary>References that the holder has left; 0: the record ended.</summary>
    internal int Remaining;
    internal uint Stack;
    [Text]
    internal uint Site;
}

/// <summary>Responsibility for a reference passed on (<c>holder_touch</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HolderTouchEvent
{
    internal EventHeader Header;
    internal uint Ticket;

    /// <summary>The leak scope that answers for it from here on; unchanged where equal.</summary>
    internal uint Scope;
    internal uint Stack;
    [Text]
    internal uint Site;
}

/// <summary>The data moved, the reference is the same (<c>holder_move</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HolderMoveEvent
{
    internal EventHeader Header;

    /// <summary>Where it is now.</summary>
    internal ulong Pfn;
    internal ulong Generation;
    internal uint Ticket;
}

/// <summary>A holder's references were counted anew (<c>holder_count</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HolderCountEvent
{
    internal EventHeader Header;
    internal uint Ticket;

    /// <summary>References it has from now on.</summary>
    internal int References;
}

/// <summary>What a page was like at one moment (<c>page_state</c>, in snapshots).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PageStateEvent
{
    internal EventHeader Header;
    internal ulong Pfn;
    internal ulong Generation;
    internal uint Order;
    internal int Count;

    /// <summary>References that a fragment cache has in reserve.</summary>
    internal int Bias;
    internal int Pins;
    internal int Mt;
    [Text]
    internal uint Owner;
}
