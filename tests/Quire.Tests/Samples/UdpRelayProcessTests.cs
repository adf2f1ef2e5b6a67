using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Quire.Samples.UdpRelay;
using Xunit;

namespace Quire.Tests.Samples;

/// <summary>The relay as its users run it: a process that is told by signals.</summary>
public partial class UdpRelayProcessTests
{
    [Theory]
    [InlineData(ChildProcess.SigInt)]
    [InlineData(ChildProcess.SigTerm)]
    public void It_stops_on_a_signal_prints_its_totals_and_holds_nothing(int signal)
    {
        SkipUnlessUnix();
        using TestUpstream upstream = new(0x5a);
        using ChildProcess relay = Start(upstream);
        using TestClient client = new(Listening(relay));
        for (int i = 0; i < 100; i++)
        {
            client.Ask([(byte)i, 1, 2], upstream);
        }

        relay.Signal(signal);
        Assert.Equal(0, relay.WaitForExit(Eventually.Limit));
        Assert.Contains("queries   100 received (300 B), 100 forwarded (300 B), 0 dropped", relay.Output, StringComparison.Ordinal);
        Assert.Contains("replies   100 received (300 B), 100 returned (300 B), 0 dropped", relay.Output, StringComparison.Ordinal);
        Assert.Contains("drops     none", relay.Output, StringComparison.Ordinal);
        Assert.Contains("sessions  1 opened", relay.Output, StringComparison.Ordinal);
        Assert.EndsWith("pages held: 0\n", relay.Output, StringComparison.Ordinal);
        Assert.Empty(relay.Error);
    }

    [Fact]
    public void It_prints_its_counters_on_SIGUSR1_and_goes_on()
    {
        SkipUnlessUnix();
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the number of SIGUSR1 is Linux's");
        using TestUpstream upstream = new(0x5a);
        using ChildProcess relay = Start(upstream);
        using TestClient client = new(Listening(relay));
        client.Ask([1, 2, 3], upstream);
        CountersCome(relay, " sessions=1 queries=1 forwarded=1 replies=1 returned=1 bytes-in=6 bytes-out=6 queued=0 dropped=0 ");
        client.Ask([4, 5, 6], upstream);
        CountersCome(relay, " queries=2 ");
    }

    [Fact]
    public void It_prints_its_counters_as_often_as_it_was_told()
    {
        using TestUpstream upstream = new(0x5a);
        using ChildProcess relay = Start(upstream, "--stats", "0.05");
        Eventually.Holds(() => CountersLine().Count(relay.Output) >= 3, () => relay.Output);
    }

    [Fact]
    public void In_the_steady_state_a_datagram_allocates_nothing_on_the_heap()
    {
        SkipUnlessUnix();
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the number of SIGUSR1 is Linux's");
        const int Measured = 10_000;

        // The smallest object has 24 bytes; one for every tenth datagram would show. The line of counters itself takes some kilobytes.
        const long Bound = Measured / 10 * 24;
        using TestUpstream upstream = new(0x5a);
        using ChildProcess relay = Start(upstream);
        using TestClient client = new(Listening(relay));
        Pump(client, 5000);

        // The runtime's own threads and queues grow now and then, on a machine with other work to do several times in a row; what a datagram allocated
        // would be there every time.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 15 && least >= Bound; attempt++)
        {
            long before = GarbageBytes(relay);
            Pump(client, Measured);
            least = Math.Min(least, GarbageBytes(relay) - before);
        }

        Assert.True(least < Bound, $"{least} bytes for {Measured} datagrams each way");
    }

    private static void Pump(TestClient client, int datagrams)
    {
        const int Window = 20;
        byte[] payload = new byte[100];
        for (int i = 0; i < datagrams; i += Window)
        {
            for (int j = 0; j < Window; j++)
            {
                client.Send(payload);
            }

            for (int j = 0; j < Window; j++)
            {
                Assert.Equal(payload.Length, client.Receive().Length);
            }
        }
    }

    private static ChildProcess Start(TestUpstream upstream, params string[] more)
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string program = Path.Combine(AppContext.BaseDirectory, typeof(Relay).Assembly.GetName().Name + ".dll");
        string[] arguments = [program, "--listen", "127.0.0.1:0", "--upstream", $"{upstream.EndPoint}", .. more];

        // A shell that runs the tests in the background has SIGINT ignored, and children inherit that.
        return OperatingSystem.IsLinux() && ChildProcess.Find("env") is { } env
            ? new ChildProcess(env, ["--default-signal=INT", dotnet, .. arguments])
            : new ChildProcess(dotnet, arguments);
    }

    private static IPEndPoint Listening(ChildProcess relay)
    {
        Eventually.Holds(() => ListeningLine().IsMatch(relay.Output) || relay.HasExited, () => relay.Output + relay.Error);
        return new IPEndPoint(IPAddress.Loopback, int.Parse(ListeningLine().Match(relay.Output).Groups[1].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>Asks for the line of counters and answers it.</summary>
    private static string Counters(ChildProcess relay)
    {
        int before = CountersLine().Count(relay.Output);
        relay.Signal(ChildProcess.SigUsr1);
        Eventually.Holds(() => CountersLine().Count(relay.Output) > before, () => relay.Output + relay.Error);
        return CountersLine().Matches(relay.Output)[before].Value;
    }

    /// <summary>Asks until the line of counters has the text: what is sent is counted after the send, by when its receiver may have it.</summary>
    private static void CountersCome(ChildProcess relay, string expected)
    {
        string line = "";
        Eventually.Holds(
            () =>
            {
                line = Counters(relay);
                return line.Contains(expected, StringComparison.Ordinal);
            },
            () => line);
    }

    private static long GarbageBytes(ChildProcess relay) =>
        long.Parse(Garbage().Match(Counters(relay)).Groups[1].Value, CultureInfo.InvariantCulture);

    private static void SkipUnlessUnix() => Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals");

    [GeneratedRegex(@"^udp-relay: listening on 127\.0\.0\.1:(\d+),", RegexOptions.Multiline)]
    private static partial Regex ListeningLine();

    [GeneratedRegex("^udp-relay: up=.*$", RegexOptions.Multiline)]
    private static partial Regex CountersLine();

    [GeneratedRegex(@" gc-allocated=(\d+)")]
    private static partial Regex Garbage();
}
