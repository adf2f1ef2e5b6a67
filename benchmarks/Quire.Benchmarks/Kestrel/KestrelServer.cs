using System.Globalization;
using System.Net;
using System.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Quire.Benchmarks.Kestrel;

/// <summary>The server that is measured, in a process of its own: the same application on either pool, all settings at their defaults. Ends with its standard input.</summary>
internal static class KestrelServer
{
    /// <summary>Uploads worked on at once, 25 ms each: 80 a second. The others wait in the server, which reads ahead up to Kestrel's limit of 1 MiB each.</summary>
    private const int Workers = 2;
    private const int Milliseconds = 25;

    private static readonly byte[] s_hello = "Hello, World!"u8.ToArray();
    private static readonly byte[] s_large = new byte[16 << 10];

    public static async Task<int> RunAsync(string pool)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        // What goes wrong is seen, and costs nothing while nothing does.
        builder.Logging.ClearProviders().AddConsole(static console => console.LogToStandardErrorThreshold = LogLevel.Trace).SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.ConfigureKestrel(static server => server.Listen(IPAddress.Loopback, 0));
        if (pool == KestrelCommand.Quire)
        {
            builder.WebHost.UseQuireMemoryPool();
        }

        WebApplication app = builder.Build();
        SemaphoreSlim workers = new(Workers);
        app.MapGet("/plaintext", static context => Answer(context, s_hello));
        app.MapGet("/large", static context => Answer(context, s_large));
        app.MapPost("/upload", async context =>
        {
            // A store that takes some at a time: a request waits for its turn, and its client goes on sending meanwhile.
            await workers.WaitAsync(context.RequestAborted);
            try
            {
                long bytes = 0;
                byte[] buffer = new byte[8 << 10];
                int read;
                while ((read = await context.Request.Body.ReadAsync(buffer)) != 0)
                {
                    bytes += read;
                }

                await Task.Delay(Milliseconds);
                await context.Response.WriteAsync(bytes.ToString(CultureInfo.InvariantCulture));
            }
            finally
            {
                workers.Release();
            }
        });
        await app.StartAsync();
        Console.WriteLine($"{app.Urls.First()} {(GCSettings.IsServerGC ? "server" : "workstation")}");
        while (await Console.In.ReadLineAsync() is not null)
        {
        }

        await app.StopAsync();
        return 0;
    }

    private static Task Answer(HttpContext context, byte[] body)
    {
        context.Response.ContentType = "text/plain";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, 0, body.Length);
    }
}
