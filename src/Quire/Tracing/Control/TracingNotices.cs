using System.Diagnostics.Tracing;

namespace Quire;

/// <summary>
/// What the rooms below tell of: each becomes an event of the source <c>Quire</c>, and a count of its meter where there is one. All of it costs a load
/// and a branch while nobody listens.
/// </summary>
/// <remarks>
/// To be called with no lock held and all structures consistent: listeners in the process run inside these calls, and may do anything, also with the page told of.
/// The exceptions are <see cref="LedgerFull"/> and <see cref="PageBug"/>, which may be called from anywhere.
/// </remarks>
internal static class TracingNotices
{
    private static int s_ledgerFull;

    /// <summary>Whether it is worth finding out who is the first holder in the way of a contiguous allocation.</summary>
    internal static bool WantsFirstHolder => QuireEventSource.Log.IsEnabled(EventLevel.Warning, QuireEventSource.Keywords.Contiguous);

    /// <summary>An allocator is ready.</summary>
    internal static void AllocatorCreated(string name, long limitBytes) => QuireEventSource.Log.AllocatorCreated(name, limitBytes);

    /// <summary>An allocator is gone.</summary>
    internal static void AllocatorDisposed(string name) => QuireEventSource.Log.AllocatorDisposed(name);

    /// <summary>An allocation got nothing because the limit is reached.</summary>
    internal static void LimitReached(string allocator, long limitBytes, long requestedBytes)
    {
        QuireMeter.LimitReached(allocator);
        QuireEventSource.Log.LimitReached(allocator, limitBytes, requestedBytes);
    }

    /// <summary>Free memory went back to the system.</summary>
    /// <param name="allocator">Whose.</param>
    /// <param name="bytes">How much, more than 0.</param>
    /// <param name="reason"><c>idle</c>: it had not been used for an interval; <c>pressure</c>: the system is short of memory; <c>asked</c>.</param>
    internal static void MemoryTrimmed(string allocator, long bytes, string reason) => QuireEventSource.Log.MemoryTrimmed(allocator, bytes, reason);

    /// <summary>A memory pool is ready.</summary>
    internal static void PoolCreated(string pool, string allocator, long limitBytes) => QuireEventSource.Log.PoolCreated(pool, allocator, limitBytes);

    /// <summary>A memory pool is gone.</summary>
    internal static void PoolDisposed(string pool) => QuireEventSource.Log.PoolDisposed(pool);

    /// <summary>A range was given back, since not all of its pages would move. An allocation may have got another.</summary>
    /// <param name="area">The area's name.</param>
    /// <param name="firstFrame">The range's first frame.</param>
    /// <param name="pages">The range's pages.</param>
    /// <param name="migrated">Pages that had moved already.</param>
    /// <param name="left">Pages that would not move; 0 where there was no other memory to move to.</param>
    internal static void MigrationFailed(string area, uint firstFrame, int pages, int migrated, int left) => QuireEventSource.Log.MigrationFailed(area, firstFrame, pages, migrated, left);

    /// <summary>A contiguous allocation ended.</summary>
    /// <param name="area">The area's name.</param>
    /// <param name="pages">Pages asked for.</param>
    /// <param name="duration">How long it took.</param>
    /// <param name="reason">Why it failed, one lower-case word or two (<c>busy</c>, <c>no_space</c>); null where it did not.</param>
    /// <param name="firstHolder">Who is in the way, the first of them; empty where nobody is, or where it was not wanted.</param>
    internal static void ContiguousFinished(string area, int pages, TimeSpan duration, string? reason, string firstHolder)
    {
        QuireMeter.ContiguousFinished(area, duration, reason);
        if (reason is null)
        {
            QuireEventSource.Log.ContiguousAllocated(area, pages, duration.TotalMilliseconds);
        }
        else
        {
            QuireEventSource.Log.ContiguousAllocationFailed(area, pages, reason, firstHolder);
        }
    }

    /// <summary>A misuse was found, and is about to be thrown. Told on a thread of the pool: who finds it may be at work on the page, or hold a lock.</summary>
    internal static void PageBug(string message) => ThreadPool.UnsafeQueueUserWorkItem(
        static message =>
        {
            QuireMeter.PageBug();
            QuireEventSource.Log.PageBug(message);
        },
        message,
        preferLocal: false);

    /// <summary>The ledger had no record for a reference. Told once, and again after the next start of a recording; on a thread of the pool, since this is called with a gate held.</summary>
    internal static void LedgerFull(int maximumRecords)
    {
        // Happens before: publishes nothing; of many that find the ledger full one tells it.
        if (Volatile.Read(ref s_ledgerFull) == 0 && Atomic.Exchange(ref s_ledgerFull, 1) == 0)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static maximum => QuireEventSource.Log.LedgerFull(maximum), maximumRecords, preferLocal: false);
        }
    }

    /// <summary>The next time that the ledger is full is told of again.</summary>
    internal static void Rearm() => Volatile.Write(ref s_ledgerFull, 0);
}
