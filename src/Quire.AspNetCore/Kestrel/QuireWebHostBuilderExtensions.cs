using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Quire;
using Quire.AspNetCore;

namespace Microsoft.AspNetCore.Hosting;

/// <summary>Kestrel on page memory.</summary>
public static class QuireWebHostBuilderExtensions
{
    /// <summary>Gives Kestrel page memory for its connections: <c>builder.WebHost.UseQuireMemoryPool()</c>.</summary>
    /// <remarks>
    /// Every pool that Kestrel asks for is a view of one <see cref="PageAllocator"/> over pinned arrays, named <c>kestrel</c>, with options of its own: it has nothing to do with what
    /// <c>AddQuire</c> makes. Memory that is idle goes back to the system. A connection that meets the limit is closed by Kestrel; the others go on, and the log says who holds the memory.
    /// </remarks>
    /// <param name="builder">The web host's builder. On one that has no server yet, call <c>UseKestrel</c> first; in the other order the application does not start, and says so.</param>
    /// <param name="configure">Changes the options; <see cref="QuireOptions.Provider"/> must stay <see cref="QuireProvider.PinnedArrays"/>.</param>
    /// <returns>The same builder.</returns>
    public static IWebHostBuilder UseQuireMemoryPool(this IWebHostBuilder builder, Action<QuireOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.ConfigureServices(services =>
        {
            Add(services);
            if (configure is not null)
            {
                services.Configure(QuireMemory.Kestrel, configure);
            }
        });
    }

    /// <summary>The same with options from a section of the configuration: <c>UseQuireMemoryPool(builder.Configuration.GetSection("Quire:Kestrel"))</c>.</summary>
    /// <param name="builder">The web host's builder.</param>
    /// <param name="section">As in <see cref="QuireServiceCollectionExtensions.AddQuire(IServiceCollection, IConfigurationSection)"/>.</param>
    /// <returns>The same builder.</returns>
    public static IWebHostBuilder UseQuireMemoryPool(this IWebHostBuilder builder, IConfigurationSection section)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(section);
        return builder.ConfigureServices(services =>
        {
            Add(services);
            services.BindQuire(QuireMemory.Kestrel, section);
        });
    }

    private static void Add(IServiceCollection services)
    {
        if (!services.AddQuireMemory(QuireMemory.Kestrel))
        {
            return;
        }

        // Before what the caller configures: these are Kestrel's own defaults.
        services.Configure<QuireOptions>(QuireMemory.Kestrel, static options =>
        {
            options.Name = QuireMemory.Kestrel;
            options.Provider = QuireProvider.PinnedArrays;
        });
        services.AddSingleton<KestrelPoolFactory>();
        services.RemoveAll<IMemoryPoolFactory<byte>>();
        services.AddSingleton<IHostedService, KestrelPoolCheck>();
        services.AddSingleton<IMemoryPoolFactory<byte>>(static provider => provider.GetRequiredService<KestrelPoolFactory>());
    }
}
