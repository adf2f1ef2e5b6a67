namespace Quire.Traces.Analysis;

/// <summary>References of a kernel's page that somebody had, as inferred: from its taking to its release.</summary>
internal struct KernelHolding
{
    /// <summary>When it was taken; null: before the page was first seen.</summary>
    internal long? Acquired;
    internal int References;
    internal int TakeStack;
    internal int TakePid;

    /// <summary>When it was given back; null: never in this trace.</summary>
    internal long? Released;
    internal int PutStack;
    internal int PutPid;

    /// <summary>How likely the pairing is right: that it was given back here, and where it was not given back, that it is still held.</summary>
    internal double Confidence;

    /// <summary>How likely it was held at the moment asked for: whatever became of it later. Null where it was not seen to be taken by then.</summary>
    internal double? Then;

    /// <summary>What kind of reference.</summary>
    internal RefMatch Match;

    /// <summary>The page has it by what it is: it blocks nothing. By its stack, or because the page's mappings or content show it.</summary>
    internal bool IsStructural;

    /// <summary>It was the page's own, a mapping's say, and was put later than what it stood for went: it blocked meanwhile.</summary>
    internal bool IsLate;

    /// <summary>Where it is late: until when at least what it stood for was still there.</summary>
    internal long LateFrom;

    /// <summary>It ended with the page, and no put was left for it: the trace lacks one, or a pairing is wrong.</summary>
    internal bool EndedWithPage;

    /// <summary>How likely it was held at the moment asked for: that no put until then was its own, as far as the put that it was given later does not say otherwise.</summary>
    internal readonly double WasHeld => Then ?? Confidence;

    internal readonly bool IsLateAt(long time) => IsLate && LateFrom <= time;

    internal readonly bool IsHeldAt(long time) => (Acquired ?? long.MinValue) <= time && (Released ?? long.MaxValue) > time;
}
