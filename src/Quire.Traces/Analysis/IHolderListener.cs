namespace Quire.Traces.Analysis;

/// <summary>Hears what <see cref="HolderReplay"/> finds out, in the order of time.</summary>
internal interface IHolderListener
{
    /// <summary>A holder is on record from now on.</summary>
    void Began(in Holding holding, long time);

    /// <summary>Something about it changed: who answers for it, how many references it has, which page it is of.</summary>
    void Changed(in Holding before, in Holding after, long time);

    /// <summary>References left, and others are held on.</summary>
    void Reduced(in Holding after, in HolderLeave leave);

    /// <summary>It is off record. Of a holder whose release the trace lacks, <paramref name="leave"/> has no thread (0) and no origin.</summary>
    void Ended(in Holding last, in HolderLeave leave);
}
