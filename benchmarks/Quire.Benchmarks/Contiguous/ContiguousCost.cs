using System.Diagnostics;

namespace Quire.Benchmarks.Contiguous;

/// <summary>
/// The measure of design 10: an area of 64 MiB, half of whose pages are movable and in use, taken in one piece, against <c>memcpy</c> of the bytes
/// moved; sources and destinations warm in both.
/// </summary>
internal static unsafe class ContiguousCost
{
    internal readonly record struct Row(double AllocateMilliseconds, double CopyPagesMilliseconds, double CopyWholeMilliseconds, int PagesMoved)
    {
        internal double RatioToPages => AllocateMilliseconds / CopyPagesMilliseconds;

        internal double RatioToWhole => AllocateMilliseconds / CopyWholeMilliseconds;

        internal double OverheadNanosecondsPerPage => (AllocateMilliseconds - CopyPagesMilliseconds) * 1e6 / PagesMoved;

        public override string ToString() =>
            $"allocate {AllocateMilliseconds:0.00} ms, memcpy page by page {CopyPagesMilliseconds:0.00} ms (ratio {RatioToPages:0.00}), in one piece {CopyWholeMilliseconds:0.00} ms (ratio {RatioToWhole:0.00}), {PagesMoved} pages, {OverheadNanosecondsPerPage:0} ns a page beside the copy";
    }

    /// <summary>Medians of several rounds, each measured side by side.</summary>
    internal static Row Measure(int rounds)
    {
        const int AreaPages = 16384;
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "cost", LimitBytes = 256L << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        using ContiguousArea area = ContiguousArea.Reserve(allocator, (long)AreaPages << 12, "cost");
        List<double> allocations = [];
        List<double> pageCopies = [];
        List<double> wholeCopies = [];
        int moved = 0;
        for (int round = -3; round < rounds; round++)
        {
            MovablePage[] all = [.. Enumerable.Range(0, AreaPages).Select(_ => area.AllocateMovable())];
            List<MovablePage> kept = [];
            for (int i = 0; i < all.Length; i++)
            {
                if (i % 2 == 0)
                {
                    PagePin pin = all[i].Pin();
                    pin.Span.Fill((byte)i);
                    pin.Unpin();
                    kept.Add(all[i]);
                }
                else
                {
                    all[i].Free();
                }
            }

            // Warm: the memory the pages will move to has been touched.
            List<Page> warm = [];
            for (int i = 0; i < kept.Count; i++)
            {
                Page page = allocator.Allocate(0, MigrateType.Movable);
                page.Span.Fill(1);
                warm.Add(page);
            }

            nint[] sources = [.. kept.Select(static page => { PagePin pin = page.Pin(); nint at = (nint)pin.Address; pin.Unpin(); return at; })];
            nint[] targets = [.. warm.Select(static page => (nint)page.Address)];
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < sources.Length; i++)
            {
                Buffer.MemoryCopy((void*)sources[i], (void*)targets[i], 4096, 4096);
            }

            double pageCopy = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            allocator.Free(warm.ToArray());
            ContiguousAreaStatistics before = area.GetStatistics();
            start = Stopwatch.GetTimestamp();
            ContiguousRange range = area.Allocate(AreaPages);
            double allocation = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            moved = (int)(area.GetStatistics().PagesMigrated - before.PagesMigrated);
            start = Stopwatch.GetTimestamp();
            Buffer.MemoryCopy(range.Address, range.Address + ((long)moved << 12), (long)moved << 12, (long)moved << 12);
            double wholeCopy = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            area.Release(range);
            kept.ForEach(static page => page.Free());
            if (round >= 0)
            {
                allocations.Add(allocation);
                pageCopies.Add(pageCopy);
                wholeCopies.Add(wholeCopy);
            }
        }

        return new Row(Median(allocations), Median(pageCopies), Median(wholeCopies), moved);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
