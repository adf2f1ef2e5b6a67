using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Peers;
using Quire.Benchmarks.Rows;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Pools;

/// <summary>The rows of <c>pools</c>: a buffer rented and returned, of three sizes, in three ways.</summary>
internal static class PoolRows
{
    public const string Mapped = "Quire";
    public const string Pinned = "Quire, pinned arrays";
    public const string Shared = "Quire, shared pool";
    public const string ThroughBase = "Quire as MemoryPool<byte>";
    public const string Arrays = "ArrayPool.Shared";
    public const string MemoryPools = "MemoryPool.Shared";
    public const string Streams = "RecyclableMemoryStream";
    public const string Kestrels = "Kestrel pool";

    /// <summary>What Kestrel's pool rents at most.</summary>
    public const int KestrelBlock = 4096;

    private enum Way
    {
        Single,
        Batch,
        Handoff,
    }

    public static IReadOnlyList<string> Ids { get; } =
        [.. from size in new[] { 256, 4096, 65_536 } from way in new[] { "single", "batch", "handoff" } select $"pool-{size}-{way}"];

    public static Row Open(string id)
    {
        string[] parts = id.Split('-');
        int size = int.Parse(parts[1], null);
        Way way = Enum.Parse<Way>(parts[2], ignoreCase: true);
        Owned owned = new();
        Consumer? consumer = null;
        List<string> notes = [];
        if (way == Way.Handoff)
        {
            (int First, int Second)? cores = Cores.FirstTwo();
            owned.Add(Cores.Pin(cores?.First));
            consumer = owned.Add(new Consumer(cores?.Second));
            notes.Add(cores is null ? "threads not tied to cores" : "threads tied to the first two cores");
        }

        QuireMemoryPool mapped = owned.Add(new QuireMemoryPool(new QuireMemoryPoolOptions { Name = "mapped", LimitBytes = 1 << 28 }));
        QuireMemoryPool pinned = owned.Add(new QuireMemoryPool(new QuireMemoryPoolOptions { Name = "pinned", LimitBytes = 1 << 28, Provider = RegionProvider.PinnedArrays }));
        List<Contender> contenders =
        [
            Make<QuirePoolBlocks, PooledPage>(Mapped, ContenderRole.Quire, new QuirePoolBlocks(mapped, size), way, consumer),
            Make<QuirePoolBlocks, PooledPage>(Pinned, ContenderRole.Aside, new QuirePoolBlocks(pinned, size), way, consumer),
            Make<QuirePoolBlocks, PooledPage>(Shared, ContenderRole.Aside, new QuirePoolBlocks(QuireMemoryPool.Shared, size), way, consumer),
            Make<AnyPoolBlocks, PooledOwner>(ThroughBase, ContenderRole.Aside, new AnyPoolBlocks(mapped, size), way, consumer),
            Make<ArrayPoolBlocks, PooledArray>(Arrays, ContenderRole.Peer, new ArrayPoolBlocks(size), way, consumer),
            Make<SharedMemoryPoolBlocks, PooledOwner>(MemoryPools, ContenderRole.Peer, new SharedMemoryPoolBlocks(size), way, consumer),
            Make<RecyclableBlocks, PooledStream>(Streams, ContenderRole.Peer, new RecyclableBlocks(RecyclableBlocks.CreateManager(size), size), way, consumer),
        ];
        if (size <= KestrelBlock)
        {
            contenders.Add(Make<KestrelBlocks, PooledOwner>(Kestrels, ContenderRole.Peer, new KestrelBlocks(owned.Add(KestrelBlocks.CreatePool()), size), way, consumer));
        }

        string work = way switch
        {
            Way.Single => "rented and returned at once, one thread",
            Way.Batch => "32 rented into an array, then the 32 returned, one thread",
            _ => "rented, through a ring of 512 to another thread, returned there, ring included",
        };
        return new Row(id, $"{size} B: {work}", [new Bar(1.0, 0.5, MemoryPools)], notes, contenders, owned);
    }

    private static Contender Make<TBlocks, T>(string name, ContenderRole role, TBlocks blocks, Way way, Consumer? consumer)
        where TBlocks : struct, IBlocks<T>
        where T : struct => way switch
        {
            Way.Single => new PairContender<TBlocks, T>(name, role, blocks),
            Way.Batch => new BatchContender<TBlocks, T>(name, role, blocks),
            _ => new HandoffContender<TBlocks, T>(name, role, blocks, consumer!, default),
        };
}
