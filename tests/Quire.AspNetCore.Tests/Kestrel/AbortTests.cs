using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace Quire.AspNetCore.Tests.Kestrel;

/// <summary>Requests that end in the midst of something, by either side, leave no page held and no other request wrong.</summary>
public sealed class AbortTests
{
    private const int Requests = 120;
    private const long MiB = 1 << 20;

    /// <summary>With the ledger on, blocks that do not come back have names; with it off, they are what a server in production has.</summary>
    public static TheoryData<Wire, bool> Wires => new((Wire.Http1, false), (Wire.Http1, true), (Wire.Http2, false), (Wire.Http2, true), (Wire.Tls2, false));

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Clients_that_cancel_an_upload_or_a_download_leave_nothing_behind(Wire wire, bool tracked)
    {
        await using ServedApplication served = await ServedApplication.StartAsync(BodyTests.Map, tracking: tracked);
        using HttpClient client = served.Client(wire);
        int cancelled = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, Requests), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (number, _) =>
        {
            Random random = new(number);
            using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(random.Next(0, 40)));
            try
            {
                if (number % 2 == 0)
                {
                    using HttpContent body = Bytes.Content(number, 64 * MiB, chunked: number % 4 == 0);
                    using HttpResponseMessage answer = await client.PostAsync("/hash", body, stop.Token);
                }
                else
                {
                    await using Stream body = await client.GetStreamAsync($"/bytes/{number}/{64 * MiB}", stop.Token);
                    await Bytes.HashAsync(body, stop.Token);
                }
            }
            catch (Exception gone) when (gone is OperationCanceledException or HttpRequestException or IOException)
            {
                Interlocked.Increment(ref cancelled);
            }
        });

        Assert.True(cancelled > Requests / 2, $"only {cancelled} requests were cancelled in their midst");
        await StillAnswers(served, wire);
    }

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task A_server_that_aborts_in_the_midst_of_a_body_leaves_nothing_behind(Wire wire, bool tracked)
    {
        await using ServedApplication served = await ServedApplication.StartAsync(static app =>
        {
            BodyTests.Map(app);
            app.MapPost("/abort", static async (HttpContext context) =>
            {
                // Some of the body is read, more has arrived, part of an answer is under way.
                byte[] some = new byte[5000];
                await context.Request.Body.ReadExactlyAsync(some);
                await context.Response.Body.WriteAsync(some.AsMemory(0, 4500));
                await context.Response.Body.FlushAsync();
                context.Abort();
            });
            app.MapPost("/reset", static async (HttpContext context) =>
            {
                await context.Request.Body.ReadExactlyAsync(new byte[3]);
                context.Features.Get<IHttpResetFeature>()?.Reset(2);
                throw new InvalidOperationException("thrown by the test's handler");
            });
        }, tracking: tracked);
        using HttpClient client = served.Client(wire);
        int failed = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, Requests), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (number, _) =>
        {
            try
            {
                using HttpContent body = Bytes.Content(number, 2 * MiB, chunked: number % 4 == 0);
                using HttpResponseMessage answer = await client.PostAsync(number % 2 == 0 ? "/abort" : "/reset", body, CancellationToken.None);
                if (!answer.IsSuccessStatusCode)
                {
                    Interlocked.Increment(ref failed);
                }
            }
            catch (Exception gone) when (gone is HttpRequestException or IOException)
            {
                Interlocked.Increment(ref failed);
            }
        });

        Assert.Equal(Requests, failed);
        await StillAnswers(served, wire);
    }

    [Fact]
    public async Task Half_sent_requests_of_every_kind_leave_nothing_behind()
    {
        string[] halves =
        [
            "",
            "P",
            "POST /hash HTTP/1.1\r\nHost: half\r\n",
            "POST /hash HTTP/1.1\r\nHost: half\r\nContent-Length: 100000\r\n\r\nonly this",
            "POST /hash HTTP/1.1\r\nHost: half\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nonly this",
            "POST /hash HTTP/1.1\r\nHost: half\r\nTransfer-Encoding: chunked\r\n\r\nthis is no chunk",
            "GET /bytes/1/50000000 HTTP/1.1\r\nHost: half\r\n\r\n",
            "no request at all\r\n\r\n",
            "GET / HTTP/1.1\r\nX: " + new string('x', 20_000),
        ];
        await using ServedApplication served = await ServedApplication.StartAsync(BodyTests.Map);
        await Parallel.ForEachAsync(Enumerable.Range(0, 40 * halves.Length), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (number, _) =>
        {
            using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, served.Addresses[0].Port);
            await socket.SendAsync(Encoding.ASCII.GetBytes(halves[number % halves.Length]));
            await Task.Delay(number % 20, CancellationToken.None);
            if (number % 3 == 0)
            {
                // A reset instead of an orderly end.
                socket.LingerState = new LingerOption(true, 0);
            }
        });
        await StillAnswers(served, Wire.Http1);
    }

    [Fact]
    public async Task A_stop_with_requests_under_way_loses_nothing_and_throws_nothing()
    {
        const int Stuck = 30;
        TaskCompletionSource release = new();
        int entered = 0;
        ServedApplication served = await ServedApplication.StartAsync(app => app.MapPost("/stuck", async (HttpContext context) =>
        {
            Interlocked.Increment(ref entered);
            await release.Task;

            // The server has stopped by now; what it had read ahead is still there to be read, or the connection's end is.
            try
            {
                await Bytes.HashAsync(context.Request.Body);
            }
            catch (Exception gone) when (gone is IOException or BadHttpRequestException or ObjectDisposedException or OperationCanceledException)
            {
                // As it may.
            }
        }));
        using HttpClient client = served.Client(Wire.Http1);
        Task[] requests = [.. Enumerable.Range(0, Stuck).Select(async number =>
        {
            using HttpContent body = Bytes.Content(number, 8 * MiB, chunked: false);
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.PostAsync("/stuck", body));
        })];
        while (Volatile.Read(ref entered) < Stuck)
        {
            await Task.Delay(10);
        }

        PageAllocator allocator = served.Memory.Allocator;
        Assert.True(allocator.GetStatistics().InUseBytes > 0, "nothing is under way");
        await served.StopAsync(TimeSpan.FromMilliseconds(200));
        release.SetResult();
        await Task.WhenAll(requests);
        await served.DisposeAsync();
        Assert.DoesNotContain(allocator, PageAllocator.All());
    }

    private static async Task StillAnswers(ServedApplication served, Wire wire)
    {
        using HttpClient client = served.Client(wire);
        using HttpContent body = Bytes.Content(1, 100_000, chunked: false);
        using HttpResponseMessage answer = await client.PostAsync("/hash", body);
        Assert.Equal(await Bytes.HashAsync(1, 100_000), await answer.Content.ReadAsStringAsync());
    }
}
