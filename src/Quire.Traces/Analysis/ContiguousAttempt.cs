namespace Quire.Traces.Analysis;

/// <summary>One contiguous allocation, from <c>cma_alloc_start</c> to <c>cma_alloc_finish</c>.</summary>
internal class ContiguousAttempt
{
    /// <summary>Its number in the trace, from 1.</summary>
    internal int Index { get; init; }

    internal string Area { get; set; } = "";

    /// <summary>Pages asked for.</summary>
    internal long Pages { get; set; }

    /// <summary>Order of the alignment asked for.</summary>
    internal int Align { get; set; }
    internal int Pid { get; init; }
    internal long Start { get; set; }

    /// <summary>The trace has its end only.</summary>
    internal bool LacksStart { get; init; }

    /// <summary>When it ended; null: the trace ends first.</summary>
    internal long? End { get; set; }

    /// <summary>Who asked: a number of <see cref="OriginTable"/>.</summary>
    internal int Origin { get; set; }
    internal AttemptResult Result { get; set; } = AttemptResult.Unfinished;

    /// <summary>First frame of what it got; 0 where it got nothing.</summary>
    internal ulong Pfn { get; set; }

    /// <summary>Ranges whose frames were tested.</summary>
    internal int RangesTried { get; set; }

    /// <summary>Ranges given up because pages in them would not move.</summary>
    internal int Retries { get; set; }

    /// <summary>The first frame in the way of each range that failed its test, without repetition.</summary>
    internal List<ulong> FirstInTheWay { get; } = [];
    internal long Migrated { get; set; }
    internal long NotMigrated { get; set; }

    /// <summary>The pages that would not move.</summary>
    internal List<BusyPage> Busy { get; } = [];

    /// <summary>Whether any range was begun: a failure before that is for want of a free run.</summary>
    internal bool HasTried => RangesTried > 0 || Retries > 0 || Migrated > 0 || NotMigrated > 0 || FailedPfn is > 0 and < uint.MaxValue;

    /// <summary>Of a failure, the first frame of the last range that was tried; all ones where there was none.</summary>
    internal ulong FailedPfn { get; set; } = ulong.MaxValue;
}

/// <summary>What came of a contiguous allocation.</summary>
internal enum AttemptResult
{
    Unfinished,
    Success,

    /// <summary>Ranges were tried, and pages in each would not move.</summary>
    Busy,

    /// <summary>Nothing was tried, or there was no memory to move pages to: nobody's references are to blame.</summary>
    NoSpace,
    Interrupted,
}

/// <summary>A page that would not move, with who held it then.</summary>
internal sealed class BusyPage
{
    internal PageKey Page { get; init; }
    internal long Time { get; init; }
    internal int Count { get; init; }

    /// <summary>The count with which it could have been moved.</summary>
    internal int Expected { get; init; }

    /// <summary>Why it would not, as the recording numbers it.</summary>
    internal int Reason { get; init; }
    internal List<BusyHolder> Holders { get; } = [];
}

/// <summary>Who held a busy page, and what became of it.</summary>
internal sealed class BusyHolder
{
    internal required Holding Holding { get; init; }

    /// <summary>When its last reference left; null: it has it still, or the trace does not say.</summary>
    internal long? Released { get; set; }
    internal int ReleasedPid { get; set; }
    internal int ReleasedOrigin { get; set; }

    /// <summary>Its release is missing from the trace: it is gone, and nobody knows since when.</summary>
    internal bool IsGoneUnseen { get; set; }
}
