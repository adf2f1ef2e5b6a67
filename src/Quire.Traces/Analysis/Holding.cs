namespace Quire.Traces.Analysis;

/// <summary>References to one page that one holder took at once and has not given back: what one ticket of the ledger stands for.</summary>
internal struct Holding
{
    internal PageKey Page;
    internal uint Ticket;
    internal int References;

    /// <summary>Bytes of the page that it uses.</summary>
    internal long Bytes;

    /// <summary>What kind of reference, as the recording numbers them.</summary>
    internal int Kind;

    internal int Scope;

    /// <summary>When it was taken, in ns of the trace's clock.</summary>
    internal long Taken;
    internal int TakenPid;

    /// <summary>Who took it: a number of <see cref="OriginTable"/>.</summary>
    internal int TakenOrigin;

    /// <summary>When and by whom it was handed on last; the time is 0 where it never was.</summary>
    internal long Touched;
    internal int TouchedPid;
    internal int TouchedOrigin;

    /// <summary>Time of the last event about it.</summary>
    internal long Changed;

    /// <summary>Somebody wants to hear when it ends.</summary>
    internal bool IsWatched;

    /// <summary>The snapshot of the start had it, and no event has said more.</summary>
    internal bool IsFromStart;

    /// <summary>The snapshot of the end has it.</summary>
    internal bool IsConfirmed;

    /// <summary>Its neighbours among the holdings of its page, as slots + 1; 0 for none.</summary>
    internal int Next;
    internal int Previous;

    /// <summary>Who answers for it now.</summary>
    internal readonly int Origin => Touched != 0 ? TouchedOrigin : TakenOrigin;

    internal readonly int Pid => Touched != 0 ? TouchedPid : TakenPid;
}

/// <summary>References leaving a holding.</summary>
/// <param name="Time">When, in ns of the trace's clock.</param>
/// <param name="Pid">The thread.</param>
/// <param name="Origin">From where: a number of <see cref="OriginTable"/>.</param>
/// <param name="References">How many left.</param>
internal readonly record struct HolderLeave(long Time, int Pid, int Origin, int References);
