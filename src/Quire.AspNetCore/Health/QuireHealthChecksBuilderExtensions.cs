using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Quire.AspNetCore;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Page memory in an application's health.</summary>
public static class QuireHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds a check of the page memory that <c>AddQuire</c> and <c>UseQuireMemoryPool</c> make, by the thresholds in <see cref="QuireOptions.Health"/>: degraded or unhealthy by the share of the limit in use, degraded
    /// while somebody holds a reference for too long (known while the ledger is on).
    /// </summary>
    /// <remarks>The result's data has the figures of each allocator: <c>NAME.in_use_bytes</c>, <c>.limit_bytes</c>, <c>.used_share</c>; and with the ledger on <c>.holders</c>, <c>.oldest_seconds</c>, <c>.long_holder_sites</c>.</remarks>
    /// <param name="builder">The checks.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="failureStatus">What to report in place of unhealthy.</param>
    /// <param name="tags">Tags to choose checks by.</param>
    /// <returns>The same builder.</returns>
    public static IHealthChecksBuilder AddQuire(this IHealthChecksBuilder builder, string name = "quire", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(name);
        builder.Services.TryAddSingleton<QuireMemories>();
        return builder.Add(new HealthCheckRegistration(name, static services => new QuireHealthCheck(services.GetRequiredService<QuireMemories>()), failureStatus, tags));
    }
}
