using System.Globalization;

namespace Quire.Samples.MovableCache;

/// <summary>The story: a full cache, a camera that wants the memory in one piece and gets it, and one reader who forgets a pin.</summary>
/// <remarks>Exit status: 0 it all happened as told; 1 it did not, and the last line says what.</remarks>
internal sealed class CacheRun(TextWriter output, TimeSpan phase)
{
    private const long Area = 32L << 20;

    /// <summary>Outside the area, so that what is cached has somewhere to move to; less than the cache has, so that it must give up some.</summary>
    private const long Elsewhere = 16L << 20;
    private const long Generous = 40L << 20;
    private const long Full = 30L << 20;
    private const long Modest = 12L << 20;

    /// <summary>For what happens in the end on a machine with other work too: a reader that loses its core in the midst of a pin keeps the camera waiting that long.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private const int Keys = 20_000;

    private string _wrong = "";

    internal int Run()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "cache", LimitBytes = Area + Elsewhere, TrimInterval = Timeout.InfiniteTimeSpan });
        using ContiguousArea area = ContiguousArea.Reserve(allocator, Area, "camera");
        using (PageCache cache = new(allocator, Generous))
        {
            using Readers readers = new(cache, Keys, threads: 2, seed: 42);
            Say($"area 'camera': {Mib(area.Bytes)} MiB in one piece, lent to the cache until the camera wants it");
            Phase(cache, readers, "cache alone");
            Require(SpinWait.SpinUntil(() => cache.Figures.Bytes >= Full, s_patience), "the readers did not fill the cache");
            GiveWay(area, cache, readers);
            Forget(area, cache, readers);
            Require(readers.Damaged == 0, $"{readers.Damaged} values were damaged");
        }

        long held = allocator.GetStatistics().InUseFrames;
        Say($"pages held at end: {held}");
        Require(held == 0, "pages are still held");
        if (_wrong.Length > 0)
        {
            Say($"wrong: {_wrong}");
        }

        return _wrong.Length == 0 ? 0 : 1;
    }

    private void GiveWay(ContiguousArea area, PageCache cache, Readers readers)
    {
        long evicted = cache.Figures.Evicted;
        cache.LimitBytes = Modest;
        evicted = cache.Figures.Evicted - evicted;
        if (!area.TryAllocate(area.Pages, out ContiguousRange range, out ContiguousFailure? failure, deadline: s_patience))
        {
            Require(false, $"the camera got nothing: {failure}");
            return;
        }

        Say("");
        Say(string.Create(CultureInfo.InvariantCulture, $"the camera wants all of it: the cache evicts {evicted:N0} entries, {area.GetStatistics().PagesMigrated:N0} pages move, and it has {Mib(range.Span.Length)} MiB in one piece"));
        range.Span.Fill(0xCA);
        Phase(cache, readers, "cache beside the camera");
        Require(area.GetStatistics().PagesMigrated > 0, "nothing had to move");
        Require(range.Span.IndexOfAnyExcept((byte)0xCA) < 0, "somebody wrote into the camera's memory");
        area.Release(range);
        cache.LimitBytes = Generous;
        Phase(cache, readers, "cache alone again");
    }

    private void Forget(ContiguousArea area, PageCache cache, Readers readers)
    {
        using Thumbnailer thumbnailer = new(cache, area);
        Say("");
        Say("a thumbnailer reads in place, and forgets to let go; the camera wants the area again:");
        cache.LimitBytes = Modest;
        bool isBusy = !area.TryAllocate(area.Pages, out ContiguousRange range, out ContiguousFailure? failure, deadline: TimeSpan.FromMilliseconds(250));
        Require(isBusy, "a pinned page was moved");
        Say(failure?.ToString() ?? "");
        Phase(cache, readers, "cache meanwhile");

        Say("");
        Say("the thumbnailer lets go; the same allocation again:");
        thumbnailer.LetGo();
        if (isBusy && area.TryAllocate(area.Pages, out range, out failure, deadline: s_patience))
        {
            Say(string.Create(CultureInfo.InvariantCulture, $"success: {Mib(range.Span.Length)} MiB in one piece"));
        }
        else
        {
            Require(false, $"the camera got nothing: {failure}");
        }

        if (range.Pages != 0)
        {
            area.Release(range);
        }
    }

    private void Phase(PageCache cache, Readers readers, string name)
    {
        CacheFigures before = cache.Figures;
        readers.TakeLongestGet();
        Thread.Sleep(phase);
        CacheFigures now = default;
        SpinWait.SpinUntil(() => (now = cache.Figures.Since(before)) is { Hits: > 0, Misses: > 0 }, s_patience);
        Say(string.Create(
            CultureInfo.InvariantCulture,
            $"{name + ':',-24} {Mib(now.Bytes),3} MiB, {now.Entries,6:N0} entries, {now.Hits + now.Misses,9:N0} gets, {now.HitRate:P1} hits, longest {readers.TakeLongestGet().TotalMilliseconds:N1} ms"));
        Require(now.Hits > 0 && now.Misses > 0, $"{name}: {now.Hits} hits, {now.Misses} misses");
    }

    private static long Mib(long bytes) => bytes >> 20;

    private void Say(string line) => output.WriteLine(line);

    private void Require(bool holds, string otherwise) => _wrong = holds || _wrong.Length > 0 ? _wrong : otherwise;
}
