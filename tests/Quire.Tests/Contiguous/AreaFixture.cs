using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Tests.Contiguous;

/// <summary>An allocator of its own with one area; at the end all equations are checked, and all memory must be back.</summary>
internal sealed unsafe class AreaFixture : IDisposable
{
    internal const int BlockPages = 512;
    internal static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    private readonly List<MovablePage> _pages = [];
    private readonly Thread _thread = Thread.CurrentThread;
    private Exception? _last;

    internal AreaFixture(int areaMiB = 4, int limitMiB = 64, bool zeroOnFree = false)
    {
        Allocator = new PageAllocator(new PageAllocatorOptions
        {
            Name = "contig tests",
            LimitBytes = (long)limitMiB << 20,
            ZeroOnFree = zeroOnFree,
            TrimInterval = Timeout.InfiniteTimeSpan,
        });
        Area = ContiguousArea.Reserve(Allocator, (long)areaMiB << 20, "test area");
        AppDomain.CurrentDomain.FirstChanceException += Note;
    }

    internal PageAllocator Allocator { get; }

    internal ContiguousArea Area { get; }

    /// <summary>A movable page filled with a pattern of its own.</summary>
    internal MovablePage Add(ulong seed = 1)
    {
        MovablePage page = Area.AllocateMovable();
        Fill(page, seed);
        _pages.Add(page);
        return page;
    }

    internal MovablePage[] AddMany(int count) => [.. Enumerable.Range(0, count).Select(i => Add((ulong)i + 1))];

    /// <summary>Fills the whole area and then some, so that every frame of it is lent; then keeps only those for which the test asks.</summary>
    internal MovablePage[] FillArea(Func<int, bool>? keep = null)
    {
        List<MovablePage> kept = [];
        List<MovablePage> spare = [];
        for (int lent = 0; lent < Area.Pages;)
        {
            MovablePage page = Add((ulong)kept.Count + 1);
            int at = IndexOf(page);
            if (at >= 0)
            {
                lent++;
            }

            (at >= 0 && (keep is null || keep(at)) ? kept : spare).Add(page);
        }

        foreach (MovablePage page in spare)
        {
            Free(page);
        }

        return [.. kept];
    }

    internal void Free(MovablePage page)
    {
        _pages.Remove(page);
        page.Free();
    }

    /// <summary>The page's place in the area, or -1.</summary>
    internal int IndexOf(MovablePage page)
    {
        Assert.True(MovableTable.TryLocate(page.Index, page.Generation, out ulong identity));
        long at = (long)PageIdentity.Frame(identity) - Area.FirstFrame;
        return at >= 0 && at < Area.Pages ? (int)at : -1;
    }

    internal static void Fill(MovablePage page, ulong seed)
    {
        PagePin pin = page.Pin();
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(pin.Span);
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = seed * 0x9E3779B97F4A7C15ul + (ulong)i;
        }

        pin.Unpin();
    }

    internal static bool Has(MovablePage page, ulong seed)
    {
        PagePin pin = page.Pin();
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(pin.Span);
        bool all = true;
        for (int i = 0; i < words.Length; i++)
        {
            all &= words[i] == seed * 0x9E3779B97F4A7C15ul + (ulong)i;
        }

        pin.Unpin();
        return all;
    }

    internal static void AssertContent(IReadOnlyList<MovablePage> pages, [CallerArgumentExpression(nameof(pages))] string what = "")
    {
        for (int i = 0; i < pages.Count; i++)
        {
            Assert.True(Has(pages[i], (ulong)i + 1), $"{what}[{i}] lost its content");
        }
    }

    /// <summary>How many frames stand on the free lists, by list: what an undo must leave as it was.</summary>
    internal string FreeLists()
    {
        Allocator.DrainPerCore();
        List<string> lists = [];
        for (int order = 0; order <= Page.MaxOrder; order++)
        {
            for (MigrateType type = MigrateType.Unmovable; type <= MigrateType.Isolated; type++)
            {
                int blocks = Allocator.Zone.Lists.Blocks(order, type);
                if (blocks != 0 && type >= MigrateType.Contiguous)
                {
                    lists.Add($"{type}/{order}: {blocks}");
                }
            }
        }

        return string.Join(", ", lists);
    }

    /// <summary>Returns when an allocation waits that did not yet when the area had seen so many waits.</summary>
    internal void AwaitWaiter(long waits = 0) => Assert.True(SpinWait.SpinUntil(() => Area.GetStatistics().Waits > waits, Long), "nobody waits for a pin in the area");

    /// <summary>Repeats what a machine with other work to do can spoil, until it comes out well once: a defect spoils every round.</summary>
    internal static bool Once(int rounds, Func<bool> round) => Enumerable.Range(0, rounds).Any(_ => round());

    internal void Verify()
    {
        Allocator.Verify();
        Area.Verify();
    }

    /// <summary>Where the checks fail because the test did, its own exception, which this one takes the place of, is in the message: it has the seed.</summary>
    public void Dispose()
    {
        AppDomain.CurrentDomain.FirstChanceException -= Note;
        try
        {
            Close();
        }
        catch (Exception thrown) when (_last is not null)
        {
            throw new InvalidOperationException($"{thrown.Message}{Environment.NewLine}The last exception on the test's thread before that: {_last}", thrown);
        }
    }

    private void Note(object? sender, FirstChanceExceptionEventArgs thrown) => _last = ReferenceEquals(Thread.CurrentThread, _thread) ? thrown.Exception : _last;

    private void Close()
    {
        foreach (MovablePage page in _pages)
        {
            page.Free();
        }

        Verify();
        Area.Dispose();
        Allocator.Verify();
        Assert.True(Allocator.GetStatistics().InUseFrames == 0, $"pages are left over:{Environment.NewLine}{string.Join(Environment.NewLine, PagesInUse())}");
        Allocator.Dispose();
    }

    private List<string> PagesInUse()
    {
        List<string> pages = [];
        foreach ((uint first, uint frames) in Allocator.Sections.All())
        {
            for (uint frame = first; frame < first + frames; frame++)
            {
                if (Page.TryFromFrame(frame, out Page page))
                {
                    pages.Add(page.Dump());
                }
            }
        }

        return pages;
    }

    /// <summary>Runs on a thread of its own, and brings what it throws to the caller of <c>Join</c>.</summary>
    internal static TestThread Start(string name, Action body) => new(name, body);

    /// <summary>A reference to the page's memory that outlives its pin: what the rules forbid.</summary>
    internal static Page KeepReference(MovablePage page)
    {
        PagePin pin = page.Pin();
        Page kept = pin.Page.Get();
        pin.Unpin();
        return kept;
    }
}

internal sealed class TestThread
{
    private readonly Thread _thread;
    private Exception? _thrown;

    internal TestThread(string name, Action body)
    {
        _thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception thrown)
            {
                _thrown = thrown;
            }
        })
        { Name = name, IsBackground = true };
        _thread.Start();
    }

    internal void Interrupt() => _thread.Interrupt();

    internal void Join()
    {
        Assert.True(_thread.Join(TimeSpan.FromSeconds(60)), $"Thread '{_thread.Name}' did not end within a minute.");
        if (_thrown is not null)
        {
            throw new InvalidOperationException($"On thread '{_thread.Name}': {_thrown.Message}", _thrown);
        }
    }
}
