using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Quire.AspNetCore;

/// <summary>Looks at the application's page memory: how much of each limit is in use, and whether somebody has held a reference for too long.</summary>
/// <remarks>Only memory that the container made (<c>AddQuire</c>, <c>UseQuireMemoryPool</c>), since only that has thresholds. The ledger is asked only while it is on.</remarks>
internal sealed class QuireHealthCheck(QuireMemories memories) : IHealthCheck
{
    private const int NamedHolders = 3;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        HealthStatus worst = HealthStatus.Healthy;
        List<string> words = [];
        Dictionary<string, object> data = [];
        void Found(HealthStatus status, string what)
        {
            worst = status < worst ? status : worst;
            words.Add(what);
        }

        bool tracking = Holders.IsTracking;
        data["tracking"] = tracking;
        foreach (QuireMemory memory in memories.All())
        {
            string name = memory.Allocator.Name;
            QuireHealthOptions health = memory.Options.Health;
            long inUse = memory.Allocator.GetStatistics().InUseBytes;
            double share = (double)inUse / memory.Allocator.LimitBytes;
            data[$"{name}.in_use_bytes"] = inUse;
            data[$"{name}.limit_bytes"] = memory.Allocator.LimitBytes;
            data[$"{name}.used_share"] = Math.Round(share, 4);
            if (share >= health.DegradedAt)
            {
                string limit = string.Create(CultureInfo.InvariantCulture, $"'{name}' uses {share:P1} of its limit of {memory.Allocator.LimitBytes} bytes");
                Found(share >= health.UnhealthyAt ? HealthStatus.Unhealthy : HealthStatus.Degraded, limit);
            }

            if (tracking && health.LongHold != Timeout.InfiniteTimeSpan)
            {
                CheckHolders(memory, health.LongHold, data, Found);
            }
        }

        // What the registration calls a failure stands for the worst only.
        HealthStatus status = worst == HealthStatus.Unhealthy ? context.Registration.FailureStatus : worst;
        string description = words.Count == 0 ? "Page memory is within its limits." : string.Join("; ", words) + ".";
        return Task.FromResult(new HealthCheckResult(status, description, data: data));
    }

    private static void CheckHolders(QuireMemory memory, TimeSpan longest, Dictionary<string, object> data, Action<HealthStatus, string> found)
    {
        string name = memory.Allocator.Name;
        HolderRow[] taken = [.. memory.Allocator.GetHolders().Rows.Where(static row => !row.IsStructural)];
        HolderRow[] old = [.. taken.Where(row => row.Oldest >= longest)];
        data[$"{name}.holders"] = taken.Sum(static row => row.Holders);
        data[$"{name}.oldest_seconds"] = Math.Round(taken.Select(static row => row.Oldest.TotalSeconds).DefaultIfEmpty(0).Max(), 1);
        data[$"{name}.long_holder_sites"] = old.Length;
        if (old.Length != 0)
        {
            string sites = string.Join(", ", old.Take(NamedHolders).Select(static row => $"{row.Site} for {HoldersText.Age(row.Oldest.TotalSeconds)}"));
            string more = old.Length > NamedHolders ? $" and {old.Length - NamedHolders} more" : "";
            found(HealthStatus.Degraded, $"'{name}' is held for longer than {HoldersText.Age(longest.TotalSeconds)} by {sites}{more}");
        }
    }
}
