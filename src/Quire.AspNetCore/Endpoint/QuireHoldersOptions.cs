namespace Quire.AspNetCore;

/// <summary>Who may see the page of holders, and what it may do.</summary>
public sealed class QuireHoldersOptions
{
    /// <summary>
    /// Answers every client, not those on this machine alone. The page shows names of files, methods and threads: put an authorization on it
    /// (<c>MapQuireHolders(…).RequireAuthorization()</c>).
    /// </summary>
    public bool AllowRemote { get; set; }

    /// <summary>Lets a POST switch the ledger on for a while. Costs the whole process some tens of nanoseconds a reference for that time.</summary>
    public bool AllowTracking { get; set; }

    /// <summary>The longest time for which a POST may switch it on, 1 s to 1 day.</summary>
    public TimeSpan MaximumTracking { get; set; } = TimeSpan.FromMinutes(5);

    internal void Check()
    {
        if (MaximumTracking < TimeSpan.FromSeconds(1) || MaximumTracking > TimeSpan.FromDays(1))
        {
            throw new ArgumentOutOfRangeException(nameof(MaximumTracking), MaximumTracking, "The longest time of tracking must be 1 s to 1 day.");
        }
    }
}
