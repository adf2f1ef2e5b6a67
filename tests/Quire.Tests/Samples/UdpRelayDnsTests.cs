using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>The relay between a real client and a real server, both from Debian: dnsperf and dnsmasq.</summary>
public partial class UdpRelayDnsTests(ITestOutputHelper log)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public void Between_dnsperf_and_dnsmasq_no_query_is_lost_that_the_direct_path_does_not_lose()
    {
        string? dnsperf = ChildProcess.Find("dnsperf");
        string? dnsmasq = ChildProcess.Find("dnsmasq");
        Assert.SkipWhen(dnsperf is null, "dnsperf is not installed");
        Assert.SkipWhen(dnsmasq is null, "dnsmasq is not installed");

        string queries = Path.GetTempFileName();
        try
        {
            File.WriteAllLines(queries, Enumerable.Range(0, 1000).Select(number => $"host{number}.example A"));
            using ChildProcess server = StartServer(dnsmasq!, out IPEndPoint address);
            Answer direct = Ask(dnsperf!, address, queries);
            using Relay relay = Relay.Start(RelayHarness.Options() with { Upstreams = [address] });
            Answer relayed = Ask(dnsperf!, relay.LocalEndPoint, queries);
            RelayStatistics end = relay.StopClean();
            log.WriteLine($"direct {direct}; relayed {relayed}; {end.ToLine()}");

            Assert.True(direct.Completed > 0);
            Assert.True(relayed.Completed > 0);
            Assert.True(relayed.Lost <= direct.Lost, $"direct: {direct}; relayed: {relayed}; {end.ToLine()}");
            Assert.Equal(0, end.QueryDrops + end.ReplyDrops + end.KernelDropsOfQueries + end.KernelDropsOfReplies);
            Assert.Equal(relayed.Sent, end.ClientDatagrams);
            Assert.Equal(10, end.SessionsOpened);
        }
        finally
        {
            File.Delete(queries);
        }
    }

    /// <summary>Ten clients, at most 100 queries at once, at most 20,000 in all and at most 5 seconds.</summary>
    private static Answer Ask(string dnsperf, IPEndPoint server, string queries)
    {
        using ChildProcess run = new(
            dnsperf, "-s", $"{server.Address}", "-p", $"{server.Port}", "-d", queries, "-c", "10", "-q", "100", "-n", "20", "-l", "5", "-t", "5");
        Assert.Equal(0, run.WaitForExit(s_limit));
        return new Answer(Number(SentLine(), run.Output), Number(CompletedLine(), run.Output), Number(LostLine(), run.Output));
    }

    private static long Number(Regex line, string text)
    {
        Match match = line.Match(text);
        Assert.True(match.Success, text);
        return long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
    }

    /// <summary>A server on a port of its own that knows one answer to everything and asks nobody.</summary>
    private static ChildProcess StartServer(string dnsmasq, out IPEndPoint address)
    {
        for (int attempt = 0; attempt < 5; attempt++)
        {
            // Somebody else may take the port between this and the server's start; then the next is tried.
            using (Socket probe = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
            {
                probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                address = (IPEndPoint)probe.LocalEndPoint!;
            }

            ChildProcess server = new(
                dnsmasq,
                "--no-daemon",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
                "--pid-file=",
                "--bind-interfaces",
                "--listen-address=127.0.0.1",
                $"--port={address.Port}",
                "--address=/#/127.0.0.1");
            if (Answers(server, address))
            {
                return server;
            }

            server.Dispose();
        }

        throw new InvalidOperationException("dnsmasq did not start");
    }

    private static bool Answers(ChildProcess server, IPEndPoint address)
    {
        // One question: "a", type A, class IN.
        byte[] query = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)'a', 0, 0, 1, 0, 1];
        using TestClient client = new(address);
        for (int i = 0; i < 200 && !server.HasExited; i++)
        {
            try
            {
                client.Send(query);
                if (client.Hears(TimeSpan.FromMilliseconds(50)) && client.Receive().Length > query.Length)
                {
                    return true;
                }
            }
            catch (SocketException)
            {
                Thread.Sleep(20);
            }
        }

        return false;
    }

    private sealed record Answer(long Sent, long Completed, long Lost);

    [GeneratedRegex(@"Queries sent:\s+(\d+)")]
    private static partial Regex SentLine();

    [GeneratedRegex(@"Queries completed:\s+(\d+)")]
    private static partial Regex CompletedLine();

    [GeneratedRegex(@"Queries lost:\s+(\d+)")]
    private static partial Regex LostLine();
}
