using System.Buffers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Quire;
using Quire.AspNetCore;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Page memory as services of an application.</summary>
public static class QuireServiceCollectionExtensions
{
    /// <summary>
    /// Adds page memory: a <see cref="PageAllocator"/>, a <see cref="QuireMemoryPool"/> on it, and that pool as <see cref="MemoryPool{T}"/> of bytes, each one a singleton.
    /// </summary>
    /// <remarks>
    /// The container disposes them. Pages that somebody holds then are logged, with their holders while the ledger is on, and the memory goes when they have come back: nothing is thrown. May be called more
    /// than once; later calls only add to the options. Safe to use the services on any thread.
    /// </remarks>
    /// <param name="services">The services.</param>
    /// <param name="configure">Changes the options.</param>
    /// <returns>The same services.</returns>
    public static IServiceCollection AddQuire(this IServiceCollection services, Action<QuireOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        if (configure is not null)
        {
            services.Configure(QuireMemory.Application, configure);
        }

        if (services.AddQuireMemory(QuireMemory.Application))
        {
            services.AddSingleton(static provider => provider.GetRequiredKeyedService<QuireMemory>(QuireMemory.Application).Allocator);
            services.AddSingleton(static provider => Pool(provider.GetRequiredKeyedService<QuireMemory>(QuireMemory.Application)));
            services.AddSingleton<MemoryPool<byte>>(static provider => provider.GetRequiredService<QuireMemoryPool>());
        }

        return services;
    }

    /// <summary>The same with options from a section of the configuration: <c>services.AddQuire(configuration.GetSection("Quire"))</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="section">Has the options' names as keys; a key that is not there leaves the default. Read once, when the application starts.</param>
    /// <returns>The same services.</returns>
    public static IServiceCollection AddQuire(this IServiceCollection services, IConfigurationSection section)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(section);
        services.BindQuire(QuireMemory.Application, section);
        return services.AddQuire();
    }

    /// <summary>Takes options from a section; complaints then name its path.</summary>
    internal static void BindQuire(this IServiceCollection services, string key, IConfigurationSection section) =>
        services.Configure<QuireOptions>(key, options =>
        {
            section.Bind(options);
            options.Path = section.Path;
        });

    /// <summary>What all page memory needs. False where the key has its memory already.</summary>
    internal static bool AddQuireMemory(this IServiceCollection services, string key)
    {
        QuireMemoryKey mine = new(key);
        if (services.Any(service => service.ServiceType == typeof(QuireMemoryKey) && mine.Equals(service.ImplementationInstance)))
        {
            return false;
        }

        services.AddLogging();
        services.AddOptions<QuireOptions>(key).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<QuireOptions>, QuireOptionsValidator>());
        services.AddSingleton(mine);
        services.TryAddSingleton<QuireMemories>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, QuireService>());
        services.AddKeyedSingleton(key, static (provider, key) => new QuireMemory(
            provider.GetRequiredService<IOptionsMonitor<QuireOptions>>().Get((string)key),
            provider.GetRequiredService<ILoggerFactory>().CreateLogger(QuireLog.Category)));
        return true;
    }

    private static QuireMemoryPool Pool(QuireMemory memory) => memory.Pool(memory.Options.Name);
}
