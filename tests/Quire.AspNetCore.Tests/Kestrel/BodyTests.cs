using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Quire.AspNetCore.Tests.Kestrel;

/// <summary>Bodies of all sizes arrive as they were sent, both ways, and every page of them comes back.</summary>
public sealed class BodyTests
{
    private const long MiB = 1 << 20;

    /// <summary>The client sends a body whole before it reads, so what comes back meanwhile must find room on the way.</summary>
    private const long MostEchoed = 256 * 1024;

    private static readonly long[] s_sizes = [1, 2, 4095, 4096, 4097, 8191, 16 * 1024, 65_537, MiB - 1, MiB + 1, 10 * MiB + 7];

    /// <summary>With the ledger on, blocks that do not come back have names; with it off, they are what a server in production has.</summary>
    public static TheoryData<Wire, bool> Wires => new(from wire in Enum.GetValues<Wire>() from tracked in (bool[])[false, true] select (wire, tracked));

    [Theory]
    [MemberData(nameof(Wires))]
    public async Task Bodies_of_all_sizes_arrive_whole_both_ways(Wire wire, bool tracked)
    {
        await using ServedApplication served = await ServedApplication.StartAsync(Map, tracking: tracked);
        using HttpClient client = served.Client(wire);
        foreach (long size in s_sizes)
        {
            foreach (bool chunked in (bool[])[false, true])
            {
                await Check(client, wire, (int)size, size, chunked);
            }
        }
    }

    [Theory]
    [InlineData(Wire.Http1, false)]
    [InlineData(Wire.Http1, true)]
    [InlineData(Wire.Http2, false)]
    [InlineData(Wire.Tls1, false)]
    [InlineData(Wire.Tls2, false)]
    public async Task A_body_of_64_MB_arrives_whole_both_ways(Wire wire, bool tracked)
    {
        await using ServedApplication served = await ServedApplication.StartAsync(Map, tracking: tracked);
        using HttpClient client = served.Client(wire);
        await Check(client, wire, 64, 64 * MiB, chunked: true);
    }

    [Theory]
    [InlineData(Wire.Http1, false)]
    [InlineData(Wire.Http2, false)]
    [InlineData(Wire.Http1, true)]
    public async Task Requests_side_by_side_never_see_each_others_bytes(Wire wire, bool tracked)
    {
        const int Clients = 24;
        const int Rounds = 15;
        await using ServedApplication served = await ServedApplication.StartAsync(Map, tracking: tracked);
        using HttpClient client = served.Client(wire);
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async number =>
        {
            Random random = new(number);
            for (int round = 0; round < Rounds; round++)
            {
                long size = 1L << random.Next(0, 19);
                await Check(client, wire, (number * 1000) + round, size + random.Next(7), chunked: random.Next(2) == 0);
            }
        }));
    }

    /// <summary>The server's side: a body is hashed, a body is made, a body is sent back.</summary>
    internal static void Map(WebApplication app)
    {
        app.MapPost("/hash", static async (HttpContext context) =>
            await context.Response.WriteAsync(await Bytes.HashAsync(context.Request.Body, context.RequestAborted)));
        app.MapGet("/bytes/{seed:int}/{length:long}", static async (int seed, long length, HttpContext context) =>
        {
            if (seed % 2 == 0)
            {
                context.Response.ContentLength = length;
            }

            await using Stream body = Bytes.Stream(seed, length);
            await body.CopyToAsync(context.Response.Body, context.RequestAborted);
        });
        app.MapPost("/echo", static async (HttpContext context) =>
        {
            // By the pipe's own buffers: what was received is what is sent.
            await context.Request.BodyReader.CopyToAsync(context.Response.BodyWriter, context.RequestAborted);
            await context.Response.CompleteAsync();
        });
    }

    private static async Task Check(HttpClient client, Wire wire, int seed, long length, bool chunked)
    {
        string expected = await Bytes.HashAsync(seed, length);
        string what = $"{wire}, {length} bytes, seed {seed}, {(chunked ? "chunked" : "with length")}";

        using HttpContent up = Bytes.Content(seed, length, chunked);
        using HttpResponseMessage hashed = await client.PostAsync("/hash", up);
        Assert.True(hashed.StatusCode == HttpStatusCode.OK, $"up: {what}: {hashed.StatusCode}");
        Assert.True(expected == await hashed.Content.ReadAsStringAsync(), $"up: other bytes: {what}");

        string path = string.Create(CultureInfo.InvariantCulture, $"/bytes/{seed}/{length}");
        await using Stream down = await client.GetStreamAsync(path);
        Assert.True(expected == await Bytes.HashAsync(down), $"down: other bytes: {what}");

        if (length > MostEchoed)
        {
            return;
        }

        using HttpRequestMessage request = new(HttpMethod.Post, "/echo") { Content = Bytes.Content(seed, length, chunked), Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy };
        using HttpResponseMessage echoed = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using Stream back = await echoed.Content.ReadAsStreamAsync();
        Assert.True(expected == await Bytes.HashAsync(back), $"back: other bytes: {what}");
    }
}
