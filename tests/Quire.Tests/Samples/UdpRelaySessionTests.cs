using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>Sessions: which upstream a client gets, when a session ends, what happens when an upstream is down.</summary>
public class UdpRelaySessionTests
{
    [Fact]
    public void Each_new_client_gets_the_next_upstream_and_keeps_it()
    {
        using TestUpstream a = new(0x0a);
        using TestUpstream b = new(0x0b);
        using TestUpstream c = new(0x0c);
        using Relay relay = Relay.Start(RelayHarness.Options(a, b, c));
        TestClient[] clients = [.. Enumerable.Range(0, 7).Select(_ => new TestClient(relay.LocalEndPoint))];
        for (int round = 0; round < 3; round++)
        {
            IEnumerable<TestUpstream> answered = clients.Select(client => client.Ask([1, 2, 3], a, b, c));
            Assert.Equal([a, b, c, a, b, c, a], answered);
        }

        Array.ForEach(clients, client => client.Dispose());
        Assert.Equal([3, 2, 2], relay.Upstreams.Select(upstream => upstream.Sessions));
        relay.StopClean();
    }

    [Fact]
    public void An_idle_session_expires_and_its_client_is_served_again() => WithIdle(500, idle =>
    {
        using TestUpstream upstream = new(0x5a);
        using Relay relay = Relay.Start(RelayHarness.Options(upstream) with { Idle = idle });
        using TestClient client = new(relay.LocalEndPoint);
        Stopwatch watch = Stopwatch.StartNew();
        if (!IsAnswered(1))
        {
            return false;
        }

        Eventually.Holds(() => relay.GetStatistics().SessionsExpired == 1, () => relay.GetStatistics().ToLine());

        // Not sooner; the clock ticks every 16 ms at worst.
        Assert.True(watch.Elapsed > idle - TimeSpan.FromMilliseconds(20), $"expired after {watch.ElapsedMilliseconds} ms");
        Assert.Equal(0, relay.GetStatistics().SessionsOpen);
        if (!IsAnswered(2))
        {
            return false;
        }

        RelayStatistics end = relay.StopClean();
        Assert.Equal(2, end.SessionsOpened);
        Assert.Equal(0, end.SessionsEvicted);
        return true;

        // A reply that takes longer may find its session gone.
        bool IsAnswered(byte query)
        {
            client.Send([query]);
            if (!client.Hears(idle))
            {
                return false;
            }

            TestClient.CheckReply([query], client.Receive(), upstream);
            return true;
        }
    });

    [Fact]
    public void Replies_alone_keep_a_session_open() => WithIdle(1000, idle =>
    {
        using TestUpstream upstream = new(0x5a);
        using Relay relay = Relay.Start(RelayHarness.Options(upstream) with { Idle = idle });
        using TestClient client = new(relay.LocalEndPoint);

        // By the relay's own clock, and from before the last datagram left: no shorter than any time the session was idle.
        long lastSent = Environment.TickCount64;
        client.Send([1]);
        if (!client.Hears(idle))
        {
            return false;
        }

        TestClient.CheckReply([1], client.Receive(), upstream);
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < idle * 1.8)
        {
            long sent = Environment.TickCount64;
            upstream.SendTo(upstream.LastFrom!, [42]);
            if (!client.Hears(idle) || WasAway())
            {
                return false;
            }

            Assert.Equal([42], client.Receive().ToArray());
            lastSent = sent;
            Thread.Sleep(50);
        }

        long open = relay.GetStatistics().SessionsOpen;
        RelayStatistics end = relay.StopClean();
        if (WasAway())
        {
            return false;
        }

        Assert.Equal(1, open);
        Assert.Equal(0, end.SessionsExpired);
        return true;

        bool WasAway() => Environment.TickCount64 - lastSent >= (long)idle.TotalMilliseconds;
    });

    [Fact]
    public void One_client_too_many_takes_the_place_of_the_one_silent_longest()
    {
        using TestUpstream upstream = new(0x5a);
        using Relay relay = Relay.Start(RelayHarness.Options(upstream) with { MaxSessions = 3 });
        TestClient[] clients = [.. Enumerable.Range(0, 4).Select(_ => new TestClient(relay.LocalEndPoint))];
        clients[0].Ask([0], upstream);
        clients[1].Ask([1], upstream);
        clients[2].Ask([2], upstream);
        clients[0].Ask([0], upstream);

        // The second is the silent one now.
        clients[3].Ask([3], upstream);
        RelayStatistics now = relay.GetStatistics();
        Assert.Equal(3, now.SessionsOpen);
        Assert.Equal(1, now.SessionsEvicted);
        clients[0].Ask([0], upstream);
        clients[2].Ask([2], upstream);
        clients[3].Ask([3], upstream);
        Assert.Equal(1, relay.GetStatistics().SessionsEvicted);
        clients[1].Ask([1], upstream);
        Assert.Equal(2, relay.GetStatistics().SessionsEvicted);
        Array.ForEach(clients, client => client.Dispose());
        Assert.Equal(5, relay.StopClean().SessionsOpened);
    }

    [Fact]
    public void An_upstream_that_is_down_is_counted_and_served_again_once_it_is_back()
    {
        TestUpstream upstream = new(0x5a);
        IPEndPoint address = upstream.EndPoint;
        using Relay relay = Relay.Start(RelayHarness.Options(upstream));
        using TestClient client = new(relay.LocalEndPoint);
        client.Ask([1, 1], upstream);
        upstream.GiveUp();

        for (int i = 0; i < 5; i++)
        {
            client.Send([2, 2]);
            Thread.Sleep(20);
        }

        // All have left: one still queued would be answered once the upstream is back.
        Eventually.Holds(
            () => relay.GetStatistics() is { Refusals: >= 3 } now && now.ForwardedDatagrams + now.QueryDrops == 6,
            () => relay.GetStatistics().ToLine());
        Assert.False(client.Hears(TimeSpan.Zero));

        using TestUpstream back = new(0x5a, address.Port);
        client.AskUntilAnswered([3, 3], back);
        RelayStatistics end = relay.StopClean();
        Assert.Equal(1, end.SessionsOpened);
    }

    [Fact]
    public void A_send_that_reports_an_earlier_refusal_is_repeated()
    {
        TestUpstream upstream = new(0x5a);
        IPEndPoint address = upstream.EndPoint;
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "relay test", LimitBytes = 8 << 20 });
        RelayCounters counters = new();
        DatagramQueue<Reply> replies = new(8);
        using ReplyReceiver receiver = new(allocator, counters, replies, exception => Assert.Fail(exception.Message));
        Upstream known = new(address);
        Forwarder forwarder = new(RelayHarness.Options(upstream), counters, new DatagramQueue<Query>(1), receiver, [known], AddressFamily.InterNetwork);
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(address);
        socket.Blocking = false;

        // Not started: nobody but the next send can learn of the refusal.
        using Session session = new(default, address.Serialize(), known, socket, receiver, now: 0);
        upstream.GiveUp();
        Assert.Equal(SocketError.Success, forwarder.Transmit(session, [1], now: 0));
        Eventually.Holds(() => socket.Poll(0, SelectMode.SelectError), () => "an error on the socket");

        using TestUpstream back = new(0x5a, address.Port);
        Assert.Equal(SocketError.Success, forwarder.Transmit(session, [2], now: 0));
        Eventually.Holds(() => back.Received == 1, () => "received by the upstream");
        Assert.Equal(1, counters.Refusals);
        Assert.True(session.Refused);
        session.Dispose();
        Reply[] reply = new Reply[1];
        while (replies.Take(reply, 0) != 0)
        {
            reply[0].Datagram.Free();
        }
    }

    [Fact]
    public void A_client_whose_upstreams_cannot_be_reached_is_counted_as_one_drop_a_query()
    {
        // Sending to everybody needs a permission that the relay does not ask for, so that no socket can be had.
        using Relay relay = Relay.Start(RelayHarness.Options() with
        {
            Upstreams = [new IPEndPoint(IPAddress.Broadcast, 9), new IPEndPoint(IPAddress.Broadcast, 10)],
        });
        using TestClient client = new(relay.LocalEndPoint);
        client.Send([1]);
        client.Send([2]);
        Eventually.Holds(() => relay.GetStatistics().QueryDrops == 2, () => relay.GetStatistics().ToLine());
        RelayStatistics end = relay.StopClean();
        Assert.Equal(2, end.ClientDatagrams);
        Assert.Equal(0, end.SessionsOpened);
    }

    [Fact]
    public void The_datagram_after_a_refusal_is_not_lost()
    {
        TestUpstream upstream = new(0x5a);
        IPEndPoint address = upstream.EndPoint;
        using Relay relay = Relay.Start(RelayHarness.Options(upstream));
        using TestClient client = new(relay.LocalEndPoint);
        client.Ask([1, 1], upstream);
        for (int round = 0; round < 10; round++)
        {
            upstream.GiveUp();
            client.Send([2, 2]);
            Eventually.Holds(() => relay.GetStatistics().ForwardedDatagrams == (2 * round) + 2, () => relay.GetStatistics().ToLine());

            // Back at once, the refusal perhaps not yet read: the next query must arrive, not be swallowed by the old error.
            upstream = new TestUpstream(0x5a, address.Port);
            client.Send([3, 3]);
            ReadOnlySpan<byte> reply;
            do
            {
                // The query before may have reached it after all.
                reply = client.Receive();
            }
            while (reply[0] == (2 ^ upstream.Key));

            TestClient.CheckReply([3, 3], reply, upstream);
        }

        upstream.GiveUp();
        Assert.Equal(0, relay.StopClean().QueryDrops);
    }

    [Fact]
    public void A_client_moves_to_another_upstream_when_its_own_refuses()
    {
        TestUpstream first = new(0x01);
        using TestUpstream second = new(0x02);
        using Relay relay = Relay.Start(RelayHarness.Options(first, second));
        using TestClient client = new(relay.LocalEndPoint);
        Assert.Same(first, client.Ask([1, 1], first, second));
        first.GiveUp();
        client.Send([2, 2]);
        Eventually.Holds(() => relay.GetStatistics().Refusals == 1, () => relay.GetStatistics().ToLine());
        Assert.Same(second, client.Ask([3, 3], first, second));
        RelayStatistics now = relay.GetStatistics();
        Assert.Equal(1, now.SessionsMoved);
        Assert.Equal(1, now.SessionsOpen);

        // While it refuses, new clients pass it over, whoever's turn it is.
        for (int i = 0; i < 3; i++)
        {
            using TestClient other = new(relay.LocalEndPoint);
            Assert.Same(second, other.AskUntilAnswered([4, 4], first, second));
        }

        relay.StopClean();
    }

    [Fact]
    public void A_ring_passes_over_what_refuses_unless_all_do()
    {
        Upstream[] upstreams = [.. Enumerable.Range(1, 3).Select(port => new Upstream(new IPEndPoint(IPAddress.Loopback, port)))];
        UpstreamRing ring = new(upstreams);
        long now = Environment.TickCount64;
        Assert.Equal([upstreams[0], upstreams[1], upstreams[2], upstreams[0]], Enumerable.Range(0, 4).Select(_ => ring.Next(now)));
        upstreams[1].Refused();
        Assert.Equal([upstreams[2], upstreams[0], upstreams[2]], Enumerable.Range(0, 3).Select(_ => ring.Next(now)));
        Assert.Same(upstreams[2], ring.Next(now, except: upstreams[0]));
        Assert.True(ring.HasBetterThan(upstreams[0], now));
        upstreams[2].Refused();
        Assert.False(ring.HasBetterThan(upstreams[0], now));
        upstreams[0].Refused();
        Assert.Equal([upstreams[0], upstreams[1], upstreams[2]], Enumerable.Range(0, 3).Select(_ => ring.Next(now)));
        upstreams[1].Replied();
        Assert.Same(upstreams[1], ring.Next(now));
        Assert.True(upstreams[2].IsRefusing(now));
        Assert.False(upstreams[2].IsRefusing(Environment.TickCount64 + Upstream.RefusalHolds));
    }

    /// <summary>Tries with twice the idle time while it answers false: a thread was away for so long that a session rightly expired, and nothing can be said.</summary>
    private static void WithIdle(int milliseconds, Func<TimeSpan, bool> trial)
    {
        for (TimeSpan idle = TimeSpan.FromMilliseconds(milliseconds); !trial(idle); idle *= 2)
        {
            Assert.True(idle < TimeSpan.FromSeconds(16), $"even with an idle time of {idle.TotalSeconds} s sessions expired, or a thread was away for as long");
        }
    }
}
