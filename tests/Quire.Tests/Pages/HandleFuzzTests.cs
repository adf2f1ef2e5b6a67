using Xunit;

namespace Quire.Tests.Pages;

/// <summary>Sixteen bytes of anything, taken for a handle: a <see cref="PageBugException"/> at worst, and nothing has changed.</summary>
/// <remarks>Alone in the process: a made-up handle may happen to mean another test's page.</remarks>
[Collection(LedgerCollection.Name)]
public sealed unsafe class HandleFuzzTests
{
    private const int Handles = 1_000_000;

    /// <summary>Calls that look only: whatever they say, they don't throw.</summary>
    private static readonly Action<Page, PageFragment>[] s_looks =
    [
        (page, _) => Assert.False(page.TryGet(out Page got, out PageGetFailure none) || got != default || none == PageGetFailure.None),
        (page, _) => Sink(page.FrameNumber + page.Generation + page.GetHashCode()),
        (page, fragment) => Assert.True(page.IsAlive == new Page(page._identity).IsAlive && fragment.Page.IsAlive == fragment.IsAlive),
        (page, fragment) => Assert.True(page.Equals(page) && fragment.Equals(fragment) && page.Equals((object)page) && fragment == fragment.Copy()),
        (page, fragment) => Assert.NotEmpty(page.ToString() + fragment),
        (page, _) => Assert.NotEmpty(page.Dump()),
        (page, _) => Assert.False(PageRef.AddUnless(page, 1, 0)),
        (_, fragment) => fragment.Touch(),
        (page, _) => Page.TryFromFrame(page.FrameNumber, out Page found),
        (page, _) => Page.TryFromAddress((void*)page._identity, out Page found),
    ];

    /// <summary>Calls that throw where the handle is stale; what takes or drops a reference must throw always.</summary>
    private readonly (string Name, bool Changes, Action<Page, PageFragment> Call)[] _calls;
    private readonly PageAllocator _allocator = Trial.Allocator(limit: 16 * Trial.MiB);
    private readonly PageFragmentCache _cache;
    private readonly List<Page> _live = [];

    public HandleFuzzTests()
    {
        _cache = new PageFragmentCache(_allocator);
        _calls =
        [
            ("Get", true, (page, _) => page.Get()),
            ("Get(n)", true, (page, _) => page.Get(3)),
            ("TryGetBounded", true, (page, _) => page.TryGetBounded(out Page found)),
            ("Put", true, (page, _) => page.Put()),
            ("Put(n)", true, (page, _) => page.Put(2)),
            ("Span", false, (page, _) => Sink(page.Span.Length)),
            ("Address", false, (page, _) => Sink((nint)page.Address)),
            ("Length", false, (page, _) => Sink(page.Length)),
            ("Order", false, (page, _) => Sink(page.Order)),
            ("IsTail", false, (page, _) => Sink(page.IsTail ? 1 : 0)),
            ("Head", false, (page, _) => Sink(page.Head.FrameNumber)),
            ("Frame", false, (page, _) => page.Frame(0)),
            ("Count", false, (page, _) => PageRef.Count(page)),
            ("Add", true, (page, _) => PageRef.Add(page, 2)),
            ("Sub", true, (page, _) => PageRef.Sub(page, 1)),
            ("Inc", true, (page, _) => PageRef.Inc(page)),
            ("Dec", true, (page, _) => PageRef.Dec(page)),
            ("SubAndTest", true, (page, _) => PageRef.SubAndTest(page, 1)),
            ("DecAndTest", true, (page, _) => PageRef.DecAndTest(page)),
            ("IncReturn", true, (page, _) => PageRef.IncReturn(page)),
            ("DecReturn", true, (page, _) => PageRef.DecReturn(page)),
            ("SubReturn", true, (page, _) => PageRef.SubReturn(page, 1)),
            ("Free", true, (page, _) => _allocator.Free(page)),
            ("Free cold", true, (page, _) => _allocator.Free(page, PageTemperature.Cold)),
            ("Free many", true, (page, _) => _allocator.Free([page, page])),
            ("FreeUnreferenced", true, (page, _) => _allocator.FreeUnreferenced(page)),
            ("Shared.Free", true, (page, _) => PageAllocator.Shared.Free(page)),
            ("Holders.Of", false, (page, _) => Holders.Of(page)),
            ("Drain", true, (page, _) => PageFragmentCache.Drain(page, 1)),
            ("Fragment.Length", false, (_, fragment) => Sink(*fragment.Address + fragment.Length)),
            ("Fragment.Address", false, (_, fragment) => Sink(*fragment.Address)),
            ("Fragment.Span", false, (_, fragment) => Sink(fragment.Span is [.., byte last] ? last : 0)),
            ("Fragment.Get", true, (_, fragment) => fragment.Get()),
            ("Fragment.Free", true, (_, fragment) => fragment.Free()),
            ("Fragment.Free many", true, (_, fragment) => PageFragment.Free([fragment, fragment])),
            ("Cache.Free", true, (_, fragment) => _cache.Free(fragment)),
            ("Cache.Free many", true, (_, fragment) => _cache.Free([fragment])),
            ("Lease", true, (_, fragment) => fragment.Lease().Dispose()),
        ];
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whatever_a_handle_holds_it_is_refused_and_nothing_changes(bool tracking) => Trial.Seeded(random =>
    {
        using IDisposable? session = tracking ? Holders.Track() : null;
        Populate(random);
        int[] counts = [.. _live.Select(page => PageRef.Count(page))];
        PageAllocatorStatistics before = _allocator.GetStatistics();
        for (int i = 0; i < Handles; i++)
        {
            (Page page, PageFragment fragment) = Make(random, i);

            // Every handle is decoded; one in eight goes through a call that throws, which costs microseconds.
            s_looks[i % s_looks.Length](page, fragment);
            if (i % 8 == 0)
            {
                Check(page, fragment, _calls[i / 8 % _calls.Length], i);
            }
        }

        // The two that are always at hand: nothing at all, and all ones.
        foreach ((Page page, PageFragment fragment) in ((Page, PageFragment)[])[(default, default), MakeFrom(ulong.MaxValue, ulong.MaxValue)])
        {
            foreach ((string Name, bool Changes, Action<Page, PageFragment> Call) call in _calls)
            {
                Assert.True(Throws(page, fragment, call.Call), $"{call.Name} of {page} did not throw.");
            }

            foreach (Action<Page, PageFragment> look in s_looks)
            {
                look(page, fragment);
            }
        }

        PageAllocatorStatistics after = _allocator.GetStatistics();
        Assert.Equal(before, after);
        Assert.Equal(counts, _live.Select(page => PageRef.Count(page)));
        _cache.Verify();
        _allocator.Verify();
        _live.ForEach(page => page.Put());
        _cache.Dispose();
        _allocator.Verify();
        _allocator.Dispose();
    });

    private static void Sink(long value) => GC.KeepAlive(value == long.MinValue ? s_looks : null);

    private static void Check(Page page, PageFragment fragment, (string Name, bool Changes, Action<Page, PageFragment> Call) call, int i)
    {
        bool thrown = Throws(page, fragment, call.Call);

        // A handle to a page that is free, at its next generation, is nobody's yet: it may be looked at, and nothing else.
        Assert.True(thrown || !call.Changes, $"{call.Name} of {page} (0x{page._identity:x16}) and {fragment} at {i} did not throw.");
        Assert.True(thrown || page.IsAlive, $"{call.Name} of the stale {page} (0x{page._identity:x16}) at {i} did not throw.");
    }

    private static bool Throws(Page page, PageFragment fragment, Action<Page, PageFragment> call)
    {
        try
        {
            call(page, fragment);
            return false;
        }
        catch (PageBugException)
        {
            return true;
        }
    }

    private void Populate(Random random)
    {
        for (int i = 0; i < 300; i++)
        {
            _live.Add(_allocator.Allocate(random.Next(4) == 0 ? random.Next(6) : 0, (MigrateType)random.Next(2)));
        }

        for (int i = _live.Count - 1; i >= 0; i--)
        {
            if (random.Next(2) == 0)
            {
                _live[i].Put();
                _live.RemoveAt(i);
            }
        }
    }

    /// <summary>Noise, half right handles, and right ones with bits turned; never one that is somebody's.</summary>
    private (Page Page, PageFragment Fragment) Make(Random random, int i)
    {
        while (true)
        {
            ulong word = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            Page near = _live[random.Next(_live.Count)];
            ulong known = PageIdentity.Of(near.FrameNumber + (uint)random.Next(-40, 40), near.Generation + random.Next(-3, 4));
            ulong identity = (i % 5) switch
            {
                0 => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
                1 => known,
                2 => known | PageIdentity.TrackedBit,
                3 => (known & PageIdentity.FrameMask) | ((ulong)random.NextInt64() << PageIdentity.FrameBits),
                _ => near._identity ^ (1ul << random.Next(64)),
            };
            if (!IsSomebodys(identity, (uint)(word >> 32)))
            {
                return MakeFrom(identity, word);
            }
        }
    }

    /// <summary>An untracked handle to a page in use is as good as its owner's copy; a tracked one needs a ticket that is live.</summary>
    private static bool IsSomebodys(ulong identity, uint ticket)
    {
        Page page = new(PageIdentity.Unmarked(identity));
        PageDescriptor* head = page.HeadOrNull();
        return head != null && PageRef.Count(head) != 0
            && ((identity & PageIdentity.TrackedBit) == 0 || ticket == 0 || Ledger.IsLive(ticket, PageIdentity.Unmarked(head->Identity)));
    }

    private static (Page Page, PageFragment Fragment) MakeFrom(ulong identity, ulong word)
    {
        ulong* raw = stackalloc ulong[2] { identity, word };
        PageFragment fragment = *(PageFragment*)raw;
        raw[1] = word >> 32;
        return (*(Page*)raw, fragment);
    }
}

internal static class HandleCopies
{
    internal static PageFragment Copy(this PageFragment fragment) => fragment;
}
