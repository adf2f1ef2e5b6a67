using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Quire.AspNetCore.Tests.Kestrel;

/// <summary>
/// A real Kestrel on page memory, on free ports of the loopback: one for HTTP/1.1, one for HTTP/2 without TLS, one for both with TLS. At its end it holds that Kestrel rented
/// from the pool and that no page is held, or names the holders.
/// </summary>
internal sealed class ServedApplication : IAsyncDisposable
{
    /// <summary>What is under way when a server is stopped gets this long; some tests leave requests that never end.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    private readonly WebApplication _app;
    private readonly IDisposable? _tracking;
    private readonly X509Certificate2 _certificate = SelfSigned();

    private ServedApplication(Action<WebApplication> map, Action<QuireOptions>? options, Action<KestrelServerOptions>? kestrel, bool tracking)
    {
        // Before the first rent, or a page that is not given back would have no name.
        _tracking = tracking ? Holders.Track() : null;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(Log).SetMinimumLevel(LogLevel.Debug);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(server =>
        {
            server.Limits.MaxRequestBodySize = null;
            server.Limits.MinRequestBodyDataRate = null;
            server.Limits.MinResponseDataRate = null;
            kestrel?.Invoke(server);
            server.Listen(IPAddress.Loopback, 0, static port => port.Protocols = HttpProtocols.Http1);
            server.Listen(IPAddress.Loopback, 0, static port => port.Protocols = HttpProtocols.Http2);
            server.Listen(IPAddress.Loopback, 0, port =>
            {
                port.Protocols = HttpProtocols.Http1AndHttp2;
                port.UseHttps(_certificate, static https => https.HandshakeTimeout = TimeSpan.FromMinutes(2));
            });
        });
        builder.WebHost.UseQuireMemoryPool(options);
        _app = builder.Build();
        _app.UseWebSockets();
        map(_app);
    }

    internal RecordedLog Log { get; } = new();

    internal IServiceProvider Services => _app.Services;

    internal QuireMemory Memory => _app.Services.GetRequiredKeyedService<QuireMemory>(QuireMemory.Kestrel);

    /// <summary>The application's addresses in the order of the ports: HTTP/1.1, HTTP/2, TLS.</summary>
    internal Uri[] Addresses => [.. _app.Urls.Select(static url => new Uri(url))];

    internal static async Task<ServedApplication> StartAsync(
        Action<WebApplication> map, Action<QuireOptions>? options = null, Action<KestrelServerOptions>? kestrel = null, bool tracking = true)
    {
        ServedApplication served = new(map, options, kestrel, tracking);
        await served._app.StartAsync();
        return served;
    }

    /// <summary>A client for one way of talking.</summary>
    internal HttpClient Client(Wire wire)
    {
        SocketsHttpHandler handler = new() { MaxConnectionsPerServer = 10_000 };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.GetCertHashString() == _certificate.GetCertHashString();
        return new HttpClient(handler)
        {
            BaseAddress = Addresses[wire switch { Wire.Http1 => 0, Wire.Http2 => 1, _ => 2 }],
            DefaultRequestVersion = wire is Wire.Http1 or Wire.Tls1 ? HttpVersion.Version11 : HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromSeconds(100),
        };
    }

    /// <summary>Ends the server as a host does: what is under way gets this long.</summary>
    internal async Task StopAsync(TimeSpan grace)
    {
        using CancellationTokenSource time = new(grace);
        try
        {
            await _app.StopAsync(time.Token);
        }
        catch (OperationCanceledException)
        {
            // It was not done in time, as some tests want it.
        }
    }

    public async ValueTask DisposeAsync()
    {
        PageAllocator allocator = Memory.Allocator;
        QuireMemoryPool pool = Memory.Pool("kestrel");
        try
        {
            await StopAsync(s_grace);
            await HoldsNothing(allocator);
            Assert.True(pool.GetStatistics().Rents > 0, "Kestrel rented nothing from the pool");
        }
        finally
        {
            // Or one failure would be many: the ledger stays on for all tests that follow.
            _tracking?.Dispose();
            await _app.DisposeAsync();
            _certificate.Dispose();
        }

        Assert.DoesNotContain(allocator, PageAllocator.All());
    }

    /// <summary>No page is held, at once or soon: connections end on threads of their own.</summary>
    internal static async Task HoldsNothing(PageAllocator allocator)
    {
        long held = 0;
        await Soon.Until(() => (held = Held(allocator)) == 0);
        Assert.True(held == 0, $"{held} bytes are still held: {allocator.GetHolders().ToString(0, 100)}");
        allocator.Verify();
    }

    private static long Held(PageAllocator allocator)
    {
        // What a cache of the library keeps in reserve is nobody's: a trim takes it back.
        allocator.Trim();
        return allocator.GetStatistics().InUseBytes;
    }

    private static X509Certificate2 SelfSigned()
    {
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}

/// <summary>A way of talking to the server.</summary>
public enum Wire
{
    /// <summary>HTTP/1.1.</summary>
    Http1,

    /// <summary>HTTP/2 without TLS, known in advance.</summary>
    Http2,

    /// <summary>HTTP/1.1 over TLS.</summary>
    Tls1,

    /// <summary>HTTP/2 over TLS.</summary>
    Tls2,
}
