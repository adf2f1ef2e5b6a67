using System.Net;
using System.Net.Sockets;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>The relay's memory: what a datagram takes, what happens at the limit, and that all of it comes back.</summary>
public class UdpRelayMemoryTests
{
    private const long Limit = 8 << 20;

    [Fact]
    public void A_queued_datagram_takes_its_own_length_and_no_more()
    {
        using PageAllocator allocator = NewAllocator();
        using PacketReceiveRing ring = ReceiveRings.ForClients(allocator);
        List<PacketBuffer> kept = [];
        for (int i = 0; i < 3000; i++)
        {
            ring.Buffer[..100].Fill((byte)i);
            Assert.True(ring.TryTake(100, out PacketBuffer packet));
            kept.Add(packet);
        }

        // 128 bytes each, two cache lines: all of them in one page of 512 KiB, of which the last 64 KiB are still to land in.
        Assert.Equal(128, allocator.GetStatistics().InUseFrames);
        for (int i = 0; i < kept.Count; i++)
        {
            Datagram datagram = new(kept[i]);
            Assert.Equal(100, datagram.Span.Length);
            Assert.False(datagram.Span.ContainsAnyExcept((byte)i));
            datagram.Free();
        }
    }

    [Fact]
    public void A_datagram_is_handed_on_where_it_landed()
    {
        using PageAllocator allocator = NewAllocator();
        using PacketReceiveRing ring = ReceiveRings.ForClients(allocator);
        foreach (int length in (int[])[1, 50_000])
        {
            ring.Buffer[..length].Fill(7);
            ref byte landed = ref ring.Buffer[0];
            Assert.True(ring.TryTake(length, out PacketBuffer packet));
            Datagram datagram = new(packet);
            Assert.True(System.Runtime.CompilerServices.Unsafe.AreSame(in landed, in datagram.Span[0]));
            ring.Buffer.Fill(8);
            Assert.False(datagram.Span.ContainsAnyExcept((byte)7));
            datagram.Free();
        }
    }

    [Fact]
    public void At_the_limit_datagrams_are_refused_and_after_it_they_are_kept_again()
    {
        using PageAllocator allocator = NewAllocator();
        using PacketReceiveRing ring = ReceiveRings.ForClients(allocator);
        Queue<PacketBuffer> kept = new();
        foreach (int length in (int[])[60_000, 30_000, 1200])
        {
            while (ring.TryTake(length, out PacketBuffer packet))
            {
                kept.Enqueue(packet);
            }

            // Seven eighths of the memory, whatever the length: the rest is what is landed in.
            Assert.True(kept.Count * (long)length > Limit * 3 / 4, $"{kept.Count} datagrams of {length} bytes");
            Assert.False(ring.TryTake(length, out _));
            Assert.Equal(65_535, ring.Buffer.Length);
            while (kept.TryDequeue(out PacketBuffer packet))
            {
                packet.Dispose();
            }
        }
    }

    [Fact]
    public void A_batch_frees_all_that_was_added_whatever_its_length()
    {
        using PageAllocator allocator = NewAllocator();
        PacketReceiveRing ring = ReceiveRings.ForClients(allocator);
        DatagramBatch batch = new(8);
        int[] lengths = [0, 1, 40_000, 100, 65_507, 32_768, 0, 32_769];
        for (int i = 0; i < 100; i++)
        {
            Assert.True(ring.TryTake(lengths[i % lengths.Length], out PacketBuffer packet));
            batch.Add(new Datagram(packet));
        }

        batch.Free();
        batch.Free();
        ring.Dispose();
        Assert.Equal(0, allocator.GetStatistics().InUseFrames);
    }

    [Fact]
    public void A_full_queue_frees_the_datagram_and_counts_it_by_name()
    {
        using PageAllocator allocator = NewAllocator();
        RelayCounters counters = new();
        DatagramQueue<Query> queue = new(2);
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using ClientReceiver receiver = new(socket, allocator, counters, queue);
        TestThread thread = new(receiver.Run);
        Query[] queued = new Query[2];
        try
        {
            using TestClient client = new(socket.LocalEndPoint!);
            for (int i = 0; i < 5; i++)
            {
                client.Send(new byte[50_000]);
            }

            Eventually.Holds(() => counters.FromClients.Datagrams == 5, () => $"{counters.FromClients.Datagrams} received");
        }
        finally
        {
            receiver.Stop();
            thread.Join();
        }

        Assert.Equal(2, queue.Take(queued, 0));

        // Two queued behind each other, and the next lands behind them: one page.
        long held = allocator.GetStatistics().InUseFrames;
        Array.ForEach(queued, query => query.Datagram.Free());
        Assert.Equal(1 << ReceiveRings.Order, held);
        Assert.Equal(3, counters.Drops(DropReason.QueryQueueFull));
    }

    [Fact]
    public void A_session_that_closes_hands_on_what_has_arrived()
    {
        using PageAllocator allocator = NewAllocator();
        RelayCounters counters = new();
        DatagramQueue<Reply> queue = new(10);
        using ReplyReceiver receiver = new(allocator, counters, queue, exception => Assert.Fail(exception.Message));
        using Socket server = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(server.LocalEndPoint!);
        socket.Blocking = false;

        // Not started: nobody reads but the close.
        using Session session = new(default, server.LocalEndPoint!.Serialize(), new Upstream((IPEndPoint)server.LocalEndPoint), socket, receiver, now: 0);
        Assert.False(session.HasUnread);
        Assert.False(session.IsIdle(now: 9, 10));
        Assert.True(session.IsIdle(now: 10, 10));
        server.SendTo([1], SocketFlags.None, socket.LocalEndPoint!.Serialize());
        server.SendTo([2, 2], SocketFlags.None, socket.LocalEndPoint!.Serialize());
        Eventually.Holds(() => session.HasUnread, () => "replies in the socket");
        Assert.False(session.IsIdle(now: 10, 10));
        session.Dispose();
        session.Dispose();
        Reply[] replies = new Reply[3];
        Assert.Equal(2, queue.Take(replies, 0));
        Assert.Equal([1], replies[0].Datagram.Span.ToArray());
        Assert.Equal([2, 2], replies[1].Datagram.Span.ToArray());
        replies[0].Datagram.Free();
        replies[1].Datagram.Free();
        Assert.Equal(2, counters.FromUpstreams.Datagrams);
    }

    [Fact]
    public void A_receiver_that_stops_still_queues_what_the_kernel_held()
    {
        using PageAllocator allocator = NewAllocator();
        RelayCounters counters = new();
        DatagramQueue<Query> queue = new(10);
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using ClientReceiver receiver = new(socket, allocator, counters, queue) { LongestDrain = 60_000 };
        using TestClient client = new(socket.LocalEndPoint!);
        client.Send([1]);
        client.Send([2]);
        client.Send([3]);
        receiver.Stop();
        new TestThread(receiver.Run).Join();
        Query[] queries = new Query[4];
        Assert.Equal(3, queue.Take(queries, 0));
        Assert.Equal([1, 2, 3], queries.Take(3).Select(query => query.Datagram.Span[0]));
        Array.ForEach(queries[..3], query => query.Datagram.Free());
    }

    [Fact]
    public void A_fault_ends_the_relay_with_status_1_says_what_it_was_and_keeps_no_memory()
    {
        using TestUpstream upstream = new(0x5a);
        using Relay relay = Relay.Start(RelayHarness.Options(upstream));
        using TestClient client = new(relay.LocalEndPoint);
        client.Ask([1, 2], upstream);
        Assert.False(relay.Fault.IsCompleted);
        relay.Fail(new InvalidOperationException("made by the test"));
        Assert.True(relay.Fault.IsCompleted);
        RelayEnd end = relay.Stop();
        using StringWriter output = new();
        using StringWriter error = new();
        Assert.Equal(1, RelayCommand.Report(end, output, error));
        Assert.Contains("udp-relay: failed: System.InvalidOperationException: made by the test", error.ToString(), StringComparison.Ordinal);
        Assert.Contains("pages held: 0", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_stop_in_the_middle_of_traffic_gives_every_page_back()
    {
        for (int round = 0; round < 5; round++)
        {
            int seed = Random.Shared.Next();
            using TestUpstream upstream = new(0x5a) { Replies = 3 };
            using Relay relay = Relay.Start(RelayHarness.Options(upstream) with { MaxSessions = 10 });
            using CancellationTokenSource stop = new();
            TestThread[] senders = TestThread.Start(3, sender =>
            {
                Random random = new(seed + sender);
                TestClient[] clients = [.. Enumerable.Range(0, 4).Select(_ => new TestClient(relay.LocalEndPoint))];
                while (!stop.IsCancellationRequested)
                {
                    for (int i = 0; i < 20; i++)
                    {
                        try
                        {
                            clients[random.Next(clients.Length)].Send(new byte[random.Next(10) == 0 ? random.Next(65_000) : random.Next(1500)]);
                        }
                        catch (SocketException)
                        {
                            // The relay is gone.
                        }
                    }

                    Thread.Sleep(1);
                }

                Array.ForEach(clients, client => client.Dispose());
            });
            try
            {
                // Replies are on their way and sessions change hands when it ends; twelve clients share ten, so many a reply finds its session gone.
                Eventually.Holds(
                    () => relay.GetStatistics() is { ReturnedDatagrams: > 100, SessionsEvicted: > 0 },
                    () => $"seed {seed}: {relay.GetStatistics().ToLine()}");
                relay.StopClean();
            }
            finally
            {
                stop.Cancel();
                Array.ForEach(senders, sender => sender.Join());
            }
        }
    }

    [Fact]
    public void A_stop_asked_for_twice_answers_the_same_and_a_relay_whose_port_is_taken_does_not_start()
    {
        using TestUpstream upstream = new(0x5a);
        Relay relay = Relay.Start(RelayHarness.Options(upstream));
        SocketException taken = Assert.Throws<SocketException>(() => Relay.Start(RelayHarness.Options(upstream) with { Listen = relay.LocalEndPoint }));
        Assert.Equal(SocketError.AddressAlreadyInUse, taken.SocketErrorCode);
        RelayEnd end = relay.Stop();
        Assert.Same(end, relay.Stop());
        relay.Dispose();
        Assert.Equal(0, relay.GetStatistics().PagesHeld);

        // A process that another test starts meanwhile has a copy of the socket for a moment.
        Relay? next = null;
        Eventually.Holds(() => TryStart(RelayHarness.Options(upstream) with { Listen = relay.LocalEndPoint }, out next), () => "the port given up");
        next!.StopClean();
    }

    private static bool TryStart(RelayOptions options, out Relay? relay)
    {
        try
        {
            relay = Relay.Start(options);
            return true;
        }
        catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            relay = null;
            return false;
        }
    }

    private static PageAllocator NewAllocator() => new(new PageAllocatorOptions { Name = "relay test", LimitBytes = Limit });
}
