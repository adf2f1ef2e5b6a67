namespace Quire.Tests;

/// <summary>What work leaves to the collector.</summary>
internal static class Garbage
{
    /// <summary>The least bytes that the calling thread allocated over so many attempts: a collection in the midst, or the runtime's own work, may put something on its account once. What the work makes, it makes each time.</summary>
    internal static long Least(int attempts, Action work)
    {
        long least = long.MaxValue;
        for (int attempt = 0; attempt < attempts && least != 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
