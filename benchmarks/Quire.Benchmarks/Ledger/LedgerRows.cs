using Quire.Benchmarks.Events;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Rows;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Ledger;

/// <summary>What the ledger costs: a reference taken and dropped while it is on, against one written down by two events of an <see cref="System.Diagnostics.Tracing.EventSource"/>, which know less.</summary>
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
        return id == Page
            ? Open<QuireContenders.ReferenceBlocks, Quire.Page>(id, "a reference to a page", QuireContenders.OpenReferences(owned), owned)
            : Open<QuireContenders.FragmentBlocks, PageFragment>(id, "a fragment of 256 B", QuireContenders.OpenCache(RowCatalog.Small, owned), owned);
    }

    private static Row Open<TBlocks, T>(string id, string what, TBlocks blocks, Owned owned)
        where TBlocks : struct, IBlocks<T>
        where T : struct
    {
        ReadingListener listener = owned.Add(new ReadingListener());
        return new Row(
            id,
            $"{what} taken and dropped, and both recorded: by the ledger with call sites, or by an event of four numbers each",
            [new Bar(0.15, 0.15, Events, PlainEvents) { Under = 40, MoonshotUnder = 20 }],
            ["all figures are the whole operation, recording included; the peers take and drop the same blocks with the ledger off"],
            [
                new TrackedContender(new PairContender<TBlocks, T>(On, ContenderRole.Quire, blocks)),
                new PairContender<TBlocks, T>(Off, ContenderRole.Aside, blocks),
                new PairContender<RecordedByAddress<TBlocks, T>, T>(Events, ContenderRole.Peer, new RecordedByAddress<TBlocks, T>(blocks)),
                new PairContender<RecordedPlainly<TBlocks, T>, T>(PlainEvents, ContenderRole.Peer, new RecordedPlainly<TBlocks, T>(blocks)),
            ],
            owned)
        {
            Findings = [_ => $"the listener has read {listener.Seen:N0} events"],
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
