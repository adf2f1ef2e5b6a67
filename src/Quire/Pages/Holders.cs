namespace Quire;

/// <summary>Who holds one page: what the ledger knows, and how many references it does not know.</summary>
/// <param name="FrameNumber">The head's frame number.</param>
/// <param name="Count">The page's count when it was asked.</param>
/// <param name="Entries">The recorded holders, oldest first.</param>
public sealed record PageHolders(uint FrameNumber, int Count, IReadOnlyList<Holder> Entries)
{
    /// <summary>References without a record: taken while the ledger was off. Count less entries, never guessed.</summary>
    public int Untracked => Math.Max(0, Count - Entries.Sum(static holder => holder.References));
}

/// <summary>
/// The question that Quire exists for: who still holds this page? Answers are exact, from the ledger, while it is on.
/// </summary>
/// <remarks>
/// The ledger records every reference taken while it is on, with file, line, member, thread and time, and forgets it when
/// it is dropped. Pins of movable memory are recorded always. References taken while it was off show as <i>untracked</i>. All
/// methods may be called on any thread, while pages come and go; an answer is a copy, true of each record at one moment.
/// </remarks>
public static unsafe class Holders
{
    /// <summary>True while references are recorded.</summary>
    public static bool IsTracking => Tracking.Active;

    /// <summary>Switches the ledger on until the result is disposed; switches may nest and overlap, the last one to go switches it off.</summary>
    /// <remarks>
    /// Costs some tens of nanoseconds a reference while on, and nothing measurable while off. While a sampled or filtered recording runs
    /// (<see cref="PageTracing"/>) only its references are recorded; those of a sample bear its weight.
    /// </remarks>
    /// <exception cref="NotSupportedException">Tracing is switched away in this application; the message names the switch.</exception>
    public static IDisposable Track()
    {
        Ledger.Start();
        return new Session();
    }

    /// <summary>The same for who must miss nobody.</summary>
    /// <exception cref="InvalidOperationException">A recording runs that has only some references.</exception>
    /// <exception cref="NotSupportedException">Tracing is switched away.</exception>
    internal static IDisposable TrackWhole() =>
        Ledger.TryStartWhole() ? new Session()
        : throw new InvalidOperationException("Leaks can't be found while a sampled or filtered recording runs: most references are not on record. Stop it, or record without a sample and a filter.");

    /// <summary>Everyone who holds this page: the recorded holders, and what a fragment cache has left of its bias.</summary>
    /// <exception cref="PageBugException">The handle is stale.</exception>
    public static PageHolders Of(Page page) => Of(page.HeadDescriptor("Holders.Of"));

    /// <summary>Everyone who holds a page and is recorded, oldest first. What fragment caches keep in reserve is not recorded: see <see cref="Of(Page)"/>.</summary>
    public static IReadOnlyList<Holder> All() => Described(Ledger.Snapshot());

    /// <summary>All recorded holders as a table grouped by call site, oldest first.</summary>
    public static HolderTable Table() => new(All());

    internal static PageHolders Of(PageDescriptor* head)
    {
        // The count first: a reference taken between the two steps shows as a holder too many, never as an untracked one.
        int count = PageRef.Count(head);
        List<Holder> holders = Ledger.Of(PageIdentity.Unmarked(head->Identity));
        if (BiasOf(head) is { } bias)
        {
            holders.Add(bias);
        }

        return new PageHolders(head->Frame, count, Described(holders));
    }

    /// <summary>What a fragment cache has on a page in use; null where none has anything.</summary>
    internal static Holder? BiasOf(PageDescriptor* head) =>
        PageOwners.Biases.Find(head->BiasOwner) is { } owner && owner.BiasOn(head) is > 0 and int bias
            ? new Holder
            {
                Identity = PageIdentity.Unmarked(head->Identity),
                Kind = HolderKind.Bias,
                References = bias,
                PageBytes = (long)PageMap.FrameSize << head->Order,
                Taken = new HolderStamp(owner.Name, owner.ThreadId, null, TimeSpan.Zero),
            }
            : null;

    /// <summary>Oldest first, with the size of the page that each keeps in memory: a holder of 23 bytes may pin 32 KiB.</summary>
    private static List<Holder> Described(List<Holder> holders)
    {
        holders.Sort(static (a, b) => b.Taken.Age.CompareTo(a.Taken.Age));
        return holders.ConvertAll(static holder =>
            PageMap.IsKnown(holder.FrameNumber)
                ? holder with { PageBytes = (long)PageMap.FrameSize << PageMap.Descriptor(holder.FrameNumber)->Order }
                : holder);
    }

    private sealed class Session : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Atomic.Exchange(ref _ended, 1) == 0)
            {
                Ledger.Stop();
            }
        }
    }
}
