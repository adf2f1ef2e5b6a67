using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>What happened to the references of one frame's newest page: those given back are folded by who took them, the others are still in the replay.</summary>
internal sealed class PageFocus(ulong pfn) : IHolderListener
{
    private readonly Dictionary<(int Origin, int Kind), Balanced> _balanced = [];

    internal ulong Pfn { get; } = pfn;

    /// <summary>The newest generation that anybody held.</summary>
    internal ulong Generation { get; private set; }

    /// <summary>Generations that somebody held before that one.</summary>
    internal int EarlierGenerations { get; private set; }

    /// <summary>Holders that moved to another page with their data.</summary>
    internal int MovedAway { get; private set; }

    /// <summary>What was taken and given back, by who took it.</summary>
    internal IReadOnlyDictionary<(int Origin, int Kind), Balanced> GivenBack => _balanced;

    public void Began(in Holding holding, long time) => _ = Is(holding);

    public void Changed(in Holding before, in Holding after, long time)
    {
        bool was = Is(before);
        bool isNow = Is(after);
        if (was && !isNow)
        {
            MovedAway++;
        }
    }

    public void Reduced(in Holding after, in HolderLeave leave)
    {
        if (Is(after))
        {
            ref Balanced balanced = ref CollectionsMarshal.GetValueRefOrAddDefault(_balanced, (after.TakenOrigin, after.Kind), out _);
            balanced.Taken += leave.References;
            balanced.Released += leave.References;
        }
    }

    public void Ended(in Holding last, in HolderLeave leave)
    {
        if (Is(last))
        {
            ref Balanced balanced = ref CollectionsMarshal.GetValueRefOrAddDefault(_balanced, (last.TakenOrigin, last.Kind), out _);
            balanced.Holders++;
            balanced.Taken += last.References;
            balanced.Released += leave.Pid == 0 ? 0 : last.References;
        }
    }

    // Of the newest generation seen; a newer one begins a new account.
    private bool Is(in Holding holding)
    {
        if (holding.Page.Pfn != Pfn || holding.Page.Generation < Generation)
        {
            return false;
        }

        if (holding.Page.Generation > Generation)
        {
            EarlierGenerations += Generation == 0 ? 0 : 1;
            Generation = holding.Page.Generation;
            MovedAway = 0;
            _balanced.Clear();
        }

        return true;
    }

    /// <summary>References of one origin that are no longer held.</summary>
    internal struct Balanced
    {
        internal long Holders;
        internal long Taken;
        internal long Released;
    }
}
