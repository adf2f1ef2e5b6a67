using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Quire.Benchmarks.Ledger;

/// <summary>What the ledger adds to a reference: one page got and put, one fragment taken and freed, with tracking off and on; medians of short turns side by side.</summary>
internal static class LedgerCost
{
    private const int Turn = 20_000;
    private const int Rounds = 201;

    internal static string Measure()
    {
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "ledger" });
        using PageFragmentCache cache = new(allocator);
        Page page = allocator.Allocate();
        List<double>[] times = [[], [], [], []];
        for (int round = -Rounds; round < Rounds; round++)
        {
            double[] turn = [Time(() => GetAndPut(page)), 0, Time(() => TakeAndFree(cache)), 0];
            using (Holders.Track())
            {
                turn[1] = Time(() => GetAndPut(page));
                turn[3] = Time(() => TakeAndFree(cache));
            }

            for (int i = 0; round >= 0 && i < turn.Length; i++)
            {
                times[i].Add(turn[i]);
            }
        }

        page.Put();
        double[] medians = [.. times.Select(static list => list.Order().ElementAt(list.Count / 2))];
        return $"page got and put: {medians[0]:0.0} ns, with the ledger on {medians[1]:0.0} ns; fragment of 256 B taken and freed: {medians[2]:0.0} ns, with the ledger on {medians[3]:0.0} ns";
    }

    private static double Time(Action turn)
    {
        long start = Stopwatch.GetTimestamp();
        turn();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Turn;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void GetAndPut(Page page)
    {
        for (int i = 0; i < Turn; i++)
        {
            page.Get().Put();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TakeAndFree(PageFragmentCache cache)
    {
        for (int i = 0; i < Turn; i++)
        {
            cache.Free(cache.Allocate(256));
        }
    }
}
