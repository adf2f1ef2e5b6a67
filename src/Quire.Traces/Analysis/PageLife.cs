namespace Quire.Traces.Analysis;

/// <summary>The newest life of a frame: from its allocation, or from when it was first seen, to its free or its reuse.</summary>
internal struct PageLife
{
    internal ulong Generation;
    internal bool IsLive;

    /// <summary>Whether the recording saw it begin; otherwise it was first seen in mid-life.</summary>
    internal bool IsWhole;

    /// <summary>Whether the frame had a life before it in this recording.</summary>
    internal bool HasForebear;

    /// <summary>Whether an event or a snapshot has said its order.</summary>
    internal bool IsOrderKnown;

    /// <summary>Whether a fragment cache has references in reserve on it.</summary>
    internal bool HasReserve;

    /// <summary>Whether the end snapshot has it.</summary>
    internal bool IsConfirmed;
    internal byte Order;
    internal int Migratetype;

    /// <summary>References in reserve, as the snapshot says; -1 where none did.</summary>
    internal int Bias;
    internal string Owner;

    /// <summary>When it was allocated or first seen, in ns of the trace's clock.</summary>
    internal long Began;
    internal int BeganPid;

    /// <summary>Who allocated it: a number of <see cref="OriginTable"/>; 0 unknown.</summary>
    internal int Origin;

    /// <summary>When it was freed; meaningful once it is not live.</summary>
    internal long Ended;

    /// <summary>Time of the last event about it.</summary>
    internal long Changed;
    internal CountBalance Count;
}
