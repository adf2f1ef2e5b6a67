using System.Buffers;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>The framework's own readers and writers on page memory: mapped, where there is no array behind it, and pinned arrays.</summary>
public sealed class PoolInteropTests
{
    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    public async Task Sockets_send_and_receive_on_page_memory(string provider)
    {
        QuireMemoryPool pool = PoolTrial.Pool(provider: Trial.Provider(provider));
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!);
        using Socket server = await listener.AcceptAsync();

        using (IMemoryOwner<byte> sent = ((MemoryPool<byte>)pool).Rent(100_000))
        using (IMemoryOwner<byte> received = ((MemoryPool<byte>)pool).Rent(100_000))
        {
            new Random(1).NextBytes(sent.Memory.Span);
            Task<int> sending = client.SendAsync(sent.Memory, SocketFlags.None).AsTask();
            for (int at = 0; at < received.Memory.Length;)
            {
                int read = await server.ReceiveAsync(received.Memory[at..], SocketFlags.None);
                Assert.NotEqual(0, read);
                at += read;
            }

            Assert.Equal(100_000, await sending);
            Assert.True(sent.Memory.Span.SequenceEqual(received.Memory.Span));
        }

        pool.End();
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    public async Task Datagrams_are_received_into_page_memory(string provider)
    {
        QuireMemoryPool pool = PoolTrial.Pool(provider: Trial.Provider(provider));
        using Socket a = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using Socket b = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        b.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using (PageMemory landing = pool.Rent(2048))
        {
            ValueTask<SocketReceiveFromResult> receiving = b.ReceiveFromAsync(landing.Memory, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0));
            using PageMemory text = pool.Rent(5);
            "hello"u8.CopyTo(text.Span);
            await a.SendToAsync(text.Memory, SocketFlags.None, b.LocalEndPoint!);
            Assert.Equal(5, (await receiving).ReceivedBytes);
            using ReadOnlyPageMemory datagram = landing.SliceReadOnly(0, 5);
            Assert.Equal("hello"u8, datagram.Span);
        }

        pool.End();
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    public async Task Files_are_read_and_written_on_page_memory(string provider)
    {
        QuireMemoryPool pool = PoolTrial.Pool(provider: Trial.Provider(provider));
        string path = Path.Combine(Path.GetTempPath(), $"quire-{Guid.NewGuid():N}");
        try
        {
            using (PageMemory written = pool.Rent(300_001))
            using (PageMemory read = pool.Rent(300_001))
            {
                new Random(2).NextBytes(written.Span);
                using (Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, options: FileOptions.Asynchronous))
                {
                    // Gathered from pieces: each is pinned for as long as the call lasts.
                    using PageMemory head = written.Slice(0, 1000);
                    using PageMemory tail = written.Slice(1000, 299_001);
                    await RandomAccess.WriteAsync(file, [head.Memory, tail.Memory], 0);
                }

                await using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, useAsync: true);
                await stream.ReadExactlyAsync(read.Memory);
                Assert.True(written.Span.SequenceEqual(read.Span));
                read.Span.Clear();
                Assert.Equal(300_001, RandomAccess.Read(stream.SafeFileHandle, read.Span, 0));
                Assert.True(written.Span.SequenceEqual(read.Span));
            }

            Assert.Equal(0, pool.GetStatistics().Pins);
            pool.End();
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    public async Task Streams_of_the_framework_take_page_memory(string provider)
    {
        QuireMemoryPool pool = PoolTrial.Pool(provider: Trial.Provider(provider));
        using (PageMemory plain = pool.Rent(50_000))
        using (PageMemory again = pool.Rent(50_000))
        {
            new Random(3).NextBytes(plain.Span[..20_000]);
            plain.Span[20_000..].Fill(7);
            using MemoryStream packed = new();
            await using (BrotliStream brotli = new(packed, CompressionLevel.Fastest, leaveOpen: true))
            {
                await brotli.WriteAsync(plain.Memory);
            }

            packed.Position = 0;
            await using (BrotliStream brotli = new(packed, CompressionMode.Decompress))
            {
                await brotli.ReadExactlyAsync(again.Memory);
            }

            Assert.True(plain.Span.SequenceEqual(again.Span));
            Assert.Equal(SHA256.HashData(plain.Span), await SHA256.HashDataAsync(new MemoryStream(again.Memory.ToArray())));
        }

        pool.End();
    }

    [Fact]
    public void A_list_of_segments_is_sent_from_pinned_arrays_as_Kestrel_sends_it()
    {
        QuireMemoryPool pool = PoolTrial.Pool(provider: RegionProvider.PinnedArrays);
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(listener.LocalEndPoint!);
        using Socket server = listener.Accept();
        PageMemory[] parts = [pool.Rent(), pool.Rent(), pool.Rent(17)];
        List<ArraySegment<byte>> segments = [];
        foreach (PageMemory part in parts)
        {
            part.Span.Fill((byte)(segments.Count + 1));
            Assert.True(MemoryMarshal.TryGetArray((ReadOnlyMemory<byte>)part.Memory, out ArraySegment<byte> segment));
            segments.Add(segment);
        }

        Assert.Equal(8209, client.Send(segments));
        using (PageMemory received = pool.Rent(8209))
        {
            for (int at = 0; at < received.Length;)
            {
                at += server.Receive(received.Span[at..]);
            }

            Assert.Equal((1, 2, 3), (received.Span[4095], received.Span[8191], received.Span[8208]));
        }

        Array.ForEach(parts, static part => part.Dispose());
        pool.End();
    }
}
