using System.Buffers;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Xunit;

namespace Quire.AspNetCore.Tests.Hosting;

/// <summary>Page memory as services: made of options, checked before it is made, gone with the container.</summary>
public sealed class ServiceTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public void The_services_are_one_allocator_and_one_pool_on_it_made_as_the_options_say()
    {
        using ServiceProvider services = Services(static options =>
        {
            options.Name = "mine";
            options.LimitBytes = 32 * MiB;
            options.Provider = QuireProvider.PinnedArrays;
        });
        PageAllocator allocator = services.GetRequiredService<PageAllocator>();
        QuireMemoryPool pool = services.GetRequiredService<QuireMemoryPool>();
        Assert.Equal(("mine", 32 * MiB), (allocator.Name, allocator.LimitBytes));
        Assert.Same(allocator, pool.Allocator);
        Assert.Same(pool, services.GetRequiredService<MemoryPool<byte>>());
        using PageMemory rented = pool.Rent(5000);
        Assert.True(System.Runtime.InteropServices.MemoryMarshal.TryGetArray<byte>(rented.Memory, out _), "not from an array, as the options asked for");
    }

    [Fact]
    public void Adding_twice_makes_one_memory_of_both_options()
    {
        ServiceCollection services = new();
        services.AddQuire(static options => options.Name = "first").AddQuire(static options => options.LimitBytes = 16 * MiB);
        using ServiceProvider provider = services.BuildServiceProvider();
        PageAllocator allocator = Assert.Single(provider.GetServices<PageAllocator>());
        Assert.Equal(("first", 16 * MiB), (allocator.Name, allocator.LimitBytes));
    }

    [Fact]
    public void A_section_of_the_configuration_sets_every_option()
    {
        IConfiguration configuration = Configuration("""
            { "Quire": { "Name": "bound", "LimitBytes": 67108864, "Provider": "PinnedArrays", "ZeroOnFree": true, "TrimInterval": "00:00:02", "KeepBytes": 8192,
              "Tracking": true, "LimitLogInterval": "00:01:00", "Health": { "DegradedAt": 0.5, "UnhealthyAt": 0.75, "LongHold": "00:03:00" } } }
            """);
        using ServiceProvider services = new ServiceCollection().AddQuire(configuration.GetSection("Quire")).BuildServiceProvider();
        QuireOptions options = services.GetRequiredService<IOptions<QuireOptions>>().Value;
        Assert.Equal(
            ("bound", 64 * MiB, QuireProvider.PinnedArrays, true, TimeSpan.FromSeconds(2), 8192L, TimeSpan.FromMinutes(1), 0.5, 0.75, TimeSpan.FromMinutes(3)),
            (options.Name, options.LimitBytes, options.Provider, options.ZeroOnFree, options.TrimInterval, options.KeepBytes, options.LimitLogInterval, options.Health.DegradedAt, options.Health.UnhealthyAt, options.Health.LongHold));
        Assert.True(options.Tracking);
        Assert.Equal("bound", services.GetRequiredService<PageAllocator>().Name);

        // Not for pinned arrays, and so not beside the others.
        using ServiceProvider huge = new ServiceCollection().AddQuire(Configuration("""{ "Quire": { "HugePages": true } }""").GetSection("Quire")).BuildServiceProvider();
        Assert.True(huge.GetRequiredService<IOptions<QuireOptions>>().Value.HugePages);
    }

    [Theory]
    [InlineData("LimitBytes", "100", "Cache:LimitBytes is '100'; at least 4194304 bytes")]
    [InlineData("LimitBytes", "-1", "Cache:LimitBytes is '-1'; at least")]
    [InlineData("Name", " ", "Cache:Name is ' '; give the memory a name")]
    [InlineData("Provider", "7", "Cache:Provider is '7'; one of Mapped, PinnedArrays")]
    [InlineData("TrimInterval", "00:00:00", "Cache:TrimInterval is '00:00:00'; above 0")]
    [InlineData("TrimInterval", "60.00:00:00", "Cache:TrimInterval is '60.00:00:00'; above 0 and at most 49 days")]
    [InlineData("KeepBytes", "-4096", "Cache:KeepBytes is '-4096'; 0 or more")]
    [InlineData("LimitLogInterval", "-00:00:01", "Cache:LimitLogInterval is '-00:00:01'; 0 or longer")]
    [InlineData("Health:DegradedAt", "80", "Cache:Health:DegradedAt is '80'; a share of the limit")]
    [InlineData("Health:DegradedAt", "NaN", "Cache:Health:DegradedAt is 'NaN'; a share of the limit")]
    [InlineData("Health:UnhealthyAt", "0.5", "Cache:Health:UnhealthyAt is '0.5'; a share of the limit, from DegradedAt (0.8) to 1")]
    [InlineData("Health:LongHold", "00:00:00", "Cache:Health:LongHold is '00:00:00'; above 0")]
    public async Task A_wrong_option_ends_the_start_and_names_its_key_its_value_and_what_is_allowed(string key, string value, string complaint)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection([new($"Cache:{key}", value)]);
        builder.Services.AddQuire(builder.Configuration.GetSection("Cache"));
        using IHost host = builder.Build();
        OptionsValidationException refused = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains(complaint, refused.Message, StringComparison.Ordinal);
        Assert.Single(refused.Failures);
    }

    [Fact]
    public async Task Huge_pages_of_pinned_arrays_are_refused_and_Kestrel_refuses_mapped_memory()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddQuire(static options => (options.HugePages, options.Provider) = (true, QuireProvider.PinnedArrays));
        using IHost host = builder.Build();
        OptionsValidationException refused = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());
        Assert.Contains("Quire:HugePages is 'True'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Quire:Provider is 'Mapped'; Kestrel sends arrays only", string.Join(' ', new QuireOptionsValidator().Validate(QuireMemory.Kestrel, new QuireOptions()).Failures!), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_still_held_when_the_container_goes_is_logged_by_holder_and_goes_when_it_comes_back()
    {
        RecordedLog log = new();
        PageMemory kept;
        PageAllocator allocator;
        Page page;
        using (Holders.Track())
        {
            ServiceCollection registered = new();
            registered.AddLogging(logging => logging.AddProvider(log));
            registered.AddQuire(static options => options.Name = "forgotten");
            using (ServiceProvider services = registered.BuildServiceProvider())
            {
                allocator = services.GetRequiredService<PageAllocator>();
                page = allocator.Allocate();
                kept = services.GetRequiredService<QuireMemoryPool>().Rent(10_000);
            }

            string message = Assert.Single(log.Of(2));
            Assert.Contains("'forgotten'", message, StringComparison.Ordinal);
            Assert.Contains("ServiceTests.cs", message, StringComparison.Ordinal);
            Assert.Contains(allocator, PageAllocator.All());
            kept.Span.Fill(1);
            kept.Dispose();
            page.Put();
        }

        Assert.True(SpinWait.SpinUntil(() => !PageAllocator.All().Contains(allocator), TimeSpan.FromSeconds(60)), "the memory came back, and the allocator stayed");
        Assert.Throws<ObjectDisposedException>(() => allocator.Allocate());
    }

    [Fact]
    public async Task Tracking_keeps_the_ledger_on_from_the_start_to_the_end_of_the_application()
    {
        Assert.False(Holders.IsTracking);
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddQuire(static options => options.Tracking = true);
        using (IHost host = builder.Build())
        {
            Assert.False(Holders.IsTracking);
            await host.StartAsync();
            Assert.True(Holders.IsTracking);
            await host.StopAsync();
            Assert.True(Holders.IsTracking);
        }

        Assert.False(Holders.IsTracking);
    }

    private static ServiceProvider Services(Action<QuireOptions> configure) => new ServiceCollection().AddQuire(configure).BuildServiceProvider();

    private static IConfiguration Configuration(string json) => new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(json))).Build();
}
