using System.Text;

namespace Quire;

/// <summary>Why a contiguous allocation gave no range.</summary>
public enum ContiguousFailureKind
{
    /// <summary>Nothing was tried: no run of frames in the area is long enough that is not allocated already (the kernel's <c>-ENOMEM</c>).</summary>
    NoSpace,

    /// <summary>Ranges were tried, and pages in each of them would not move (<c>-EBUSY</c>).</summary>
    Busy,

    /// <summary>There is no memory outside the area to move pages to, or the system would not commit the area's own.</summary>
    NoMemory,
}

/// <summary>The answer of a contiguous allocation that failed. What was there before still stands.</summary>
public sealed record ContiguousFailure
{
    private const int PagesShown = 20;

    /// <summary>Why there is no range.</summary>
    public required ContiguousFailureKind Kind { get; init; }

    /// <summary>The area's name.</summary>
    public required string Area { get; init; }

    /// <summary>Pages asked for.</summary>
    public required int Pages { get; init; }

    /// <summary>Alignment asked for, in pages.</summary>
    public int Alignment { get; init; } = 1;

    /// <summary>How many ranges were isolated and given back.</summary>
    public int RangesTried { get; init; }

    /// <summary>Time from the call to the answer.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Runs of frames that are not allocated, as <c>pages@position</c> from the area's start, joined by <c>+</c>, as the kernel prints them.</summary>
    public string FreeRuns { get; init; } = "";

    /// <summary>For <see cref="ContiguousFailureKind.Busy"/>: every page that would not move, by frame number.</summary>
    public IReadOnlyList<BusyPage> BusyPages { get; init; } = [];

    /// <summary>For <see cref="ContiguousFailureKind.NoMemory"/>: what the allocator said.</summary>
    public AllocationFailure Reason { get; init; }

    /// <summary>The verdict in the first line, then the pages with their holders, then what to do.</summary>
    public override string ToString()
    {
        string what = $"{HolderTable.Count(Pages, "page")} ({HolderTable.Size((long)Pages * Page.FrameSize)}{(Alignment > 1 ? $", aligned to {Alignment} pages" : "")}) in contiguous area '{Area}'";
        string tried = $"after {HolderTable.Duration(Duration)}, {HolderTable.Count(RangesTried, "range")} tried";
        StringBuilder text = new();
        switch (Kind)
        {
            case ContiguousFailureKind.NoSpace:
                text.AppendLine($"no space for {what}: no free run is long enough; nothing was tried.");
                text.AppendLine($"free runs (pages@position): {(FreeRuns.Length == 0 ? "none" : FreeRuns)}");
                text.Append("next: release ranges of this area, ask for less, or reserve a larger area.");
                break;
            case ContiguousFailureKind.NoMemory:
                text.AppendLine($"no memory to empty a range of {what} ({tried}): {Reason}.");
                text.Append("next: free other pages of the allocator, or raise its limit: each lent page of the range needs a page elsewhere to move to.");
                break;
            default:
                text.AppendLine($"busy: no range of {what} could be emptied ({tried}): {(BusyPages.Count == 0 ? "all of its free runs are being allocated by other threads" : $"{HolderTable.Count(BusyPages.Count, "page")} would not move")}.");
                foreach (BusyPage page in BusyPages.Take(PagesShown))
                {
                    text.AppendLine(page.ToString());
                }

                text.Append(BusyPages.Count > PagesShown ? $"(+{BusyPages.Count - PagesShown} more pages, see BusyPages){Environment.NewLine}" : "");
                text.Append($"next: {Advice()}");
                break;
        }

        return text.ToString();
    }

    private string Advice() =>
        BusyPages.Any(static page => page.Reason == BusyReason.HeldByCaller) ? "end your own pins before you allocate; one handed to another thread should be taken over there with Transfer."
        : BusyPages.Any(static page => page.Reason == BusyReason.Unreferenced) ? "a page that PageRef brought to 0 is freed by its allocator's FreeUnreferenced, by whoever read the 0."
        : BusyPages.Any(static page => page.Untracked > 0) ? "keep tracking on (Holders.Track) to have the untracked references named."
        : BusyPages.Any(static page => page.Reason == BusyReason.Pinned) ? $"a short pin must end within {HolderTable.Duration(MovablePage.ShortPinBound)}: end those above sooner, or take them as PinDuration.LongTerm, which moves the page out of the area first."
        : BusyPages.Count == 0 ? "allow a longer deadline."
        : "put the references above when their pin ends.";
}
