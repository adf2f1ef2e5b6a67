using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace Quire.AspNetCore.Tests.Kestrel;

/// <summary>Many connections at once, a limit that is met, and whose pool Kestrel really uses.</summary>
public sealed class ConnectionTests
{
    private const long MiB = 1 << 20;

    [Fact]
    public async Task Thousands_of_connections_at_once_are_served_and_idle_ones_hold_no_page()
    {
        int connections = Math.Min(4000, OpenFiles() / 3);
        Assert.SkipUnless(connections >= 500, $"this machine allows {OpenFiles()} open files, too few for thousands of connections");
        await using ServedApplication served = await ServedApplication.StartAsync(static app => app.MapGet("/", static (HttpContext context) =>
        {
            context.Response.ContentLength = 4;
            return context.Response.WriteAsync("here");
        }), tracking: false);
        byte[] request = Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: many\r\n\r\n");
        Socket[] sockets = new Socket[connections];
        try
        {
            await Parallel.ForEachAsync(Enumerable.Range(0, connections), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (number, _) =>
            {
                sockets[number] = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await sockets[number].ConnectAsync(IPAddress.Loopback, served.Addresses[0].Port);
            });
            for (int round = 0; round < 3; round++)
            {
                await Task.WhenAll(sockets.Select(async socket =>
                {
                    await socket.SendAsync(request);
                    await ReadUntil(socket, "here");
                }));
            }

            // All are open, none has a request under way: Kestrel waits for the next one without a buffer.
            await ServedApplication.HoldsNothing(served.Memory.Allocator);
        }
        finally
        {
            foreach (Socket? socket in sockets)
            {
                socket?.Dispose();
            }
        }
    }

    [Fact]
    public async Task A_limit_that_is_met_ends_some_connections_and_the_log_says_who_holds_the_memory()
    {
        TaskCompletionSource go = new();
        await using ServedApplication served = await ServedApplication.StartAsync(
            app => app.MapPost("/wait", async (HttpContext context) =>
            {
                await go.Task;
                return await Bytes.HashAsync(context.Request.Body);
            }),
            static options => options.LimitBytes = 8 * MiB);

        // Kestrel reads ahead up to 1 MiB a request: 24 of them are three times the limit.
        using HttpClient client = served.Client(Wire.Http1);
        Task<bool>[] uploads = [.. Enumerable.Range(0, 24).Select(number => Task.Run(async () =>
        {
            try
            {
                using HttpContent body = Bytes.Content(number, 2 * MiB, chunked: false);
                using HttpResponseMessage answer = await client.PostAsync("/wait", body);
                return answer.IsSuccessStatusCode && await answer.Content.ReadAsStringAsync() == await Bytes.HashAsync(number, 2 * MiB);
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }))];
        await Soon.Until(() => served.Log.Of(1).Any());
        string message = Assert.Single(served.Log.Of(1));
        Assert.StartsWith("Allocator 'kestrel' is at its limit of 8388608 bytes", message, StringComparison.Ordinal);
        Assert.Contains("held: ", message, StringComparison.Ordinal);
        Assert.Contains("page", message, StringComparison.Ordinal);
        Assert.Contains("SITE", message, StringComparison.Ordinal);
        go.SetResult();
        bool[] outcomes = await Task.WhenAll(uploads);
        Assert.Contains(false, outcomes);

        // The memory of those that failed serves those that come now. It comes back when the server is done with them, which is after their clients are.
        await Soon.Until(() => served.Memory.Allocator.GetStatistics().InUseBytes <= 4 * MiB);
        using HttpContent small = Bytes.Content(3, 5000, chunked: false);
        using HttpResponseMessage after = await client.PostAsync("/wait", small);
        Assert.Equal(await Bytes.HashAsync(3, 5000), await after.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task On_a_host_of_ones_own_Kestrel_rents_from_the_pool()
    {
        using IHost host = Host(static web => web.UseKestrel(OnAnyPort).UseQuireMemoryPool());
        await host.StartAsync();
        QuireMemory memory = host.Services.GetRequiredKeyedService<QuireMemory>(QuireMemory.Kestrel);
        string address = host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        using (HttpClient client = new())
        {
            Assert.Equal("here", await client.GetStringAsync(new Uri(address)));
        }

        Assert.True(memory.Pool("kestrel").GetStatistics().Rents > 0, "Kestrel rented nothing from the pool");
        await host.StopAsync();
        await ServedApplication.HoldsNothing(memory.Allocator);
    }

    [Fact]
    public async Task A_pool_that_a_later_registration_pushed_aside_ends_the_start_with_what_to_do()
    {
        using IHost host = Host(static web => web.UseQuireMemoryPool().UseKestrel(OnAnyPort));
        InvalidOperationException refused = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync());
        Assert.Contains("call UseQuireMemoryPool after UseKestrel", refused.Message, StringComparison.Ordinal);
    }

    private static IHost Host(Action<IWebHostBuilder> configure) => new HostBuilder().ConfigureWebHost(web =>
    {
        configure(web);
        web.Configure(static app => app.Run(static context => context.Response.WriteAsync("here")));
    }).Build();

    private static void OnAnyPort(KestrelServerOptions server) => server.Listen(IPAddress.Loopback, 0);

    private static async Task ReadUntil(Socket socket, string end)
    {
        byte[] buffer = new byte[1024];
        int have = 0;
        while (!Encoding.ASCII.GetString(buffer, 0, have).EndsWith(end, StringComparison.Ordinal))
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(have));
            Assert.True(read > 0, "the server closed a connection");
            have += read;
        }
    }

    /// <summary>How many files this process may have open; both ends of each connection are ours.</summary>
    private static int OpenFiles()
    {
        const string Key = "Max open files";
        string? line = File.Exists("/proc/self/limits") ? File.ReadLines("/proc/self/limits").FirstOrDefault(static line => line.StartsWith(Key, StringComparison.Ordinal)) : null;
        string? soft = line?[Key.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).First();
        return soft is null ? 1000 : int.TryParse(soft, out int files) ? files : int.MaxValue;
    }
}
