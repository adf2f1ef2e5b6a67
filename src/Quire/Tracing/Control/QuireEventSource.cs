using System.Diagnostics.Tracing;

namespace Quire;

/// <summary>
/// The event source <c>Quire</c>: the lifecycle and the rare events, for <c>dotnet-trace</c>, <c>dotnet-monitor</c> and listeners in the process; and the way in by which a
/// recording is started from outside.
/// </summary>
/// <remarks>
/// <para>
/// What happens a million times a second is not here; that is what recordings are for. Enabled without arguments it gives these events and does nothing else. An enable command with the
/// argument <c>path</c> starts a recording (<see cref="TracingCommands"/> has the rest).
/// </para>
/// <para>
/// Listeners in the process run on the thread that reports: it is called with no lock of Quire's held (<see cref="TracingNotices"/>).
/// </para>
/// </remarks>
[EventSource(Name = "Quire")]
internal sealed class QuireEventSource : EventSource
{
    internal static readonly QuireEventSource Log = new();

    private QuireEventSource()
    {
    }

    /// <summary>A recording began.</summary>
    /// <param name="request">Who asked for it: the argument <c>request</c> of the command; empty where the application itself did.</param>
    /// <param name="path">The file's full path.</param>
    /// <param name="stacks">Whether stacks are recorded.</param>
    /// <param name="sampleEvery">One reference in how many.</param>
    /// <param name="filter">The filter, or empty.</param>
    /// <param name="clock">The file's clock when the recording began: ns of the system's monotonic clock.</param>
    [Event(Ids.RecordingStarted, Level = EventLevel.Informational, Keywords = Keywords.Recording, Message = "Recording to {1}")]
    public void RecordingStarted(string request, string path, bool stacks, int sampleEvery, string filter, long clock) =>
        WriteEvent(Ids.RecordingStarted, request, path, stacks, sampleEvery, filter, clock);

    /// <summary>A recording ended, and its file is closed.</summary>
    /// <param name="request">As in <see cref="RecordingStarted"/>.</param>
    /// <param name="path">The file's full path.</param>
    /// <param name="events">Events written, those overwritten since included.</param>
    /// <param name="lost">Events lost, overwritten ones included.</param>
    /// <param name="milliseconds">How long it ran.</param>
    /// <param name="error">What went wrong at the end; empty where nothing did.</param>
    [Event(Ids.RecordingStopped, Level = EventLevel.Informational, Keywords = Keywords.Recording, Message = "Recorded {2} events to {1}, {3} lost")]
    public void RecordingStopped(string request, string path, long events, long lost, double milliseconds, string error) =>
        WriteEvent(Ids.RecordingStopped, request, path, events, lost, milliseconds, error);

    /// <summary>A recording asked for could not begin.</summary>
    /// <param name="request">As in <see cref="RecordingStarted"/>.</param>
    /// <param name="path">The path asked for.</param>
    /// <param name="error">Why, one sentence.</param>
    [Event(Ids.RecordingFailed, Level = EventLevel.Error, Keywords = Keywords.Recording, Message = "No recording to {1}: {2}")]
    public void RecordingFailed(string request, string path, string error) => WriteEvent(Ids.RecordingFailed, request, path, error);

    /// <summary>A page allocator was made.</summary>
    [Event(Ids.AllocatorCreated, Level = EventLevel.Informational, Keywords = Keywords.Allocator, Message = "Allocator '{0}' made, limit {1} bytes")]
    public void AllocatorCreated(string allocator, long limitBytes) => WriteEvent(Ids.AllocatorCreated, allocator, limitBytes);

    /// <summary>A page allocator was disposed.</summary>
    [Event(Ids.AllocatorDisposed, Level = EventLevel.Informational, Keywords = Keywords.Allocator, Message = "Allocator '{0}' disposed")]
    public void AllocatorDisposed(string allocator) => WriteEvent(Ids.AllocatorDisposed, allocator);

    /// <summary>An allocation failed, since the allocator's limit is reached.</summary>
    [Event(Ids.LimitReached, Level = EventLevel.Warning, Keywords = Keywords.Allocator, Message = "Allocator '{0}' is at its limit of {1} bytes; {2} bytes were asked for")]
    public void LimitReached(string allocator, long limitBytes, long requestedBytes) => WriteEvent(Ids.LimitReached, allocator, limitBytes, requestedBytes);

    /// <summary>A contiguous allocation failed (<c>cma_alloc</c>).</summary>
    [Event(Ids.ContiguousAllocationFailed, Level = EventLevel.Warning, Keywords = Keywords.Contiguous, Message = "Area '{0}': no {1} pages in one piece: {2}; {3}")]
    public void ContiguousAllocationFailed(string area, int pages, string reason, string firstHolder) => WriteEvent(Ids.ContiguousAllocationFailed, area, pages, reason, firstHolder);

    /// <summary>A misuse was found (<c>VM_BUG_ON_PAGE</c>).</summary>
    [Event(Ids.PageBug, Level = EventLevel.Error, Keywords = Keywords.Bugs, Message = "{0}")]
    public void PageBug(string message) => WriteEvent(Ids.PageBug, message);

    /// <summary>The ledger is full: references taken from here on are untracked.</summary>
    [Event(Ids.LedgerFull, Level = EventLevel.Warning, Keywords = Keywords.Ledger, Message = "The ledger is full at {0} records; references are untracked")]
    public void LedgerFull(int maximumRecords) => WriteEvent(Ids.LedgerFull, maximumRecords);

    /// <summary>
    /// A recording that was asked for by a command goes on; once a second. It also finds out that whoever asked is gone: the runtime notices a tool that was
    /// killed only when it writes to it, and then sends the disable command.
    /// </summary>
    [Event(Ids.RecordingProgress, Level = EventLevel.Verbose, Keywords = Keywords.Recording, Message = "Recording to {1}: {2} events, {3} lost")]
    public void RecordingProgress(string request, string path, long events, long lost) => WriteEvent(Ids.RecordingProgress, request, path, events, lost);

    /// <summary>A memory pool was made; its allocator may be its own, with an event of its own.</summary>
    [Event(Ids.PoolCreated, Level = EventLevel.Informational, Keywords = Keywords.Pool, Message = "Pool '{0}' made on allocator '{1}', limit {2} bytes")]
    public void PoolCreated(string pool, string allocator, long limitBytes) => WriteEvent(Ids.PoolCreated, pool, allocator, limitBytes);

    /// <summary>A memory pool was disposed.</summary>
    [Event(Ids.PoolDisposed, Level = EventLevel.Informational, Keywords = Keywords.Pool, Message = "Pool '{0}' disposed")]
    public void PoolDisposed(string pool) => WriteEvent(Ids.PoolDisposed, pool);

    /// <summary>Free memory went back to the system (<c>madvise</c>).</summary>
    [Event(Ids.MemoryTrimmed, Level = EventLevel.Informational, Keywords = Keywords.Allocator, Message = "Allocator '{0}' gave back {1} bytes: {2}")]
    public void MemoryTrimmed(string allocator, long bytes, string reason) => WriteEvent(Ids.MemoryTrimmed, allocator, bytes, reason);

    /// <summary>A contiguous allocation succeeded (<c>cma_alloc</c>).</summary>
    [Event(Ids.ContiguousAllocated, Level = EventLevel.Informational, Keywords = Keywords.Contiguous, Message = "Area '{0}': {1} pages in one piece after {2} ms")]
    public void ContiguousAllocated(string area, int pages, double milliseconds) => WriteEvent(Ids.ContiguousAllocated, area, pages, milliseconds);

    /// <summary>A range was given back, since not all of its pages would move; the allocation may have got another (<c>migrate_pages</c>).</summary>
    [Event(Ids.MigrationFailed, Level = EventLevel.Informational, Keywords = Keywords.Contiguous, Message = "Area '{0}': range of {2} pages at frame {1} given back, {3} moved, {4} would not")]
    public void MigrationFailed(string area, long firstFrame, int pages, int migrated, int left) => WriteEvent(Ids.MigrationFailed, area, firstFrame, pages, migrated, left);

    /// <inheritdoc/>
    protected override void OnEventCommand(EventCommandEventArgs command) =>
        TracingCommands.Received(command.Command, command.Arguments, anyoneLeft: IsEnabled());

    /// <summary>What can be asked for apart.</summary>
    public static class Keywords
    {
        /// <summary>Recordings: started, stopped, failed.</summary>
        public const EventKeywords Recording = (EventKeywords)0x1;

        /// <summary>Allocators: made, disposed, at their limit, trimmed.</summary>
        public const EventKeywords Allocator = (EventKeywords)0x2;

        /// <summary>Contiguous allocations, and ranges given back.</summary>
        public const EventKeywords Contiguous = (EventKeywords)0x4;

        /// <summary>Misuse found.</summary>
        public const EventKeywords Bugs = (EventKeywords)0x8;

        /// <summary>The ledger.</summary>
        public const EventKeywords Ledger = (EventKeywords)0x10;

        /// <summary>Memory pools: made, disposed.</summary>
        public const EventKeywords Pool = (EventKeywords)0x20;
    }

    /// <summary>The events' numbers, which never change their meaning. Fields are only ever added at an event's end: quire record of another version reads them by their place.</summary>
    internal static class Ids
    {
        internal const int RecordingStarted = 1;
        internal const int RecordingStopped = 2;
        internal const int RecordingFailed = 3;
        internal const int AllocatorCreated = 4;
        internal const int AllocatorDisposed = 5;
        internal const int LimitReached = 6;
        internal const int ContiguousAllocationFailed = 7;
        internal const int PageBug = 8;
        internal const int LedgerFull = 9;
        internal const int RecordingProgress = 10;
        internal const int PoolCreated = 11;
        internal const int PoolDisposed = 12;
        internal const int MemoryTrimmed = 13;
        internal const int ContiguousAllocated = 14;
        internal const int MigrationFailed = 15;
    }
}
