using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Quire.AspNetCore;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The page that says who holds what.</summary>
public static class QuireEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps a page that shows, for each allocator of the process, how its memory is used and who holds it: by line of code, the oldest first. A browser gets a page, <c>curl</c> a text, and who accepts
    /// <c>application/json</c> the same as data; <c>?format=html</c>, <c>text</c> or <c>json</c> decides otherwise.
    /// </summary>
    /// <remarks>
    /// Answers only clients on this machine that ask for it by a name of this machine; to all others there is no such page (404). A request that says that it was forwarded counts as from elsewhere, so a proxy on this
    /// machine opens nothing. Holders are known while the ledger is on (<see cref="QuireOptions.Tracking"/>, <see cref="Quire.Holders.Track"/>); otherwise their references are shown as untracked.
    /// Cost of a request: two passes over the ledger and over the descriptors of memory online.
    /// </remarks>
    /// <param name="endpoints">Where to map it.</param>
    /// <param name="pattern">The route.</param>
    /// <param name="configure">Changes who may see it, and whether it may switch the ledger on.</param>
    /// <returns>For conventions, such as <c>RequireAuthorization</c>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public static IEndpointConventionBuilder MapQuireHolders(
        this IEndpointRouteBuilder endpoints, [StringSyntax("Route")] string pattern = "/debug/holders", Action<QuireHoldersOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(pattern);
        QuireHoldersOptions options = new();
        configure?.Invoke(options);
        options.Check();
        TrackingSwitch tracking = new();
        IServiceProvider services = endpoints.ServiceProvider;
        services.GetService<IHostApplicationLifetime>()?.ApplicationStopped.Register(tracking.Dispose);
        ILogger log = services.GetRequiredService<ILoggerFactory>().CreateLogger(QuireLog.Category);
        HoldersEndpoint endpoint = new(options, tracking, log);
        return endpoints.MapMethods(pattern, ["GET", "POST"], endpoint.InvokeAsync).WithDisplayName("Quire: holders");
    }
}
