using Xunit;

namespace Quire.Tests.Fragments;

/// <summary>Nothing on the hot paths allocates on the GC heap, with the ledger off and on.</summary>
[Collection(LedgerCollection.Name)]
public sealed unsafe class NoGarbageTests : IDisposable
{
    private const int Rounds = 100_000;

    private readonly PageAllocator _allocator = Trial.Allocator();
    private readonly PageFragmentCache _cache;
    private readonly PageFragment[] _fragments = new PageFragment[64];
    private readonly Page[] _pages = new Page[32];
    private readonly PageFragment[] _ring = new PageFragment[512];
    private PageFragment _fragment;
    private Page _page;
    private int _next;

    public NoGarbageTests() => _cache = new PageFragmentCache(_allocator);

    public static TheoryData<string, bool> Paths
    {
        get
        {
            TheoryData<string, bool> data = [];
            foreach (string path in (string[])["fragment", "fragment of the thread", "fragment with its bytes", "aligned", "whole", "get and free", "lease", "batch of the owner",
                "batch of another", "kept back and reused", "page", "page of order 2", "cold page", "movable page", "pages at once", "get and put", "many at once", "speculative", "bounded", "counts", "drain"])
            {
                data.Add(path, false);
                data.Add(path, true);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void No_hot_path_makes_garbage(string path, bool tracking)
    {
        using IDisposable? session = tracking ? Holders.Track() : null;
        _fragment = _cache.Allocate(64);
        _page = _allocator.Allocate(1);
        Action<NoGarbageTests> step = Step(path);
        int rounds = path is "whole" or "batch of the owner" or "batch of another" or "pages at once" or "drain" ? Rounds / 10 : Rounds;

        // The first rounds make what stays: magazines, call sites, the ledger's slabs, compiled code.
        for (int i = 0; i < 2000; i++)
        {
            step(this);
        }

        long bytes = Garbage.Least(3, () =>
        {
            for (int i = 0; i < rounds; i++)
            {
                step(this);
            }
        });
        foreach (PageFragment left in _ring)
        {
            if (left != default)
            {
                left.Free();
            }
        }

        _fragment.Free();
        _page.Put();
        Assert.True(bytes == 0, $"{rounds} rounds of '{path}' made {bytes} bytes of garbage.");
    }

    private static Action<NoGarbageTests> Step(string path) => path switch
    {
        "fragment" => static t => t._cache.Free(t._cache.Allocate(256)),
        "fragment of the thread" => static t => PageFragmentCache.Current.Allocate(256).Free(),
        "fragment with its bytes" => static t =>
        {
            PageFragment fragment = t._cache.Allocate(256, out Span<byte> bytes);
            bytes[0] = 1;
            fragment.Span[255] = 2;
            t._cache.Free(fragment);
        }
        ,
        "aligned" => static t => t._cache.Free(t._cache.Allocate(100, 64)),
        "whole" => static t => t._cache.Allocate(40_000).Free(),
        "get and free" => static t => t._fragment.Get().Free(),
        "lease" => static t =>
        {
            using FragmentLease lease = t._cache.Allocate(100).Lease();
            lease.Span[0] = 1;
        }
        ,
        "batch of the owner" => static t =>
        {
            for (int i = 0; i < t._fragments.Length; i++)
            {
                t._fragments[i] = t._cache.Allocate(700);
            }

            t._cache.Free(t._fragments);
        }
        ,
        "batch of another" => static t =>
        {
            for (int i = 0; i < t._fragments.Length; i++)
            {
                t._fragments[i] = t._cache.Allocate(700);
            }

            PageFragment.Free(t._fragments);
        }
        ,
        "kept back and reused" => static t =>
        {
            ref PageFragment slot = ref t._ring[t._next++ % t._ring.Length];
            PageFragment old = slot;
            slot = t._cache.Allocate(2048);
            if (old != default)
            {
                old.Free();
            }
        }
        ,
        "page" => static t => t._allocator.Free(t._allocator.Allocate()),
        "page of order 2" => static t => t._allocator.Allocate(2).Put(),
        "cold page" => static t => t._allocator.Free(t._allocator.Allocate(), PageTemperature.Cold),
        "movable page" => static t => t._allocator.Free(t._allocator.Allocate(0, MigrateType.Movable)),
        "pages at once" => static t =>
        {
            for (int i = 0; i < t._pages.Length; i++)
            {
                t._pages[i] = t._allocator.Allocate();
            }

            t._allocator.Free(t._pages);
        }
        ,
        "get and put" => static t => t._page.Get().Put(),
        "many at once" => static t => t._page.Get(9).Put(9),
        "speculative" => static t =>
        {
            if (t._page.TryGet(out Page reference, out _))
            {
                reference.Put();
            }
        }
        ,
        "bounded" => static t =>
        {
            if (t._page.TryGetBounded(out Page reference))
            {
                reference.Put();
            }
        }
        ,
        "counts" => static t =>
        {
            PageRef.Add(t._page, 3);
            PageRef.Inc(t._page);
            PageRef.Sub(t._page, 3);
            PageRef.Dec(t._page);
        }
        ,
        "drain" => static t =>
        {
            PageFragment fragment = t._cache.Allocate(100);
            t._cache.Drain();
            fragment.Free();
        }
        ,
        _ => throw new ArgumentOutOfRangeException(nameof(path)),
    };

    public void Dispose()
    {
        _cache.Dispose();
        _allocator.Verify();
        _allocator.Dispose();
    }
}
