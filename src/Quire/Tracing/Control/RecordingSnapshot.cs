namespace Quire;

/// <summary>Writes into a recording what is so at its beginning and its end: the holders on record, and the pages that somebody holds.</summary>
internal static class RecordingSnapshot
{
    /// <summary>Writes all of it. The holders first: one that comes meanwhile then shows on a page, and no page shows a holder that is not there yet.</summary>
    /// <exception cref="IOException">There is no room for it.</exception>
    internal static void Write(TraceSession file, SnapshotKind kind)
    {
        TraceSnapshot snapshot = file.BeginSnapshot(kind);
        long now = TraceClock.Now;
        foreach (Holder holder in Ledger.Snapshot())
        {
            HolderTakeEvent state = StateOf(holder, now);
            snapshot.Write(Tracepoint.HolderState, ref state);
        }

        TracingHooks.Pages?.Invoke(snapshot);
        snapshot.Complete();
    }

    /// <summary>A holder as an event, with who took it and when (in ns of the file's clock, counted back from now), and who answers for it now.</summary>
    internal static HolderTakeEvent StateOf(Holder holder, long now) => new()
    {
        Pfn = holder.FrameNumber,
        Generation = (ulong)holder.Generation,
        Ticket = holder.Ticket,
        References = holder.References,
        Bytes = (uint)holder.Bytes,
        Kind = (uint)holder.Kind,
        Scope = (uint)holder.Scope,
        Stack = Origin.StackNumber(holder.Taken.Origin),
        Site = Origin.SiteNumber(holder.Taken.Origin),
        TakenPid = holder.Taken.SystemThreadId,
        Taken = (ulong)Math.Max(0, now - (holder.Taken.Age.Ticks * 100)),
        TouchedSite = holder.Touched is { } touched ? Origin.SiteNumber(touched.Origin) : 0,
    };
}
