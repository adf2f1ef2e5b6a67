using System.Buffers;
using Quire.Benchmarks.Events;
using Quire.Benchmarks.Ledger;
using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Peers;
using Quire.Benchmarks.SwitchedAway;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Rows;

/// <summary>The rows that can be measured, and how each is put together.</summary>
internal static class RowCatalog
{
    public const string Fragment256 = "fragment-256";
    public const string Fragment2KHandoff = "fragment-2k-handoff";
    public const string Fragment2KHandoffBatched = "fragment-2k-handoff-batched";
    public const string PageOrder0 = "page-order0";

    private const string FragmentWork = "256 B: 32 taken into an array, then the 32 freed, one thread";
    private const string ArrayPoolName = "ArrayPool.Shared";
    private const string MemoryPoolName = "MemoryPool.Shared";
    private const string NativeMemoryName = "NativeMemory";
    private const string AlignedAllocName = "NativeMemory.AlignedAlloc";
    private const string KestrelName = "Kestrel pool";

    public const int Small = 256;
    private const int Large = 2048;
    private const int PageBytes = 4096;

    public static IReadOnlyList<string> Ids { get; } =
    [
        Fragment256, Fragment2KHandoff, Fragment2KHandoffBatched, PageOrder0,
        SwitchedRows.Fragment, SwitchedRows.Page, SwitchedRows.Reference,
        LedgerRows.Fragment, LedgerRows.Page,
        EventRows.Event, EventRows.EventWithStack,
    ];

    /// <summary>The rows that a name on the command line means: the row of that name, or all whose names go on from it after a hyphen.</summary>
    public static IReadOnlyList<string> Named(string name) =>
        Ids.Contains(name) ? [name] : [.. Ids.Where(id => id.StartsWith(name + "-", StringComparison.Ordinal))];

    /// <summary>Puts a row together.</summary>
    /// <param name="id">One of <see cref="Ids"/>.</param>
    /// <param name="natives">The native peers that are there.</param>
    /// <param name="read">The consumers of a handoff read each block's first byte.</param>
    public static Row Open(string id, NativeAllocators natives, bool read) => id switch
    {
        Fragment256 => OpenFragments(natives),
        Fragment2KHandoff => OpenHandoff(id, natives, new HandoffStyle(Batched: false, read)),
        Fragment2KHandoffBatched => OpenHandoff(id, natives, new HandoffStyle(Batched: true, read)),
        PageOrder0 => OpenPages(natives),
        SwitchedRows.Fragment => SwitchedRows.Open(id, FragmentWork, SwitchedWork.Fragments),
        SwitchedRows.Page => SwitchedRows.Open(id, "one page taken and freed, one thread", SwitchedWork.Pages),
        SwitchedRows.Reference => SwitchedRows.Open(id, "a reference to a page taken and dropped, one thread", SwitchedWork.References),
        LedgerRows.Fragment or LedgerRows.Page => LedgerRows.Open(id),
        EventRows.Event or EventRows.EventWithStack => EventRows.Open(id),
        _ => throw new ArgumentOutOfRangeException(nameof(id), id, "not a row"),
    };

    private static Row OpenFragments(NativeAllocators natives)
    {
        Owned owned = new();
        List<Contender> contenders = [QuireContenders.OwnerFragments(Small, owned)];
        contenders.AddRange(natives.Present.Select(allocator =>
            new BatchContender<NativeBlocks, nint>(allocator.Name, ContenderRole.Peer, new NativeBlocks(allocator, Small))));
        contenders.Add(new BatchContender<ArrayPoolBlocks, PooledArray>(ArrayPoolName, ContenderRole.Peer, new ArrayPoolBlocks(Small)));
        contenders.Add(new BatchContender<SharedMemoryPoolBlocks, PooledOwner>(
            MemoryPoolName, ContenderRole.Peer, new SharedMemoryPoolBlocks(Small)));
        contenders.Add(new BatchContender<NativeMemoryBlocks, nint>(NativeMemoryName, ContenderRole.Peer, new NativeMemoryBlocks(Small)));

        return new Row(
            Fragment256,
            FragmentWork,
            [new Bar(0.50, 0.40, "mimalloc", "tcmalloc", "jemalloc"), new Bar(0.10, 0.06, ArrayPoolName)],
            [],
            contenders,
            owned);
    }

    private static Row OpenHandoff(string id, NativeAllocators natives, HandoffStyle style)
    {
        (int First, int Second)? cores = Cores.FirstTwo();
        Owned owned = new();
        owned.Add(Cores.Pin(cores?.First));
        Consumer consumer = owned.Add(new Consumer(cores?.Second));
        List<Contender> contenders = [QuireContenders.HandoffFragments(Large, consumer, style, owned)];
        contenders.AddRange(natives.Present.Select(allocator =>
            new HandoffContender<NativeBlocks, nint>(
                allocator.Name, ContenderRole.Peer, new NativeBlocks(allocator, Large), consumer, style)));
        contenders.Add(new HandoffContender<ArrayPoolBlocks, PooledArray>(
            ArrayPoolName, ContenderRole.Peer, new ArrayPoolBlocks(Large), consumer, style));
        contenders.Add(new HandoffContender<SharedMemoryPoolBlocks, PooledOwner>(
            MemoryPoolName, ContenderRole.Peer, new SharedMemoryPoolBlocks(Large), consumer, style));
        contenders.Add(new HandoffContender<NativeMemoryBlocks, nint>(
            NativeMemoryName, ContenderRole.Peer, new NativeMemoryBlocks(Large), consumer, style));
        contenders.Add(new HandoffContender<NumberedBlocks<long>, long>(
            "ring-only", ContenderRole.Floor, default, consumer, style));
        contenders.Add(new HandoffContender<NumberedBlocks<Int128>, Int128>(
            "ring-only, 16 B", ContenderRole.Floor, default, consumer, style));

        List<string> notes =
        [
            cores is (int first, int second)
                ? $"producer tied to core {first}, consumer to core {second}"
                : "threads not tied to cores: fewer than two, or this system has no way to do it",
            style.Reads ? "the consumer reads each block's first byte" : "the consumer does not read the blocks (--read makes it)",
        ];
        if (style.Batched)
        {
            notes.Add("no peer has a batched free (mimalloc neither): theirs free one by one in the same loop over the batch");
        }

        return new Row(
            id,
            style.Batched
                ? "2 KiB: through a ring of 512 to another thread, up to 64 freed there at once, ring included"
                : "2 KiB: through a ring of 512 to another thread, freed there one by one, ring included",
            [style.Batched
                ? new Bar(0.20, 0.15, "mimalloc", ArrayPoolName, NativeMemoryName)
                : new Bar(0.30, 0.20, "mimalloc", ArrayPoolName, NativeMemoryName)],
            notes,
            contenders,
            owned);
    }

    private static Row OpenPages(NativeAllocators natives)
    {
        Owned owned = new();
        MemoryPool<byte> kestrel = owned.Add(KestrelBlocks.CreatePool());
        List<Contender> contenders = [QuireContenders.Pages(owned)];
        contenders.Add(new PairContender<KestrelBlocks, PooledOwner>(KestrelName, ContenderRole.Peer, new KestrelBlocks(kestrel, PageBytes)));
        contenders.Add(new PairContender<NativeMemoryAlignedBlocks, nint>(
            AlignedAllocName, ContenderRole.Peer, new NativeMemoryAlignedBlocks(PageBytes)));
        contenders.Add(new PairContender<ArrayPoolBlocks, PooledArray>(ArrayPoolName, ContenderRole.Peer, new ArrayPoolBlocks(PageBytes)));
        contenders.Add(new PairContender<SharedMemoryPoolBlocks, PooledOwner>(
            MemoryPoolName, ContenderRole.Peer, new SharedMemoryPoolBlocks(PageBytes)));
        if (natives.Find("mimalloc") is NativeAllocator mimalloc)
        {
            contenders.Add(new PairContender<NativeAlignedBlocks, nint>(
                mimalloc.Name, ContenderRole.Peer, new NativeAlignedBlocks(mimalloc, PageBytes)));
        }

        return new Row(
            PageOrder0,
            "4 KiB, aligned to it where the peer can: one page taken and freed, one thread",
            [new Bar(0.35, 0.20, KestrelName, AlignedAllocName)],
            ["ArrayPool and MemoryPool give arrays that are not aligned to pages; they are not in the bar"],
            contenders,
            owned);
    }
}
