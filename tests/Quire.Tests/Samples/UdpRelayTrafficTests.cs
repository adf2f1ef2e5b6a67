using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>What goes through the relay comes out whole, in order, and at the right place.</summary>
public class UdpRelayTrafficTests
{
    [Fact]
    public void Replies_to_many_clients_come_back_to_the_client_that_asked_whole_and_in_order()
    {
        const int Clients = 150;
        const int Rounds = 12;
        const int Window = 4;
        int seed = Random.Shared.Next();
        Random random = new(seed);
        using TestUpstream first = new(0x11);
        using TestUpstream second = new(0x22);
        using Relay relay = Relay.Start(RelayHarness.Options(first, second));
        TestClient[] clients = [.. Enumerable.Range(0, Clients).Select(_ => new TestClient(relay.LocalEndPoint))];
        int sent = 0;
        try
        {
            for (int round = 0; round < Rounds; round++)
            {
                byte[][][] asked = [.. clients.Select((_, client) => Enumerable.Range(0, Window).Select(i => Payload(random, client, (round * Window) + i)).ToArray())];
                for (int i = 0; i < Window; i++)
                {
                    for (int client = 0; client < Clients; client++)
                    {
                        clients[client].Send(asked[client][i]);
                    }

                    // No more at once than a socket's buffer takes, however late the threads that read come.
                    sent += Clients;
                    Eventually.Holds(() => first.Received + second.Received == sent, () => $"{sent} at the upstreams: {relay.GetStatistics().ToLine()}");
                }

                for (int client = 0; client < Clients; client++)
                {
                    for (int i = 0; i < Window; i++)
                    {
                        TestUpstream upstream = TestClient.CheckReply(asked[client][i], clients[client].Receive(), first, second);
                        Assert.True(upstream == (client % 2 == 0 ? first : second), $"seed {seed}: client {client} was answered by the other upstream");
                    }
                }
            }

            RelayStatistics end = relay.StopClean();
            Assert.Equal(Clients * Rounds * Window, end.ClientDatagrams);
            Assert.Equal(end.ClientDatagrams, end.ReturnedDatagrams);
            Assert.Equal(end.ClientBytes, end.ReturnedBytes);
            Assert.Equal(Clients, end.SessionsOpened);
            Assert.All(clients, client => Assert.False(client.Hears(TimeSpan.Zero), $"seed {seed}: a client got more than it asked for"));
        }
        finally
        {
            Array.ForEach(clients, client => client.Dispose());
        }
    }

    [Fact]
    public void Datagrams_of_every_kind_of_length_come_back_whole()
    {
        int seed = Random.Shared.Next();
        Random random = new(seed);
        using TestUpstream upstream = new(0x5a);
        using Relay relay = Relay.Start(RelayHarness.Options(upstream));
        using TestClient client = new(relay.LocalEndPoint);

        // Empty, tiny, either side of a cache line and of a page, the most that IPv4 allows.
        int[] lengths = [0, 1, 63, 64, 65, 512, 1232, 4096, 9000, 16384, 32767, 32768, 32769, 65507];
        foreach (int length in lengths)
        {
            byte[] payload = new byte[length];
            random.NextBytes(payload);
            client.Ask(payload, upstream);
        }

        RelayStatistics end = relay.StopClean();
        Assert.Equal(lengths.Length, end.ReturnedDatagrams);
        Assert.Equal(lengths.Sum(), end.ReturnedBytes);
    }

    [Fact]
    public void One_query_may_have_many_replies()
    {
        using TestUpstream upstream = new(0x5a) { Replies = 100 };
        using Relay relay = Relay.Start(RelayHarness.Options(upstream));
        using TestClient client = new(relay.LocalEndPoint);
        byte[] payload = [1, 2, 3];
        client.Send(payload);
        for (int i = 0; i < upstream.Replies; i++)
        {
            TestClient.CheckReply(payload, client.Receive(), upstream);
        }

        Assert.Equal(100, relay.StopClean().ReturnedDatagrams);
    }

    [Fact]
    public void A_stop_still_delivers_the_replies_that_had_arrived()
    {
        for (int round = 0; round < 10; round++)
        {
            using TestUpstream upstream = new(0x5a) { Replies = 200 };
            using Relay relay = Relay.Start(RelayHarness.Options(upstream));
            using TestClient client = new(relay.LocalEndPoint);
            byte[] payload = [1, 2, 3];
            client.Send(payload);

            // Sent means arrived on the loopback, give or take the last.
            Eventually.Holds(() => upstream.Replied == 200, () => $"{upstream.Replied} replies");
            Thread.Sleep(1);
            RelayStatistics end = relay.StopClean();
            Assert.Equal(200, end.ReturnedDatagrams);
            for (int i = 0; i < 200; i++)
            {
                TestClient.CheckReply(payload, client.Receive(), upstream);
            }
        }
    }

    [Fact]
    public void What_does_not_come_from_the_upstream_is_not_relayed()
    {
        using TestUpstream upstream = new(0x5a);
        using TestUpstream stranger = new(0x77);
        using Relay relay = Relay.Start(RelayHarness.Options(upstream));
        using TestClient client = new(relay.LocalEndPoint);
        client.Ask([1], upstream);
        stranger.SendTo(upstream.LastFrom!, [66]);
        client.Ask([2], upstream);
        Assert.False(client.Hears(TimeSpan.FromMilliseconds(50)));
        Assert.Equal(2, relay.StopClean().ReplyDatagrams);
    }

    [Fact]
    public void IPv6_clients_reach_IPv4_upstreams_and_the_other_way_round()
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "this machine has no IPv6");
        using TestUpstream four = new(0x04);
        using TestUpstream six = new(0x06, address: IPAddress.IPv6Loopback);
        using Relay relay = Relay.Start(RelayHarness.Options(four, six) with { Listen = new IPEndPoint(IPAddress.IPv6Any, 0) });
        int port = relay.LocalEndPoint.Port;
        using TestClient clientSix = new(new IPEndPoint(IPAddress.IPv6Loopback, port));
        using TestClient clientFour = new(new IPEndPoint(IPAddress.Loopback, port));
        Assert.Same(four, clientSix.Ask([1, 2, 3], four, six));
        Assert.Same(six, clientFour.Ask([4, 5, 6], four, six));
        Assert.Equal(2, relay.StopClean().SessionsOpened);
    }

    [Fact]
    public void Under_a_flood_every_datagram_is_forwarded_or_dropped_by_name()
    {
        using TestUpstream upstream = new(0x5a);
        using Relay relay = Relay.Start(RelayHarness.Options(upstream) with { Queue = 2, MaxSessions = 8 });
        TestThread[] senders = TestThread.Start(4, _ =>
        {
            byte[] payload = new byte[1000];
            for (int burst = 0; burst < 10; burst++)
            {
                using TestClient client = new(relay.LocalEndPoint);
                for (int i = 0; i < 500; i++)
                {
                    client.Send(payload);
                }
            }
        });
        Array.ForEach(senders, sender => sender.Join());

        // A stop empties the socket for a bounded time, and what it leaves in the kernel nobody counts.
        Eventually.Holds(
            () => relay.GetStatistics() is var now && now.ClientDatagrams + now.KernelDropsOfQueries == 20_000,
            () => relay.GetStatistics().ToLine());
        RelayStatistics end = relay.StopClean();
        Assert.Equal(20_000, end.ClientDatagrams + end.KernelDropsOfQueries);
        Assert.Equal(end.QueryDrops, end.DropsOf(DropReason.QueryQueueFull));
        Assert.Equal(end.ReplyDrops, end.DropsOf(DropReason.ReplyQueueFull));
    }

    private static byte[] Payload(Random random, int client, int sequence)
    {
        byte[] payload = new byte[8 + random.Next(0, 600)];
        random.NextBytes(payload);
        BinaryPrimitives.WriteInt32LittleEndian(payload, client);
        BinaryPrimitives.WriteInt32LittleEndian(payload.AsSpan(4), sequence);
        return payload;
    }
}
