using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;

namespace Quire.AspNetCore.Tests.Hosting;

/// <summary>What the health check says, by share of the limit and by age of holders.</summary>
public sealed class HealthTests
{
    private const int MiB = 1 << 20;

    [Fact]
    public async Task The_share_of_the_limit_in_use_decides_between_healthy_degraded_and_unhealthy()
    {
        await using ServiceProvider services = Services(null, null);
        PageAllocator allocator = services.GetRequiredService<PageAllocator>();
        List<Page> pages = [];
        (HealthStatus Expected, int MiB)[] steps = [(HealthStatus.Healthy, 0), (HealthStatus.Healthy, 12), (HealthStatus.Degraded, 13), (HealthStatus.Degraded, 15), (HealthStatus.Unhealthy, 16)];
        foreach ((HealthStatus expected, int megabytes) in steps)
        {
            while (pages.Count < megabytes)
            {
                pages.Add(allocator.Allocate(order: 8));
            }

            HealthReportEntry entry = await Check(services);
            Assert.True(expected == entry.Status, $"{megabytes} of 16 MiB: {entry.Status}, {entry.Description}");
            Assert.Equal((long)megabytes * MiB, entry.Data["checked.in_use_bytes"]);
            Assert.Equal(16L * MiB, entry.Data["checked.limit_bytes"]);
            Assert.Equal(expected != HealthStatus.Healthy, entry.Description!.Contains("'checked' uses", StringComparison.Ordinal));
        }

        pages.ForEach(static page => page.Put());
        Assert.Equal(HealthStatus.Healthy, (await Check(services)).Status);
    }

    [Fact]
    public async Task A_registration_may_call_the_worst_something_milder()
    {
        await using ServiceProvider services = Services(null, HealthStatus.Degraded);
        Page[] pages = [.. Enumerable.Range(0, 4).Select(_ => services.GetRequiredService<PageAllocator>().Allocate(Page.MaxOrder))];
        Assert.Equal(HealthStatus.Degraded, (await Check(services)).Status);
        Array.ForEach(pages, static page => page.Put());
    }

    [Fact]
    public async Task A_reference_held_for_long_is_named_while_the_ledger_is_on_and_not_asked_for_while_it_is_off()
    {
        await using ServiceProvider services = Services(TimeSpan.FromHours(1), null);
        using (Holders.Track())
        {
            using PageMemory kept = services.GetRequiredService<QuireMemoryPool>().Rent(6000);
            HealthReportEntry young = await Check(services);
            Assert.Equal(HealthStatus.Healthy, young.Status);
            Assert.Equal(1, young.Data["checked.holders"]);

            // Only now: how long the first check takes is the machine's affair.
            services.GetRequiredKeyedService<QuireMemory>(QuireMemory.Application).Options.Health.LongHold = TimeSpan.FromMilliseconds(300);
            await Task.Delay(500);
            HealthReportEntry old = await Check(services);
            Assert.Equal(HealthStatus.Degraded, old.Status);
            Assert.Contains("'checked' is held for longer than 300 ms by HealthTests.cs:", old.Description, StringComparison.Ordinal);
            Assert.Equal(1, old.Data["checked.long_holder_sites"]);
        }

        Assert.Equal(HealthStatus.Healthy, (await Check(services)).Status);
    }

    private static async Task<HealthReportEntry> Check(ServiceProvider services) =>
        (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["quire"];

    private static ServiceProvider Services(TimeSpan? longHold, HealthStatus? failure)
    {
        ServiceCollection services = new();
        services.AddQuire(options =>
        {
            options.Name = "checked";
            options.LimitBytes = 16 * MiB;
            options.Health.LongHold = longHold ?? Timeout.InfiniteTimeSpan;
        });
        services.AddHealthChecks().AddQuire(failureStatus: failure);
        return services.BuildServiceProvider();
    }
}
