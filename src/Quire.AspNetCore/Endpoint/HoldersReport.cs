using System.Text.Json.Serialization;

namespace Quire.AspNetCore;

/// <summary>Who holds what, at one moment: what the page, the text and the JSON are made of.</summary>
/// <param name="Time">When it was made.</param>
/// <param name="Tracking">Whether the ledger is on.</param>
/// <param name="TrackingSecondsLeft">Whole seconds for which the endpoint keeps it on, rounded up; 0 where nobody asked it to.</param>
/// <param name="Allocators">Each allocator of the process.</param>
/// <param name="Pools">Each memory pool of the process.</param>
internal sealed record HoldersReport(DateTimeOffset Time, bool Tracking, double TrackingSecondsLeft, IReadOnlyList<AllocatorReport> Allocators, IReadOnlyList<PoolReport> Pools)
{
    internal static HoldersReport Make(TimeSpan trackingLeft)
    {
        // First, so that references taken before it was switched on, in the midst of this, are not shown as if it had been on.
        bool tracking = Holders.IsTracking;
        return new HoldersReport(
            DateTimeOffset.UtcNow,
            tracking,
            Math.Ceiling(trackingLeft.TotalSeconds),
            [.. PageAllocator.All().Select(AllocatorReport.Make).OfType<AllocatorReport>().OrderByDescending(static one => one.InUseBytes).ThenBy(static one => one.Name, StringComparer.Ordinal)],
            [.. QuireMemoryPool.All().Select(PoolReport.Make).OrderByDescending(static one => one.RentedBytes).ThenBy(static one => one.Name, StringComparer.Ordinal)]);
    }
}

/// <summary>One allocator: its memory in bytes, and who holds it.</summary>
internal sealed record AllocatorReport(
    string Name,
    long LimitBytes,
    long ManagedBytes,
    long InUseBytes,
    long FreeBytes,
    long GivenBackBytes,
    long RetiredBytes,
    long References,
    int Pages,
    long UntrackedReferences,
    int UntrackedPages,
    IReadOnlyList<HolderReport> Holders)
{
    /// <summary>The same as text, with all columns.</summary>
    [JsonIgnore]
    internal string Table { get; private init; } = "";

    /// <summary>Null for one that is disposed meanwhile.</summary>
    internal static AllocatorReport? Make(PageAllocator allocator)
    {
        try
        {
            PageAllocatorStatistics now = allocator.GetStatistics();
            HolderTable table = allocator.GetHolders();
            return new AllocatorReport(
                allocator.Name,
                allocator.LimitBytes,
                now.ManagedBytes,
                now.InUseBytes,
                now.FreeBytes,
                now.DecommittedFrames * Page.FrameSize,
                now.RetiredFrames * Page.FrameSize,
                table.References,
                table.Pages,
                table.UntrackedReferences,
                table.UntrackedPages,
                [.. table.Rows.Select(HolderReport.Make)])
            {
                Table = table.ToString(0, 1000),
            };
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }
}

/// <summary>All holders of one kind at one line of code.</summary>
internal sealed record HolderReport(
    string Site,
    string File,
    int Line,
    string Member,
    HolderKind Kind,
    bool ByDesign,
    int Holders,
    long References,
    int Pages,
    long UsedBytes,
    long PinnedBytes,
    double OldestSeconds,
    IReadOnlyList<string> Threads,
    IReadOnlyList<string> Stack)
{
    internal static HolderReport Make(HolderRow row) => new(
        row.Site.ToString(),
        row.Site.File ?? "",
        row.Site.Line,
        row.Site.Member ?? "",
        row.Kind,
        row.IsStructural,
        row.Holders,
        row.References,
        row.Pages,
        row.UsedBytes,
        row.PinnedBytes,
        Math.Round(row.Oldest.TotalSeconds, 3),
        row.Threads,
        row.Stacks.Count == 0 ? [] : row.Stacks[0].Frames);
}

/// <summary>One memory pool.</summary>
internal sealed record PoolReport(string Name, string Allocator, long RentedOwners, long RentedBytes, long Rents, long Returns, long Pins, int Waiters)
{
    internal static PoolReport Make(QuireMemoryPool pool)
    {
        QuireMemoryPoolStatistics now = pool.GetStatistics();
        return new PoolReport(pool.Name, pool.Allocator.Name, now.RentedOwners, now.RentedBytes, now.Rents, now.Returns, now.Pins, now.Waiters);
    }
}

/// <summary>Writes reports without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(HoldersReport))]
internal sealed partial class HoldersJson : JsonSerializerContext;
