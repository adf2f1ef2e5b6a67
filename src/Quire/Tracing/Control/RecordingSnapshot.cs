using System.Diagnostics;

namespace Quire;

/// <summary>Writes into a recording what is so at its beginning and its end: the holders on record, and the pages that somebody holds.</summary>
internal static class RecordingSnapshot
{
    /// <summary>Writes all of it. The holders first: one that comes meanwhile then shows on a page, and no page shows a holder that is not there yet.</summary>
    /// <exception cref="IOException">There is no room for it.</exception>
    internal static void Write(TraceSession file, SnapshotKind kind)
    {
        using TraceSnapshot snapshot = file.BeginSnapshot(kind);
        foreach (Holder holder in Ledger.Snapshot())
        {
            HolderTakeEvent state = StateOf(holder);
            snapshot.Write(Tracepoint.HolderState, ref state);
        }

        TracingHooks.Pages?.Invoke(snapshot);
        snapshot.Complete();
    }

    /// <summary>A holder as an event, with who took it and when, and who answers for it now.</summary>
    internal static HolderTakeEvent StateOf(Holder holder) => new()
    {
        Pfn = holder.FrameNumber,
        Generation = (ulong)holder.Generation,
        Ticket = holder.Ticket,
        References = holder.References,
        Bytes = (uint)holder.Bytes,
        Kind = (uint)holder.Kind,
        Scope = (uint)holder.Scope,
        Site = NumberOf(holder.Taken.Site),
        Taken = TimeOf(holder.Taken.Age),
        TouchedSite = holder.Touched is { } touched ? NumberOf(touched.Site) : 0,
    };

    // The literals of the call site itself: found by content in any case, and most often by reference.
    private static uint NumberOf(CallSite site) => site.IsUnknown ? 0 : CallSiteTable.NumberOf(site.File, site.Line, site.Member);

    /// <summary>In ns of the system's monotonic clock, which is the clock of the file (<see cref="Stopwatch"/>'s where that counts from elsewhere).</summary>
    private static ulong TimeOf(TimeSpan age)
    {
        long now = (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));
        return (ulong)Math.Max(0, now - (age.Ticks * 100));
    }
}
