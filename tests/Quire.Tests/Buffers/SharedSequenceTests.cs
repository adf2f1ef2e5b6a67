using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>Each sequence owns a reference on every page that it covers, and on no other; they end in any order, on any thread.</summary>
public sealed class SharedSequenceTests : IDisposable
{
    private readonly PageAllocator _allocator = Trial.Allocator();
    private readonly QuireMemoryPool _pool;

    public SharedSequenceTests() => _pool = new QuireMemoryPool(new QuireMemoryPoolOptions { Name = "sequence tests", Allocator = _allocator });

    [Fact]
    public void Slices_of_slices_hold_exactly_the_pages_they_cover_and_end_in_any_order() => Trial.Seeded(random =>
    {
        (SharedSequence whole, byte[] bytes) = Pages(random, 12);
        Page[] pages = [.. Owners(whole).Select(owner => owner.Page)];
        List<(SharedSequence Sequence, int Start, int Length)> live = [(whole, 0, bytes.Length)];
        for (int step = 0; step < 2_000; step++)
        {
            (SharedSequence sequence, int start, int length) = live[random.Next(live.Count)];
            if (random.Next(2) == 0 && live.Count > 1)
            {
                live.Remove((sequence, start, length));
                if (random.Next(4) == 0)
                {
                    Trial.OnThread(() => sequence.Dispose());
                }
                else
                {
                    sequence.Dispose();
                }
            }
            else if (live.Count < 50)
            {
                int from = random.Next(length + 1);
                int some = random.Next(length - from + 1);
                live.Add((sequence.Slice(from, some), start + from, some));
            }

            for (int page = 0; page < pages.Length; page++)
            {
                int holders = live.Count(one => one.Length > 0 && one.Start < (page + 1) * Trial.Frame && one.Start + one.Length > page * Trial.Frame);
                int count = pages[page].IsAlive ? PageRef.Count(pages[page]) : 0;
                Assert.True(count == holders, $"At step {step} page {page} counts {count}, and {holders} sequences cover it.");
            }

            (SharedSequence some2, int at, int size) = live[random.Next(live.Count)];
            Assert.True(some2.Bytes.ToArray().AsSpan().SequenceEqual(bytes.AsSpan(at, size)), $"At step {step} the bytes of [{at}, +{size}) differ.");
        }

        live.ForEach(one => one.Sequence.Dispose());
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
    });

    [Fact]
    public void Many_consumers_on_many_threads_each_end_their_own()
    {
        (SharedSequence whole, byte[] bytes) = Pages(new Random(1), 4);
        Trial.OnThreads(4, thread =>
        {
            Random random = new(thread);
            for (int i = 0; i < 3_000; i++)
            {
                int from = random.Next(bytes.Length);
                int length = random.Next(bytes.Length - from);
                SharedSequence part = whole.Slice(from, length);
                Assert.True(part.Bytes.ToArray().AsSpan().SequenceEqual(bytes.AsSpan(from, length)), "A consumer's bytes differ.");
                part.Dispose();
            }
        });
        whole.Dispose();
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
    }

    [Fact]
    public void Misuse_is_found_and_default_is_empty()
    {
        (SharedSequence sequence, _) = Pages(new Random(1), 2);
        SharedSequence copy = sequence;
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.Slice(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.Slice(1, 8192));
        Assert.Throws<ArgumentOutOfRangeException>(() => sequence.Slice(long.MaxValue, long.MaxValue));
        sequence.Dispose();
        Assert.Contains("disposed at SharedSequenceTests.cs", Assert.Throws<ObjectDisposedException>(() => copy.Dispose()).Message, StringComparison.Ordinal);

        // Another has the state by now.
        (SharedSequence other, _) = Pages(new Random(1), 1);
        Assert.Throws<ObjectDisposedException>(() => copy.Slice(0, 0));
        Assert.Throws<ObjectDisposedException>(() => _ = copy.Length);
        Assert.Throws<ObjectDisposedException>(() => _ = copy.Bytes);
        Assert.Throws<ObjectDisposedException>(() => ((IDisposable)copy).Dispose());
        other.Dispose();

        SharedSequence none = default;
        Assert.True(none.IsEmpty && none.Bytes.IsEmpty && none.Slice(0, 0).IsEmpty);
        none.Dispose();
        Assert.Throws<ArgumentOutOfRangeException>(() => none.Slice(0, 1));
    }

    [Fact]
    public void Page_memory_is_preserved_by_reference_and_only_foreign_bytes_are_copied()
    {
        (SharedSequence pages, byte[] bytes) = Pages(new Random(1), 2);
        byte[] foreign = new byte[100_000];
        new Random(2).NextBytes(foreign);
        Link first = new(foreign, null);
        ReadOnlySequence<byte> mixed = first.Then(pages.Bytes.First).Then(new byte[3]).Whole(first);

        SharedSequence kept = SharedSequence.PreserveFrom(mixed, out long copied, _pool);
        Assert.Equal(100_003, copied);
        Assert.Equal(mixed.ToArray(), kept.Bytes.ToArray());
        Assert.Contains(Owners(kept), owner => owner.Page == Owners(pages).First().Page);
        pages.Dispose();
        foreign.AsSpan().Clear();
        Assert.True(kept.Bytes.Slice(100_000, 4096).ToArray().AsSpan().SequenceEqual(bytes.AsSpan(0, 4096)), "What was preserved went with its first owner.");
        kept.Dispose();
        using SharedSequence nothing = SharedSequence.PreserveFrom(default, out copied);
        Assert.True(nothing.IsEmpty);
        Assert.Equal(0, copied);
    }

    [Fact]
    public void A_packet_becomes_a_sequence_and_its_head_stays_shared_until_that_ends()
    {
        PageFragmentCache cache = new(_allocator);
        PacketBuffer packet = PacketBuffer.Allocate(cache, 64);
        "head"u8.CopyTo(packet.Put(4));
        PageFragment fragment = cache.Allocate(4);
        "tail"u8.CopyTo(fragment.Span);
        packet.AddFragment(fragment);
        SharedSequence sequence = packet.ToSequence();
        Assert.Equal("headtail"u8, sequence.Bytes.ToArray());
        Assert.Throws<PacketBugException>(() => packet.WritableHead());
        SharedSequence part = sequence.Slice(2, 4);
        sequence.Dispose();
        Assert.True(packet.IsShared);
        part.Dispose();
        packet.WritableHead()[0] = (byte)'H';
        SharedSequence moved = packet.IntoSequence();
        Assert.False(packet.IsAlive);
        Assert.Equal("Headtail"u8, moved.Bytes.ToArray());
        moved.Dispose();
        cache.Dispose();
        Assert.Equal(0, _allocator.GetStatistics().InUseFrames);
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    public async Task A_sequence_is_sent_whole_though_the_socket_takes_little_at_once(string provider)
    {
        PageAllocator allocator = Trial.Allocator(provider: Trial.Provider(provider));
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Allocator = allocator });
        using FragmentBufferWriter writer = new(pool);
        byte[] bytes = new byte[3_000_000];
        new Random(3).NextBytes(bytes);
        writer.Write(bytes);
        SharedSequence message = writer.Detach();
        List<ArraySegment<byte>> buffers = [];
        Assert.Equal(provider == "pinned", message.TryAddTo(buffers));
        Assert.Equal(provider == "pinned" ? message.SegmentCount : 0, buffers.Count);

        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { SendBufferSize = 4096 };
        await client.ConnectAsync(listener.LocalEndPoint!);
        using Socket server = await listener.AcceptAsync();
        Task sending = message.SendAsync(client).AsTask();
        byte[] received = new byte[bytes.Length];
        for (int at = 0; at < received.Length;)
        {
            int some = await server.ReceiveAsync(received.AsMemory(at));
            Assert.NotEqual(0, some);
            at += some;
        }

        await sending;
        Assert.True(received.AsSpan().SequenceEqual(bytes), "What arrived is not what was sent.");
        message.Dispose();
        writer.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await message.SendAsync(client));
        pool.Dispose();
        Assert.True(Trial.Eventually(() => allocator.GetStatistics().InUseFrames == 0), $"{allocator.GetStatistics().InUseFrames} frames are held.");
        allocator.Dispose();
    }

    public void Dispose()
    {
        _pool.Dispose();
        _allocator.Dispose();
    }

    private (SharedSequence Sequence, byte[] Bytes) Pages(Random random, int pages)
    {
        byte[] bytes = new byte[pages * Trial.Frame];
        random.NextBytes(bytes);
        List<PageMemory> owners = [];
        Link? first = null;
        Link? last = null;
        for (int i = 0; i < pages; i++)
        {
            PageMemory owner = _pool.Rent(Trial.Frame);
            bytes.AsSpan(i * Trial.Frame, Trial.Frame).CopyTo(owner.Span);
            owners.Add(owner);
            last = last is null ? first = new Link(owner.Memory, null) : last.Then(owner.Memory);
        }

        SharedSequence sequence = SharedSequence.PreserveFrom(last!.Whole(first!), out long copied);
        Assert.Equal(0, copied);
        owners.ForEach(owner => owner.Dispose());
        return (sequence, bytes);
    }

    private static List<PageMemory> Owners(SharedSequence sequence)
    {
        List<PageMemory> owners = [];
        foreach (ReadOnlyMemory<byte> piece in sequence.Bytes)
        {
            if (PageMemory.TryGetOwner(piece, out PageMemory? owner, out _, out _))
            {
                owners.Add(owner);
            }
        }

        return owners;
    }

    private sealed class Link : ReadOnlySequenceSegment<byte>
    {
        internal Link(ReadOnlyMemory<byte> memory, Link? before)
        {
            Memory = memory;
            RunningIndex = before is null ? 0 : before.RunningIndex + before.Memory.Length;
        }

        internal Link Then(ReadOnlyMemory<byte> memory)
        {
            Link next = new(memory, this);
            Next = next;
            return next;
        }

        internal ReadOnlySequence<byte> Whole(Link first) => new(first, 0, this, Memory.Length);
    }
}
