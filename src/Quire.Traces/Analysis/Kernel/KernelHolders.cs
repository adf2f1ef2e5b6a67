namespace Quire.Traces.Analysis;

/// <summary>Makes reports of inferred holders.</summary>
internal static class KernelHolders
{
    /// <summary>What is inferred is never certain.</summary>
    private const double MostCertain = 0.99;

    /// <summary>A page's own reference that a batch put late: when what it stood for went was not seen.</summary>
    private const double LateFactor = 0.5;

    private const double LossFactor = 0.5;
    private const double MismatchFactor = 0.7;
    private const double UnknownTakerFactor = 0.8;

    /// <summary>A holder as reports show it.</summary>
    /// <param name="holding">The holder.</param>
    /// <param name="page">Its page.</param>
    /// <param name="until">Up to when its age counts.</param>
    /// <param name="share">How much of the doubt is left: less than 1 where it is one of several who may have been meant.</param>
    /// <param name="pass">The reading.</param>
    /// <param name="isThen">Whether it is asked how sure it is that it was held at the moment asked for, rather than of its pairing.</param>
    internal static HolderReport Of(in KernelHolding holding, in KernelPage page, long until, double share, KernelPass pass, bool isThen = false)
    {
        double late = isThen && holding is { IsLate: true, Then: not null } ? LateFactor : 1;
        StackMeaning? take = holding.Acquired is null ? null : pass.Meanings[holding.TakeStack];
        StackMeaning? put = holding.Released is null || holding.EndedWithPage ? null : pass.Meanings[holding.PutStack];
        long since = holding.Acquired ?? page.Since;
        return new HolderReport
        {
            Pfn = page.Pfn,
            Generation = null,
            References = holding.References,
            Pins = StackMeanings.IsPin(holding.References) ? holding.References / StackMeanings.PinBias : null,
            Bytes = 0,
            Task = holding.Acquired is null ? null : pass.Task(holding.TakePid),
            AcquiredNs = holding.Acquired,
            ReleasedNs = holding.Released,
            ReleasedTask = holding.Released is null || holding.EndedWithPage ? null : pass.Task(holding.PutPid),
            ReleasedSite = put?.Label,
            ReleasedStack = put?.Frames ?? [],
            AgeNs = Math.Max(0, until - since),
            Site = take?.Label ?? $"taken before the trace, given back by {pass.Task(holding.PutPid)} in {put?.Label ?? StackMeanings.NoStack}",
            TakenSite = null,
            Stack = take?.Frames ?? [],
            Class = holding.Match.Class.Name,
            Confidence = Math.Round(Math.Clamp((isThen ? holding.WasHeld : holding.Confidence) * late * share * Trust(holding, page, until, pass), 0.01, MostCertain), 2),
            Basis = "inferred",
        };
    }

    // What was lost while it was held may have been its release, or another's taking.
    private static double Trust(in KernelHolding holding, in KernelPage page, long until, KernelPass pass) =>
        (pass.Losses.Overlaps(holding.Acquired ?? page.Since, until) ? LossFactor : 1)
        * (page.Unseen > 0 ? MismatchFactor : 1)
        * (holding.Acquired is null ? UnknownTakerFactor : 1);
}
