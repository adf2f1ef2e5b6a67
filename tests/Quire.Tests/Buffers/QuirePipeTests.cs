using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>A real pipe on page memory between real sockets: parts of its buffer outlive <c>AdvanceTo</c> without a copy, and nothing is held in the end.</summary>
public sealed class QuirePipeTests
{
    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    public async Task Messages_kept_past_AdvanceTo_come_back_from_an_echo_server_as_they_were(string provider)
    {
        PageAllocator allocator = Trial.Allocator(provider: Trial.Provider(provider));
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Name = "pipes", Allocator = allocator });
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        long copied = 0;
        Task serving = Task.Run(async () =>
        {
            using Socket accepted = await listener.AcceptAsync();
            copied = await EchoLater(accepted, pool, batch: 10);
        });

        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!);
        Random random = new(5);
        List<byte[]> messages = [];
        for (int i = 0; i < 200; i++)
        {
            byte[] message = new byte[4 + random.Next(i % 10 == 0 ? 60_000 : 500)];
            random.NextBytes(message);
            BinaryPrimitives.WriteInt32LittleEndian(message, message.Length - 4);
            messages.Add(message);
        }

        byte[] all = [.. messages.SelectMany(message => message)];
        Task sending = client.SendAsync(all).ContinueWith(_ => client.Shutdown(SocketShutdown.Send), TaskScheduler.Default);
        byte[] echoed = new byte[all.Length];
        for (int at = 0; at < echoed.Length;)
        {
            int some = await client.ReceiveAsync(echoed.AsMemory(at));
            Assert.NotEqual(0, some);
            at += some;
        }

        await sending;
        await serving;
        Assert.True(echoed.AsSpan().SequenceEqual(all), $"The echo differs at {echoed.AsSpan().CommonPrefixLength(all)}.");
        Assert.Equal(0, copied);
        pool.Dispose();
        Assert.True(Trial.Eventually(() => allocator.GetStatistics().InUseFrames == 0), $"{allocator.GetStatistics().InUseFrames} frames are held.");
        allocator.Dispose();
    }

    [Fact]
    public async Task A_small_part_that_is_kept_keeps_its_page_alone()
    {
        PageAllocator allocator = Trial.Allocator();
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Allocator = allocator });
        Pipe pipe = new(QuirePipeOptions.Create(pool, pauseWriterThreshold: 0));
        for (int i = 0; i < 100; i++)
        {
            pipe.Writer.GetSpan(4096)[..4096].Fill((byte)i);
            pipe.Writer.Advance(4096);
        }

        await pipe.Writer.FlushAsync();
        ReadResult result = await pipe.Reader.ReadAsync();
        Assert.Equal(409_600, result.Buffer.Length);
        SharedSequence kept = SharedSequence.PreserveFrom(result.Buffer.Slice(50 * 4096, 23), out long copied);
        pipe.Reader.AdvanceTo(result.Buffer.End);
        pipe.Writer.Complete();
        pipe.Reader.Complete();
        Assert.Equal(0, copied);
        Assert.Equal(1, allocator.GetStatistics().InUseFrames);
        Assert.Equal(Enumerable.Repeat((byte)50, 23), kept.Bytes.ToArray());
        kept.Dispose();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        pool.Dispose();
        allocator.Dispose();
    }

    [Fact]
    public async Task A_pipe_on_other_memory_is_preserved_by_copying_and_says_so()
    {
        Pipe pipe = new();
        await pipe.Writer.WriteAsync(new byte[1000]);
        ReadResult result = await pipe.Reader.ReadAsync();
        using (SharedSequence kept = SharedSequence.PreserveFrom(result.Buffer, out long copied))
        {
            Assert.Equal((1000, 1000), (copied, kept.Length));
        }

        pipe.Reader.AdvanceTo(result.Buffer.End);
    }

    [Fact]
    public void Sizes_that_are_none_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => QuirePipeOptions.Create(minimumSegmentSize: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => QuirePipeOptions.Create(minimumSegmentSize: (4 << 20) + 1));
        Assert.Same(QuireMemoryPool.Shared, QuirePipeOptions.Create().Pool);
    }

    /// <summary>Reads framed messages through a pipe, keeps them in batches, and sends them back from where they lie. Returns the bytes that had to be copied.</summary>
    private static async Task<long> EchoLater(Socket socket, QuireMemoryPool pool, int batch)
    {
        Pipe pipe = new(QuirePipeOptions.Create(pool));
        Task filling = Fill(socket, pipe.Writer);
        List<SharedSequence> kept = [];
        long copied = 0;
        while (true)
        {
            ReadResult result = await pipe.Reader.ReadAsync();
            ReadOnlySequence<byte> buffer = result.Buffer;
            while (TryFrame(ref buffer, out ReadOnlySequence<byte> frame))
            {
                kept.Add(SharedSequence.PreserveFrom(frame, out long some));
                copied += some;
            }

            pipe.Reader.AdvanceTo(buffer.Start, buffer.End);
            if (kept.Count >= batch || result.IsCompleted)
            {
                foreach (SharedSequence message in kept)
                {
                    await message.SendAsync(socket);
                    message.Dispose();
                }

                kept.Clear();
            }

            if (result.IsCompleted)
            {
                await filling;
                await pipe.Reader.CompleteAsync();
                return copied;
            }
        }
    }

    private static async Task Fill(Socket socket, PipeWriter writer)
    {
        while (true)
        {
            int received = await socket.ReceiveAsync(writer.GetMemory());
            if (received == 0)
            {
                break;
            }

            writer.Advance(received);
            await writer.FlushAsync();
        }

        await writer.CompleteAsync();
    }

    private static bool TryFrame(ref ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> frame)
    {
        SequenceReader<byte> reader = new(buffer);
        if (!reader.TryReadLittleEndian(out int length) || buffer.Length < length + 4)
        {
            frame = default;
            return false;
        }

        frame = buffer.Slice(0, length + 4);
        buffer = buffer.Slice(length + 4);
        return true;
    }
}
