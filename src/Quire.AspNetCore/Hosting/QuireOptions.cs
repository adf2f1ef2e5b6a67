namespace Quire.AspNetCore;

/// <summary>Where the memory of a pool comes from; see <see cref="RegionProvider"/>.</summary>
public enum QuireProvider
{
    /// <summary>Memory mapped from the system (<see cref="RegionProvider.Mapped"/>).</summary>
    Mapped,

    /// <summary>Pinned arrays of the garbage collector (<see cref="RegionProvider.PinnedArrays"/>), for interfaces that demand arrays, as Kestrel's does.</summary>
    PinnedArrays,
}

/// <summary>
/// How an application's page memory is made and watched: what <c>AddQuire</c> and <c>UseQuireMemoryPool</c> take, and what a section of the configuration is bound to.
/// </summary>
/// <remarks>Read once, when the memory is made. Validated when the application starts; each complaint names the key, its value and what is allowed.</remarks>
public sealed class QuireOptions
{
    /// <summary>The name shown in errors, tables, logs, metrics and health data.</summary>
    public string Name { get; set; } = "app";

    /// <summary>Most bytes of page memory, at least 4 MiB; 0 for half of the memory available to the process (in a container: to the container).</summary>
    public long LimitBytes { get; set; }

    /// <summary>Where memory comes from. Kestrel's pool is always made of pinned arrays.</summary>
    public QuireProvider Provider { get; set; }

    /// <summary>Asks the system for huge pages. Memory then goes back in free blocks of 2 MiB only. Not for pinned arrays.</summary>
    public bool HugePages { get; set; }

    /// <summary>Clears memory when it is freed, so that no request sees another's bytes.</summary>
    public bool ZeroOnFree { get; set; }

    /// <summary>How often idle memory is looked for and given back, above 0 and at most 49 days; <see cref="Timeout.InfiniteTimeSpan"/> (<c>"-00:00:00.001"</c>) for never.</summary>
    public TimeSpan TrimInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Free bytes kept however idle they are, 0 or more.</summary>
    public long KeepBytes { get; set; } = 1 << 20;

    /// <summary>Keeps the ledger of holders on while the application runs, for the whole process. Costs some tens of nanoseconds a reference (<see cref="Holders.Track"/>).</summary>
    public bool Tracking { get; set; }

    /// <summary>When the limit is hit, the log gets one message with the table of holders in this time, 0 or more; 0 logs each.</summary>
    public TimeSpan LimitLogInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>What the health check (<c>AddHealthChecks().AddQuire()</c>) finds good.</summary>
    public QuireHealthOptions Health { get; set; } = new();

    /// <summary>What complaints put before a key: the section that the options were bound to.</summary>
    internal string Path { get; set; } = "Quire";

    internal PageAllocatorOptions ToAllocatorOptions(Action<PagesStillHeldException> heldAtDispose) => new()
    {
        Name = Name,
        LimitBytes = LimitBytes,
        Provider = Provider == QuireProvider.Mapped ? RegionProvider.Mapped : RegionProvider.PinnedArrays,
        HugePages = HugePages,
        ZeroOnFree = ZeroOnFree,
        TrimInterval = TrimInterval,
        KeepBytes = KeepBytes,
        HeldAtDispose = heldAtDispose,
    };
}

/// <summary>When the health check calls memory degraded or unhealthy.</summary>
public sealed class QuireHealthOptions
{
    /// <summary>Degraded from this share of the limit in use on, above 0 and at most 1.</summary>
    public double DegradedAt { get; set; } = 0.8;

    /// <summary>Unhealthy from this share of the limit in use on, not below <see cref="DegradedAt"/> and at most 1.</summary>
    public double UnhealthyAt { get; set; } = 0.95;

    /// <summary>
    /// Degraded while somebody has held a reference for this long, above 0; <see cref="Timeout.InfiniteTimeSpan"/> asks not. Only what the ledger records is known, so only while it is on. What holds
    /// memory by design (<see cref="HolderRow.IsStructural"/>) does not count; a cache of yours does.
    /// </summary>
    public TimeSpan LongHold { get; set; } = TimeSpan.FromMinutes(10);
}
