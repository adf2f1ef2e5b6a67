namespace Quire;

/// <summary>
/// The events of contiguous allocations and of migration (<c>cma_*</c>, <c>test_pages_isolated</c>, <c>mm_migrate_pages</c>, <c>page_busy</c>).
/// Written while <see cref="Tracking.Recording"/>, sampled or not: they are few, and they are what a recording is asked about.
/// </summary>
internal static unsafe class ContiguousEvents
{
    private const int Interrupted = -4;
    private const int NoMemory = -12;
    private const int Busy = -16;
    private const uint ModeSync = 2;

    /// <summary>Why pages were moved, in the kernel's numbers.</summary>
    internal const int ReasonContigRange = 6;
    internal const int ReasonLongTermPin = 7;

    /// <summary>What the end of an allocation without a range is told as: <paramref name="failure"/> is null where an exception ended it.</summary>
    internal static int ErrorOf(ContiguousFailure? failure) =>
        failure is null ? Interrupted : failure.Kind == ContiguousFailureKind.Busy ? Busy : NoMemory;

    internal static void Started(string area, int pages, int alignment, uint origin)
    {
        CmaAllocStartEvent started = new()
        {
            Name = TextTable.NumberOf(area),
            Count = (ulong)pages,
            Align = (uint)int.Log2(alignment),
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
        };
        TraceRings.Write(Tracepoint.CmaAllocStart, ref started);
    }

    internal static void Retried(string area, uint first, int pages, int alignment)
    {
        CmaAllocBusyRetryEvent retried = new()
        {
            Name = TextTable.NumberOf(area),
            Pfn = first,
            Page = (ulong)first << PageMap.FrameShift,
            Count = (ulong)pages,
            Align = (uint)int.Log2(alignment),
        };
        TraceRings.Write(Tracepoint.CmaAllocBusyRetry, ref retried);
    }

    /// <summary>The allocation ended: with the range that begins at <paramref name="first"/>, or with 0 and an error.</summary>
    internal static void Finished(string area, uint first, int pages, int alignment, int error, uint origin)
    {
        CmaAllocFinishEvent finished = new()
        {
            Name = TextTable.NumberOf(area),
            Pfn = first,
            Page = (ulong)first << PageMap.FrameShift,
            Count = (ulong)pages,
            Align = (uint)int.Log2(alignment),
            Errorno = error,
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
        };
        TraceRings.Write(Tracepoint.CmaAllocFinish, ref finished);
    }

    internal static void Released(string area, uint first, int pages, uint origin)
    {
        CmaReleaseEvent released = new()
        {
            Name = TextTable.NumberOf(area),
            Pfn = first,
            Page = (ulong)first << PageMap.FrameShift,
            Count = (ulong)pages,
            Stack = Origin.StackNumber(origin),
            Site = Origin.SiteNumber(origin),
        };
        TraceRings.Write(Tracepoint.CmaRelease, ref released);
    }

    /// <summary>One try at a range is over; <paramref name="blocked"/> is the first frame in the way, or the range's end.</summary>
    internal static void Tried(uint first, uint end, uint blocked, int migrated, int failed)
    {
        Migrated(migrated, failed, ReasonContigRange);
        PagesIsolatedEvent isolated = new() { StartPfn = first, EndPfn = end, FinPfn = blocked };
        TraceRings.Write(Tracepoint.PagesIsolated, ref isolated);
    }

    internal static void Migrated(int succeeded, int failed, int reason)
    {
        if (succeeded + failed != 0)
        {
            MigratePagesEvent moved = new() { Succeeded = (ulong)succeeded, Failed = (ulong)failed, Mode = ModeSync, Reason = reason };
            TraceRings.Write(Tracepoint.MigratePages, ref moved);
        }
    }

    /// <summary>Every page that was in the way, with its count then.</summary>
    internal static void Blocked(ContiguousFailure failure)
    {
        foreach (BusyPage page in failure.BusyPages)
        {
            PageBusyEvent busy = new()
            {
                Pfn = page.FrameNumber,
                Generation = (ulong)page.Generation,
                Count = page.Count,
                Expected = page.ExpectedCount,
                Pins = page.Blocking.Where(static holder => holder.Kind is HolderKind.Pin or HolderKind.LongTermPin).Sum(static holder => holder.References),
                Name = TextTable.NumberOf(failure.Area),
                Reason = (uint)page.Reason,
            };
            TraceRings.Write(Tracepoint.PageBusy, ref busy);
        }
    }
}
