using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Quire.AspNetCore.Tests.Kestrel;

/// <summary>WebSockets on the pool: messages of many frames and segments come back as they were sent.</summary>
public sealed class WebSocketTests
{
    private static readonly int[] s_sizes = [0, 1, 125, 126, 4095, 4096, 65_535, 65_536, 1_000_003];

    [Fact]
    public async Task Messages_of_all_sizes_come_back_as_they_were_sent()
    {
        await using ServedApplication served = await ServedApplication.StartAsync(Map);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async number =>
        {
            using ClientWebSocket socket = await Connect(served);
            Random random = new(number);
            foreach (int size in s_sizes)
            {
                byte[] sent = new byte[size];
                random.NextBytes(sent);
                Task<byte[]> back = Receive(socket, size);
                await Send(socket, sent, random);
                byte[] received = await back;
                Assert.True(sent.AsSpan().SequenceEqual(received), $"socket {number}, {size} bytes: other bytes came back");
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, default);
        }));
    }

    [Fact]
    public async Task Sockets_cut_off_in_a_message_leave_nothing_behind()
    {
        await using ServedApplication served = await ServedApplication.StartAsync(Map);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(async number =>
        {
            using ClientWebSocket socket = await Connect(served);
            Random random = new(number);
            byte[] part = new byte[random.Next(1, 200_000)];
            await socket.SendAsync(part, WebSocketMessageType.Binary, endOfMessage: false, default);

            // No close frame: the connection is reset under the server's pending read.
            socket.Abort();
        }));
    }

    private static void Map(WebApplication app) => app.Map("/socket", static async (HttpContext context) =>
    {
        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
        byte[] buffer = new byte[10_007];
        try
        {
            while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } received)
            {
                await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, context.RequestAborted);
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException)
        {
            // The client left in the midst of it, as the second test has it.
        }
    });

    private static async Task<ClientWebSocket> Connect(ServedApplication served)
    {
        ClientWebSocket socket = new();
        await socket.ConnectAsync(new UriBuilder(served.Addresses[0]) { Scheme = "ws", Path = "/socket" }.Uri, default);
        return socket;
    }

    private static async Task Send(ClientWebSocket socket, byte[] message, Random random)
    {
        int at = 0;
        do
        {
            int part = Math.Min(message.Length - at, random.Next(1, 100_000));
            await socket.SendAsync(message.AsMemory(at, part), WebSocketMessageType.Binary, at + part == message.Length, default);
            at += part;
        }
        while (at < message.Length);
    }

    private static async Task<byte[]> Receive(ClientWebSocket socket, int size)
    {
        byte[] message = new byte[size + 1];
        int at = 0;
        ValueWebSocketReceiveResult received;
        do
        {
            received = await socket.ReceiveAsync(message.AsMemory(at), default);
            at += received.Count;
        }
        while (!received.EndOfMessage);
        return message[..at];
    }
}
