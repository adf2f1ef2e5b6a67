namespace Quire.Tests.Regions;

/// <summary>
/// The system's own calls with other properties: larger pages, commits that count, failures on demand. Checks that each
/// call it gets is made of whole pages.
/// </summary>
internal sealed unsafe class ScriptedCalls(NativeMemoryCalls inner) : NativeMemoryCalls
{
    [ThreadStatic]
    private static int t_takenBack;

    internal ScriptedCalls()
        : this(Current!)
    {
    }

    internal nuint Page { get; init; } = 4096;

    internal bool HugeByDefault { get; init; }

    internal RegionFailure CommitFailure { get; set; }

    internal RegionFailure DecommitFailure { get; set; }

    internal RegionFailure DiscardFailure { get; set; }

    internal bool NoDiscard { get; init; }

    /// <summary>Advice is counted and goes no further.</summary>
    internal bool AdviceIsFree { get; init; }

    /// <summary>Called when advice is taken back.</summary>
    internal Action? OnTakeBack { get; set; }

    internal static int AdviceTakenBackByThisThread => t_takenBack;

    internal override nuint PageSize => Page;

    internal override nuint HugePageSize => inner.HugePageSize;

    internal override bool HugePagesByDefault => HugeByDefault;

    internal override bool CommitsOnTouch => false;

    internal override bool CanDiscard => !NoDiscard && inner.CanDiscard;

    internal override byte* Reserve(nuint bytes, nuint alignment, out RegionFailure failure) =>
        inner.Reserve(RoundUp(bytes, Page), nuint.Max(alignment, Page), out failure);

    internal override RegionFailure Commit(byte* address, nuint bytes)
    {
        WholePages(address, bytes);
        return CommitFailure != RegionFailure.None ? CommitFailure : inner.Commit(address, bytes);
    }

    internal override RegionFailure Decommit(byte* address, nuint bytes)
    {
        WholePages(address, bytes);
        return DecommitFailure != RegionFailure.None ? DecommitFailure : inner.Decommit(address, bytes);
    }

    internal override RegionFailure Discard(byte* address, nuint bytes)
    {
        WholePages(address, bytes);
        return DiscardFailure != RegionFailure.None ? DiscardFailure : inner.Discard(address, bytes);
    }

    internal override RegionFailure AdviseHugePages(byte* address, nuint bytes, bool on)
    {
        WholePages(address, bytes);
        if (!on)
        {
            t_takenBack++;
            OnTakeBack?.Invoke();
        }

        return AdviceIsFree ? RegionFailure.None : inner.AdviseHugePages(address, bytes, on);
    }

    internal override void SplitHugePage(byte* page)
    {
        WholePages(page, Page);
        if (!AdviceIsFree)
        {
            inner.SplitHugePage(page);
        }
    }

    internal override void Release(byte* address, nuint bytes)
    {
        inner.Release(address, RoundUp(bytes, Page));
    }

    private void WholePages(byte* address, nuint bytes)
    {
        if (bytes == 0 || (((nuint)address | bytes) & (Page - 1)) != 0)
        {
            throw new InvalidOperationException($"Not whole pages of {Page}: [0x{(nuint)address:x}, +0x{bytes:x}).");
        }
    }
}
