using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Quire.Tests.Buffers;

/// <summary>A receive ring uses its pages again exactly while nobody else holds them, and holds nothing in the end.</summary>
public sealed class ReceiveRingTests
{
    [Fact]
    public void A_half_that_came_back_is_used_again_and_one_that_did_not_costs_a_page()
    {
        PageAllocator allocator = Trial.Allocator();
        PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = 1, HeadRoom = 64 });
        Assert.Equal(2048 - 64, ring.LargestFrame);
        PacketBuffer first = Take(ring, 1);
        Page page = first.State.Head.Page;

        // The first half is out, so the second one is next, and 2,048 bytes further.
        PacketBuffer second = Take(ring, 2);
        Assert.Equal((page, 2048), (second.State.Head.Page, second.State.Head.Offset - first.State.Head.Offset));
        Assert.Equal((1, 1), (ring.GetStatistics().Flipped, ring.GetStatistics().Replaced));

        // Neither had come back when the second was taken: the page was drained, and belongs to its packets.
        Assert.Equal(2, PageRef.Count(page));
        PacketBuffer third = Take(ring, 3);
        Assert.NotEqual(page, third.State.Head.Page);
        first.Dispose();
        second.Dispose();
        Assert.False(page.IsAlive);

        // From here on each comes back before its page is needed: one page does for all.
        third.Dispose();
        for (byte i = 0; i < 100; i++)
        {
            PacketBuffer packet = Take(ring, i);
            Assert.Equal(64, packet.HeadRoom);
            packet.Dispose();
        }

        Assert.Equal((102, 1, 0), (ring.GetStatistics().Flipped, ring.GetStatistics().Replaced, ring.GetStatistics().Failures));
        ring.Dispose();
        NothingHeld(allocator);
    }

    [Fact]
    public void Packed_frames_lie_behind_each_other_and_a_page_starts_again_when_all_came_back()
    {
        PageAllocator allocator = Trial.Allocator();
        PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = 2, Order = 1, HeadRoom = 0, Layout = ReceiveLayout.Packed, LargestFrame = 1500 });
        PacketBuffer held = Take(ring, 0, 100);
        Page page = held.State.Head.Page;
        PacketBuffer next = Take(ring, 1, 1);
        Assert.Equal(128, next.State.Head.Offset - held.State.Head.Offset);
        next.Dispose();
        held.Dispose();
        Assert.Equal(0, Take(ring, 2, 50, dispose: true).Offset);
        Assert.Equal(1, ring.GetStatistics().Restarted);

        // Until no frame of the largest size fits behind: then the next slot.
        List<PacketBuffer> packets = [];
        do
        {
            packets.Add(Take(ring, (byte)packets.Count, 700));
        }
        while (packets[^1].State.Head.Page == page);
        Assert.True(packets[^2].State.End <= 8192 && packets[^2].State.End + 1500 > 8192, "The page was left too early or too late.");
        packets.ForEach(packet => packet.Dispose());
        ring.Dispose();
        NothingHeld(allocator);
    }

    [Theory]
    [InlineData(ReceiveLayout.Halves)]
    [InlineData(ReceiveLayout.Packed)]
    public void The_bias_is_topped_up_before_it_runs_out(ReceiveLayout layout)
    {
        PageAllocator allocator = Trial.Allocator();
        PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = 1, Layout = layout, LargestFrame = 1000 });
        Page page = default;
        for (int i = 0; i < (2 * PacketReceiveRing.FullBias) + 10; i++)
        {
            Assert.True(ring.TryTake(10, out PacketBuffer packet));
            page = page == default ? packet.State.Head.Page : page;
            Assert.Equal(page, packet.State.Head.Page);
            packet.Dispose();
            _ = ring.Buffer;
            Assert.Equal(BiasOn(ring, page), PageRef.Count(page));
            ring.Verify();
        }

        ring.Dispose();
        NothingHeld(allocator);
    }

    [Theory]
    [InlineData(ReceiveLayout.Halves, 1)]
    [InlineData(ReceiveLayout.Halves, 7)]
    [InlineData(ReceiveLayout.Packed, 1)]
    [InlineData(ReceiveLayout.Packed, 3)]
    public void At_the_limit_frames_are_lost_and_counted_and_the_ring_goes_on_when_packets_come_back(ReceiveLayout layout, int slots)
    {
        PageAllocator allocator = Trial.Allocator(4 * Trial.MiB);
        PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = slots, Order = 4, Layout = layout, LargestFrame = 30_000 });
        for (int round = 0; round < 3; round++)
        {
            Queue<(PacketBuffer Packet, byte Value)> held = new();
            byte value = 0;
            while (Fill(ring, ++value, 30_000) && ring.TryTake(30_000, out PacketBuffer packet))
            {
                held.Enqueue((packet, value));
            }

            Assert.True(held.Count >= 60, $"Only {held.Count} frames of 30,000 bytes in 4 MiB.");
            Assert.Equal(round + 1, ring.GetStatistics().Failures);
            ring.Verify();
            while (held.TryDequeue(out (PacketBuffer Packet, byte Value) one))
            {
                Assert.Equal(-1, one.Packet.Head.IndexOfAnyExcept(one.Value));
                one.Packet.Dispose();
            }
        }

        Assert.Equal(0, ring.GetStatistics().Pages - 1 - ring.Trim());
        ring.Dispose();
        NothingHeld(allocator);
    }

    [Fact]
    public void The_buffer_stays_where_it_is_while_a_receive_may_write_to_it()
    {
        PageAllocator allocator = Trial.Allocator();
        PacketReceiveRing ring = new(PacketReceiveRingOptions.ForDatagrams(allocator));
        PacketBuffer packet = Take(ring, 1, 500);
        Span<byte> buffer = ring.Buffer;
        packet.Dispose();
        Assert.True(buffer == ring.Buffer, "The buffer moved under a receive.");
        Assert.True(ring.TryTake(0, out PacketBuffer empty));
        Assert.Equal((0, 64), (empty.Length, empty.HeadRoom));
        empty.Dispose();
        ring.Dispose();
        NothingHeld(allocator);
    }

    [Fact]
    public void Where_freed_memory_is_cleared_no_packet_shows_an_earlier_ones_bytes()
    {
        foreach (ReceiveLayout layout in (ReceiveLayout[])[ReceiveLayout.Halves, ReceiveLayout.Packed])
        {
            PageAllocator allocator = Trial.Allocator(zeroOnFree: true);
            PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = 1, Layout = layout, LargestFrame = 1000 });
            for (int i = 0; i < 6; i++)
            {
                // All of the buffer is written, little of it is the frame.
                Assert.Equal(-1, ring.Buffer.IndexOfAnyExcept((byte)0));
                ring.Buffer.Fill(0xEE);
                Assert.True(ring.TryTake(1000, out PacketBuffer packet));
                packet.Dispose();
            }

            ring.Dispose();
            NothingHeld(allocator);
        }
    }

    [Fact]
    public void Options_that_are_none_are_named_and_nothing_is_taken()
    {
        PageAllocator allocator = Trial.Allocator();
        Assert.Throws<ArgumentOutOfRangeException>(() => new PacketReceiveRing(new PacketReceiveRingOptions { Allocator = allocator, Slots = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PacketReceiveRing(new PacketReceiveRingOptions { Allocator = allocator, Order = 11 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PacketReceiveRing(new PacketReceiveRingOptions { Allocator = allocator, HeadRoom = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new PacketReceiveRing(new PacketReceiveRingOptions { Allocator = allocator, Layout = (ReceiveLayout)7 }));
        string message = Assert.Throws<ArgumentException>(() => new PacketReceiveRing(new PacketReceiveRingOptions { Allocator = allocator, LargestFrame = 9000 })).Message;
        Assert.Contains("half a page of order 0 has 2048; order 3 would do", message, StringComparison.Ordinal);
        PageAllocator full = Trial.Allocator(4 * Trial.MiB);
        Page all = full.Allocate(10);
        Assert.Throws<PageLimitException>(() => new PacketReceiveRing(new PacketReceiveRingOptions { Allocator = full }));
        all.Put();
        NothingHeld(full);
        NothingHeld(allocator);
    }

    [Fact]
    public void A_packets_reference_dropped_twice_is_heard_of_when_the_ring_is_disposed()
    {
        PageAllocator allocator = Trial.Allocator();
        PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = 1 });
        PacketBuffer packet = Take(ring, 1);
        Page page = packet.State.Head.Page;
        packet.Dispose();
        page.Put();
        Assert.Throws<PageBugException>(ring.Dispose);
        ring.Dispose();
        Assert.Throws<ObjectDisposedException>(() => ring.TryTake(0, out _));
        Assert.Throws<ObjectDisposedException>(() => ring.Buffer.Length);
    }

    [Theory]
    [InlineData("mapped", ReceiveLayout.Halves, 1)]
    [InlineData("mapped", ReceiveLayout.Halves, 16)]
    [InlineData("pinned", ReceiveLayout.Halves, 4)]
    [InlineData("mapped", ReceiveLayout.Packed, 1)]
    [InlineData("hostile", ReceiveLayout.Packed, 4)]
    public void No_frame_is_written_over_while_somebody_holds_it_on_whatever_thread(string provider, ReceiveLayout layout, int slots) => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(64 * Trial.MiB, Trial.Provider(provider));
        PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = slots, Order = layout == ReceiveLayout.Packed ? 3 : 0, Layout = layout, LargestFrame = 1500 });
        using BlockingCollection<(PacketBuffer Packet, int Number, int Length)> handed = new(64);
        int[] seeds = [random.Next(), random.Next()];
        Trial.OnThreads(3, thread =>
        {
            if (thread == 2)
            {
                Func<bool> goOn = Trial.For(1_000, () => ring.GetStatistics() is { Reused: > 0, Replaced: > 0 });
                for (int number = 0; goOn(); number++)
                {
                    int length = random.Next(1501);
                    Pattern(ring.Buffer[..length], number);
                    Assert.True(ring.TryTake(length, out PacketBuffer packet));
                    if (random.Next(8) == 0)
                    {
                        // Clones and halves take references of their own: the ring must count them too.
                        PacketBuffer clone = packet.Clone();
                        handed.Add((clone, number, length));
                    }

                    // Without a ticket: while another test has the ledger on, the packet's own handle ends with the packet.
                    Page page = packet.State.Head.Page.Head;
                    handed.Add((packet, number, length));
                    ring.Verify();
                    if (Rests(number))
                    {
                        // Now and then all of a page is to come back, however slow the others are; the bound is for a page that left the ring.
                        Func<bool> waits = Trial.For(5);
                        try
                        {
                            while (waits() && page.IsAlive && PageRef.Count(page) != BiasOn(ring, page))
                            {
                                Thread.Yield();
                            }
                        }
                        catch (PageBugException)
                        {
                            // It had left the ring, and was freed between the two looks.
                        }
                    }
                }

                handed.CompleteAdding();
                return;
            }

            Random own = new(seeds[thread]);
            Exception? wrong = null;
            List<(PacketBuffer Packet, int Number, int Length)> held = [];
            foreach ((PacketBuffer Packet, int Number, int Length) one in handed.GetConsumingEnumerable())
            {
                held.Add(one);
                while (held.Count > ((one.Number & 512) == 0 ? 0 : 150) && (Rests(one.Number) || own.Next(20) != 0))
                {
                    int index = own.Next(held.Count);
                    wrong ??= Record.Exception(() => Check(held[index]));
                    held.RemoveAt(index);
                }
            }

            // The first is remembered, and the rest taken all the same: the receiver must not wait for ever.
            held.ForEach(one => wrong ??= Record.Exception(() => Check(one)));
            if (wrong is not null)
            {
                throw new InvalidOperationException(wrong.Message, wrong);
            }
        });
        PacketReceiveRingStatistics statistics = ring.GetStatistics();
        Assert.True(statistics.Reused > 0 && statistics.Replaced > 0, $"The stress never met both: {statistics}.");
        ring.Dispose();
        NothingHeld(allocator);

        // For 512 frames all comes back soon, and now and then at once; for the next 512 more is held than the slots have.
        static bool Rests(int number) => number % 64 == 63 && (number & 512) == 0;

        static void Check((PacketBuffer Packet, int Number, int Length) one)
        {
            Span<byte> expected = new byte[one.Length];
            Pattern(expected, one.Number);
            Assert.True(one.Packet.Head.SequenceEqual(expected), $"Frame {one.Number} was written over while it was held, from byte {one.Packet.Head.CommonPrefixLength(expected)}.");
            one.Packet.Dispose();
        }
    });

    [Fact]
    public void Packets_outlive_the_ring_and_the_last_one_of_a_page_frees_it()
    {
        PageAllocator allocator = Trial.Allocator();
        PacketReceiveRing ring = new(new PacketReceiveRingOptions { Allocator = allocator, Slots = 8 });
        List<PacketBuffer> packets = [];
        for (byte i = 0; i < 100; i++)
        {
            packets.Add(Take(ring, i));
        }

        ring.Dispose();
        Trial.OnThread(() => packets.ForEach(packet => packet.Dispose()));
        NothingHeld(allocator);
    }

    [Fact]
    public void Datagrams_of_every_length_come_from_a_real_socket_whole()
    {
        PageAllocator allocator = Trial.Allocator();
        using Socket receiver = Loopback();
        using Socket sender = Loopback();
        PacketReceiveRing ring = new(PacketReceiveRingOptions.ForDatagrams(allocator, slots: 2));
        SocketAddress from = new(AddressFamily.InterNetwork);
        List<(PacketBuffer Packet, int Number)> held = [];
        int[] lengths = [0, 1, 63, 64, 65, 512, 1472, 2048, 9000, 32_768, 65_507];
        for (int i = 0; i < 100; i++)
        {
            byte[] sent = new byte[lengths[i % lengths.Length]];
            Pattern(sent, i);
            sender.SendTo(sent, receiver.LocalEndPoint!);
            Assert.True(ring.TryReceiveFrom(receiver, from, out PacketBuffer packet));
            Assert.Equal(sender.LocalEndPoint!.Serialize(), from);
            held.Add((packet, i));
        }

        foreach ((PacketBuffer packet, int number) in held)
        {
            byte[] expected = new byte[lengths[number % lengths.Length]];
            Pattern(expected, number);
            Assert.True(packet.Head.SequenceEqual(expected), $"Datagram {number} of {expected.Length} bytes came as {packet}.");
            packet.Dispose();
        }

        ring.Dispose();
        NothingHeld(allocator);
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    public async Task Datagrams_that_are_awaited_land_in_the_ring_too(string provider)
    {
        PageAllocator allocator = Trial.Allocator(provider: Trial.Provider(provider));
        using Socket receiver = Loopback();
        using Socket sender = Loopback();
        PacketReceiveRing ring = new(PacketReceiveRingOptions.ForDatagrams(allocator, slots: 2));
        SocketAddress from = new(AddressFamily.InterNetwork);
        Queue<PacketBuffer> held = new();
        for (int i = 0; i < 200; i++)
        {
            // Every other one has arrived before it is waited for.
            byte[] sent = new byte[i * 7 % 3000];
            Pattern(sent, i);
            Task sending = Task.Run(async () =>
            {
                await Task.Delay(i % 2 * 2);
                sender.SendTo(sent, receiver.LocalEndPoint!);
            });
            await (i % 2 == 0 ? sending : Task.CompletedTask);
            int length = await receiver.ReceiveFromAsync(ring.BufferMemory, SocketFlags.None, from);
            await sending;
            Assert.True(ring.TryTake(length, out PacketBuffer packet));
            held.Enqueue(packet);
            Assert.True(packet.Head.SequenceEqual(sent), $"Datagram {i} of {sent.Length} bytes came as {packet}.");
            if (held.Count > 20)
            {
                held.Dequeue().Dispose();
            }
        }

        while (held.TryDequeue(out PacketBuffer packet))
        {
            packet.Dispose();
        }

        ring.Dispose();
        Assert.Throws<ObjectDisposedException>(() => ring.BufferMemory);
        NothingHeld(allocator);
    }

    private static unsafe int BiasOn(PacketReceiveRing ring, Page page) => ((IBiasOwner)ring).BiasOn(Trial.Head(page));

    private static Socket Loopback()
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private static void Pattern(Span<byte> bytes, int number)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)((number * 31) + (i * 7) + (i >> 8));
        }
    }

    private static bool Fill(PacketReceiveRing ring, byte value, int length)
    {
        ring.Buffer[..length].Fill(value);
        return true;
    }

    private static PacketBuffer Take(PacketReceiveRing ring, byte value, int length = 100)
    {
        Fill(ring, value, length);
        Assert.True(ring.TryTake(length, out PacketBuffer packet));
        Assert.Equal(-1, packet.Head.IndexOfAnyExcept(value));
        ring.Verify();
        return packet;
    }

    private static (int Offset, Page Page) Take(PacketReceiveRing ring, byte value, int length, bool dispose)
    {
        PacketBuffer packet = Take(ring, value, length);
        (int, Page) where = (packet.State.Head.Offset, packet.State.Head.Page);
        if (dispose)
        {
            packet.Dispose();
        }

        return where;
    }

    private static void NothingHeld(PageAllocator allocator)
    {
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        allocator.Verify();
        allocator.Dispose();
    }
}
