namespace Quire.Traces.Analysis;

/// <summary>Makes reports of holdings.</summary>
internal static class HolderReports
{
    /// <summary>What a holder is worth whose release may be among events that were lost, with no snapshot of the end to say.</summary>
    private const double Doubtful = 0.5;

    /// <summary>A holder that is on record at the end.</summary>
    internal static HolderReport Of(in Holding holding, TracePass pass) => Of(holding, pass, pass.End, null);

    /// <summary>A holder of a busy page.</summary>
    internal static HolderReport Of(BusyHolder holder, long failed, TracePass pass) => Of(holder.Holding, pass, failed, holder);

    private static HolderReport Of(in Holding holding, TracePass pass, long until, BusyHolder? busy)
    {
        bool isCertain = !pass.MayLackEvents || (busy is null ? holding.IsConfirmed : busy.Released is not null);
        return new HolderReport
        {
            Pfn = holding.Page.Pfn,
            Generation = holding.Page.Generation,
            References = holding.References,
            Bytes = holding.Bytes,
            Task = pass.Task(holding.Pid),
            AcquiredNs = holding.Taken,
            ReleasedNs = busy?.Released,
            ReleasedTask = busy?.Released is null ? null : pass.Task(busy.ReleasedPid),
            ReleasedSite = busy?.Released is null || busy.ReleasedOrigin == 0 ? null : pass.Origins.LabelOf(busy.ReleasedOrigin, pass.Input),
            AgeNs = Math.Max(0, until - holding.Taken),
            Site = pass.Origins.LabelOf(holding.Origin, pass.Input),
            TakenSite = holding.Touched == 0 ? null : pass.Origins.LabelOf(holding.TakenOrigin, pass.Input),
            Stack = pass.Origins.FramesOf(holding.Origin, pass.Input),
            Class = pass.KindOf(holding),
            Confidence = isCertain ? 1 : Doubtful,
            Basis = "exact",
        };
    }
}
