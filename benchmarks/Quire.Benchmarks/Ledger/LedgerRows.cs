using Quire.Benchmarks.Events;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Rows;

namespace Quire.Benchmarks.Ledger;

/// <summary>What the ledger costs: a reference taken and dropped while it is on, against two events of an <see cref="System.Diagnostics.Tracing.EventSource"/>, which know less.</summary>
internal static class LedgerRows
{
    public const string Page = "ledger-page";
    public const string Fragment = "ledger-fragment";

    private const string On = "Quire, ledger on";
    private const string Off = "Quire, ledger off";
    private const string Events = "EventSource, by address";
    private const string PlainEvents = "EventSource, WriteEvent";

    public static Row Open(string id)
    {
        Owned owned = new();
        CountingListener listener = owned.Add(new CountingListener());
        bool pages = id == Page;
        Contender tracked = pages ? QuireContenders.References(owned, On) : QuireContenders.FragmentPairs(RowCatalog.Small, owned, On);
        Contender untracked = pages
            ? QuireContenders.References(owned, Off, ContenderRole.Aside)
            : QuireContenders.FragmentPairs(RowCatalog.Small, owned, Off, ContenderRole.Aside);
        return new Row(
            id,
            pages
                ? "a reference to a page taken and dropped, the ledger on with call sites, against two events of four numbers"
                : "a fragment of 256 B taken and dropped, the ledger on with call sites, against two events of four numbers",
            [new Bar(0.15, 0.15, Events, PlainEvents) { Under = 40, MoonshotUnder = 20 }],
            ["Quire's figure is the whole operation, what it does with the ledger off included; the peer's is the two events alone"],
            [
                new TrackedContender(tracked),
                untracked,
                new WriterContender<SourceEventPair>(Events, ContenderRole.Peer, default),
                new WriterContender<PlainSourceEventPair>(PlainEvents, ContenderRole.Peer, default),
            ],
            owned)
        {
            Findings = [_ => $"the listener, which only counts, has had {listener.Seen:N0} events"],
        };
    }

    /// <summary>The ledger is on for the turn, and before its time runs.</summary>
    private sealed class TrackedContender(Contender work) : Contender(work.Name, work.Role)
    {
        protected override double Turn(int operations)
        {
            using (Holders.Track())
            {
                return work.Run(operations);
            }
        }
    }
}
