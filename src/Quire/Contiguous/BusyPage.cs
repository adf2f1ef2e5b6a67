using System.Text;

namespace Quire;

/// <summary>Why a page would not move.</summary>
public enum BusyReason
{
    /// <summary>A short pin did not end in time.</summary>
    Pinned,

    /// <summary>The thread that asked holds it itself, by every reference there is, all of them on record: so there is nothing to wait for.</summary>
    HeldByCaller,

    /// <summary>A long-term pin.</summary>
    LongTermPinned,

    /// <summary>Nobody has it pinned, but references were taken with <see cref="Page.Get(string, int, string)"/> and not put.</summary>
    Referenced,

    /// <summary>Its movable page was freed, but references to the memory are left.</summary>
    FreedButReferenced,

    /// <summary>It stayed on its way between two lists: its thread lost its core there.</summary>
    InTransit,

    /// <summary>Its count was brought to 0 by <see cref="PageRef"/>, and it was not freed: <see cref="PageAllocator.FreeUnreferenced"/> is missing.</summary>
    Unreferenced,
}

/// <summary>One page that kept a contiguous allocation from its range.</summary>
/// <param name="FrameNumber">The page's frame number.</param>
/// <param name="Count">Its count when the allocation gave up.</param>
/// <param name="ExpectedCount">The count with which it could have been moved: 1, the movable table's own reference.</param>
/// <param name="Reason">Why it would not move.</param>
/// <param name="Holders">Who holds it: pins always, other references while tracking is on.</param>
public sealed record BusyPage(uint FrameNumber, int Count, int ExpectedCount, BusyReason Reason, PageHolders Holders)
{
    /// <summary>The page's generation when it was looked at.</summary>
    internal long Generation { get; init; }

    /// <summary>How long the oldest holder that keeps it from moving has it; zero where none is recorded.</summary>
    public TimeSpan HeldFor => Blocking.Select(static holder => holder.Taken.Age).DefaultIfEmpty().Max();

    /// <summary>The recorded holders that keep it from moving, oldest first: all but the movable table.</summary>
    public IEnumerable<Holder> Blocking => Holders.Entries.Where(static holder => holder.Kind != HolderKind.Movable);

    /// <summary>References beyond the expected ones that nobody is on record for: taken while tracking was off.</summary>
    public int Untracked => Math.Max(0, Count - ExpectedCount - Blocking.Sum(static holder => holder.References));

    /// <summary>The page, its count and the count to migrate, and a line for each holder.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        text.Append($"page 0x{FrameNumber:x}  {Describe(Reason)}  refs {Count} (expected {ExpectedCount} to migrate: {Math.Max(0, Count - ExpectedCount)} too many)");
        text.Append(HeldFor > TimeSpan.Zero ? $"   held {HolderTable.Duration(HeldFor)}" : "");
        foreach (Holder holder in Blocking)
        {
            text.AppendLine().Append($"  HELD  {holder.Current}  ({HolderTable.Name(holder.Kind)}{(holder.References == 1 ? "" : $" x{holder.References}")})");
            text.Append(holder.Touched is null ? "" : $"; taken at {holder.Taken}");
        }

        if (Untracked > 0)
        {
            text.AppendLine().Append($"  HELD  {HolderTable.Count(Untracked, "reference")} untracked (taken while tracking was off)");
        }

        return text.ToString();
    }

    private static string Describe(BusyReason reason) => reason switch
    {
        BusyReason.Pinned => "pinned",
        BusyReason.HeldByCaller => "held by the caller itself",
        BusyReason.LongTermPinned => "long-term pinned",
        BusyReason.Referenced => "referenced beyond a pin",
        BusyReason.FreedButReferenced => "freed, but referenced",
        BusyReason.Unreferenced => "at count 0, but not freed",
        _ => "in transit",
    };
}
