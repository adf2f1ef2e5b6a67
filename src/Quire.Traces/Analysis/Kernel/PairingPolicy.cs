namespace Quire.Traces.Analysis;

/// <summary>A reference on a page that is still open while its history is gone through.</summary>
internal struct OpenReference
{
    internal long Time;
    internal int Stack;
    internal int Pid;
    internal int References;

    /// <summary>How likely it is still held, after the puts so far that may have been its own.</summary>
    internal double Survival;

    /// <summary>The same at the moment that is asked for; null before it.</summary>
    internal double? Then;
    internal Rival ThenRival;
    internal RefMatch Match;
    internal bool IsStructural;

    /// <summary>Who was given the put that this reference's survival is most in doubt for.</summary>
    internal Rival Rival;
}

/// <summary>A reference that was given a put which may have been another's.</summary>
internal struct Rival
{
    internal int Stack;
    internal int Pid;

    /// <summary>0: there is no rival, or none is remembered.</summary>
    internal int References;
    internal bool IsStructural;

    /// <summary>It is of a taker whom nobody saw.</summary>
    internal bool IsUnknown;

    /// <summary>How likely that put was the doubted reference's.</summary>
    internal double Doubt;
}

/// <summary>A put whose reference is looked for.</summary>
/// <param name="Stack">Where it was put.</param>
/// <param name="Pid">By whom.</param>
/// <param name="References">How many.</param>
/// <param name="Match">What its stack means.</param>
/// <param name="Surplus">Structural references (those of unknown takers among them) that the page would have beyond what it shows, were this put one of them; null: not known.</param>
/// <param name="IsOwed">The page was seen to lose a mapping or content, and its reference has not been put yet.</param>
/// <param name="EndsOwn">Whether references of mappings and contents are given back at such a stack.</param>
/// <param name="FollowsTake">Whether the operation before it on the page was a taking.</param>
internal readonly record struct OpenPut(int Stack, int Pid, int References, RefMatch Match, int? Surplus, bool IsOwed, bool EndsOwn, bool FollowsTake);

/// <summary>
/// The policy by which a put finds the reference it gives back. Each candidate gets a score, the logarithm of how much more likely it is than a candidate of which nothing is known; the best is
/// taken, and the share of the others is the doubt.
/// </summary>
/// <remarks>
/// The terms, strongest first (docs/kernel-traces.md says why): what the page shows (a put that leaves it with as many mappings, cache and private references as before was none of these),
/// the kinds of the two stacks, how often the trace paired the two stacks where nothing was in doubt, the same task, equal numbers, a common caller, order.
/// </remarks>
internal sealed class PairingPolicy(StackMeanings meanings, PairingEvidence evidence)
{
    private const double Shown = 4;

    /// <summary>A put that may have been one of the page's own references, as far as the page shows them.</summary>
    private const double Possible = 1;
    private const double SameClass = 3;
    private const double EndsClass = 2;
    private const double OtherClass = -2.5;
    private const double SameNumber = 1;
    private const double PartOf = -1;
    private const double PinOfOther = -6;
    private const double CommonCaller = 1.5;

    /// <summary>The same task took a reference and put one, and nothing else happened to the page in between.</summary>
    private const double NothingBetween = 2.5;

    /// <summary>A contiguous allocation gives back what is its own or the page's, never another holder's reference.</summary>
    private const double NotItsOwn = -6;

    /// <summary>Tie-breaker: it is this one's turn.</summary>
    private const double InTurn = 0.6;

    private const int Entry = 3;

    /// <summary>How well a put fits a reference that was seen to be taken.</summary>
    internal double Of(in OpenReference open, in OpenPut put, bool isFirst, bool isLatest)
    {
        double score = evidence.Of(open.Stack, put.Stack) + Classes(open.Match.Class, put.Match.Class);
        score += open.IsStructural ? OfOwn(put) : put.IsOwed ? -Shown : 0;

        bool isPin = StackMeanings.IsPin(open.References);
        score += isPin != StackMeanings.IsPin(put.References) ? PinOfOther
            : open.References == put.References ? SameNumber
            : put.References > open.References ? PartOf
            : 0;
        // One call takes and puts within itself, the last first; what outlives its call is mostly a queue, where the first goes first.
        bool isNested = open.Pid == put.Pid && HaveCommonCaller(open.Stack, put.Stack);
        bool isWithoutStacks = open.Stack == 0 || put.Stack == 0;
        if (open.Pid == put.Pid && open.Pid != 0)
        {
            score += evidence.OfTask(open.Stack) + (isNested ? CommonCaller : 0) + (isLatest && put.FollowsTake && (isNested || isWithoutStacks) ? NothingBetween : 0);
        }

        if (!open.IsStructural && open.Pid != put.Pid && meanings[put.Stack].IsContiguous)
        {
            score += NotItsOwn;
        }

        return score + ((isNested || isWithoutStacks ? isLatest : isFirst) ? InTurn : 0);
    }

    /// <summary>How well a put fits one of the references whose takers nobody saw.</summary>
    internal double OfUnknown(in OpenPut put, int before)
    {
        double score = evidence.Of(PairingEvidence.Before, put.Stack);
        score += OfOwn(put) + (put.Match.Class.IsStructural ? SameClass / 2 : 0);
        return score + (StackMeanings.IsPin(put.References) && before < put.References ? PinOfOther : 0);
    }

    // The page's own references: what it shows says whether one of them went.
    private static double OfOwn(in OpenPut put) => put.IsOwed ? Shown : put.Surplus is not { } surplus ? 0 : surplus >= 0 ? (put.EndsOwn ? Possible : 0) : -Shown;

    private static double Classes(RefClass take, RefClass put)
    {
        if (take.Name == StackMeanings.UnknownClass || put.Name == StackMeanings.UnknownClass)
        {
            return 0;
        }

        return take.Name == put.Name ? SameClass
            : take.EndedBy.Contains(put.Name) ? EndsClass
            : OtherClass;
    }

    // The same call of one function took it and gave it back: the outer frames are equal, further in than the system call's own entry.
    private bool HaveCommonCaller(int take, int put)
    {
        if (take == 0 || put == 0)
        {
            return false;
        }

        string[] one = meanings[take].Frames;
        string[] other = meanings[put].Frames;
        int common = 0;
        while (common < one.Length && common < other.Length && one[^(common + 1)] == other[^(common + 1)])
        {
            common++;
        }

        return common > Entry;
    }
}
