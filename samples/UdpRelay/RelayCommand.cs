using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Quire.Samples.UdpRelay;

/// <summary>The command line: reads the arguments, runs a relay until it is asked to stop, prints what it did.</summary>
/// <remarks>Exit status: 0 stopped with nothing held, 1 something is still held or the relay failed, 2 the call is wrong.</remarks>
internal static class RelayCommand
{
    private const string Name = "udp-relay";
    private const int Ok = 0;
    private const int Failed = 1;
    private const int Misused = 2;

    /// <summary>A second signal to stop ends the process at once if it comes this long after the first, in milliseconds.</summary>
    private const int AskedAgain = 1000;

    private static readonly Option<HostPort> s_listen = new("--listen")
    {
        Description = "Where clients send to. [::]:PORT takes IPv4 clients too; port 0 takes any free port.",
        HelpName = "HOST:PORT",
        Required = true,
        CustomParser = result => ParseHostPort(result, result.Tokens[0].Value, leastPort: 0),
    };

    private static readonly Option<HostPort[]> s_upstreams = new("--upstream")
    {
        Description = "Where to relay to. Given several times, each new client gets the next one.",
        HelpName = "HOST:PORT",
        Required = true,
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result => [.. result.Tokens.Select(token => ParseHostPort(result, token.Value, leastPort: 1)!)],
    };

    private static readonly Option<double> s_idle = Seconds("--idle", 60, "Close a client's session after this long with nothing either way.");

    private static readonly Option<double> s_stats = Seconds("--stats", null, "Print a line of counters this often (also on SIGUSR1). Default: never.");

    private static readonly Option<int> s_maxSessions = Number(
        "--max-sessions", "COUNT", RelayOptions.DefaultMaxSessions, 1, 1_000_000, "Clients served at once; one more takes the place of the one silent longest.");

    private static readonly Option<int> s_queue = Number(
        "--queue", "COUNT", RelayOptions.DefaultQueue, 1, 16 * 1024 * 1024, "Datagrams that may wait, each way; more are dropped and counted.");

    private static readonly Option<int> s_memory = Number(
        "--memory", "MIB", RelayOptions.DefaultMemoryMegabytes, RelayOptions.LeastMemoryMegabytes, 1024 * 1024,
        "Memory that datagrams may take; more are dropped and counted.");

    /// <summary>Runs to the end and answers the exit status.</summary>
    internal static int Run(string[] arguments, TextWriter output, TextWriter error)
    {
        RootCommand root = new("Relays UDP datagrams between many clients and a few upstreams.")
        {
            s_listen, s_upstreams, s_idle, s_stats, s_maxSessions, s_queue, s_memory,
        };
        root.SetAction(parsed => RunParsed(parsed, output, error));
        ParseResult parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            // One line: the first thing wrong is the one to mend.
            return Misuse(error, parsed.Errors[0].Message);
        }

        return parsed.Invoke(new InvocationConfiguration { Output = output, Error = error, ProcessTerminationTimeout = null });
    }

    private static int RunParsed(ParseResult parsed, TextWriter output, TextWriter error)
    {
        if (!TryReadOptions(parsed, out RelayOptions? options, out string problem))
        {
            return Misuse(error, problem);
        }

        // The ledger costs some 40 ns a datagram beside microseconds of system calls, and without it a leak has no name.
        using IDisposable? ledger = PageTracing.IsSupported ? Holders.Track() : null;
        Relay relay;
        try
        {
            relay = Relay.Start(options!);
        }
        catch (SocketException exception)
        {
            return Misuse(error, $"--listen '{parsed.GetValue(s_listen)}': {exception.Message}");
        }
        catch (PageAllocationException exception)
        {
            return Misuse(error, $"--memory {parsed.GetValue(s_memory)}: {exception.Message}");
        }

        return RunUntilStopped(relay, options!, parsed.GetValue(s_stats), output, error);
    }

    private static int RunUntilStopped(Relay relay, RelayOptions options, double statsSeconds, TextWriter output, TextWriter error)
    {
        long firstAsked = 0;
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnStop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnStop);
        using PosixSignalRegistration? user = OnUserSignal(() => PrintStatistics(relay, output));

        PrintStart(relay, options, output);
        TimeSpan interval = statsSeconds > 0 ? TimeSpan.FromSeconds(statsSeconds) : Timeout.InfiniteTimeSpan;
        Task[] ends = [asked.Task, relay.Fault];
        while (Task.WaitAny(ends, interval) < 0)
        {
            PrintStatistics(relay, output);
        }

        return Report(relay.Stop(), output, error);

        void OnStop(PosixSignalContext context)
        {
            // The first one asks. Some senders (timeout, a terminal's process group) deliver it twice at once; whoever asks again later
            // wants the process gone, and gets what the system does by default.
            long now = Environment.TickCount64;
            long first = Interlocked.CompareExchange(ref firstAsked, now, 0);
            context.Cancel = first == 0 || now - first < AskedAgain;
            asked.TrySetResult();
        }
    }

    /// <summary>Prints the totals, and what went wrong if anything did; answers the exit status.</summary>
    internal static int Report(RelayEnd end, TextWriter output, TextWriter error)
    {
        output.WriteLine($"{Name}: {end.Statistics.ToTotals()}");
        output.Flush();
        if (end.Fault is not null)
        {
            error.WriteLine($"{Name}: failed: {end.Fault}");
        }

        if (end.Holders is not null)
        {
            error.WriteLine($"{Name}: still held: {end.Holders}");
        }

        return end.Fault is null && end.Holders is null ? Ok : Failed;
    }

    /// <summary>SIGUSR1, which .NET knows only by the system's number. Null on Windows, which has no such signal.</summary>
    private static PosixSignalRegistration? OnUserSignal(Action act)
    {
        if (OperatingSystem.IsWindows())
        {
            return null;
        }

        int number = OperatingSystem.IsLinux() ? 10 : 30;
        return PosixSignalRegistration.Create((PosixSignal)number, context =>
        {
            context.Cancel = true;
            act();
        });
    }

    private static void PrintStart(Relay relay, RelayOptions options, TextWriter output)
    {
        string upstreams = string.Join(", ", relay.Upstreams.Select(upstream => upstream.EndPoint.ToString()));
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Name}: listening on {relay.LocalEndPoint}, upstream {upstreams}, idle {options.Idle.TotalSeconds} s, at most {options.MaxSessions} sessions"));
        if (relay.ReceiveBufferBytes < options.SocketBufferBytes)
        {
            output.WriteLine(
                $"{Name}: note: the system grants a receive buffer of {relay.ReceiveBufferBytes / 1024} KiB, not {options.SocketBufferBytes / 1024} KiB"
                + (OperatingSystem.IsLinux() ? " (net.core.rmem_max); long bursts may be lost before the relay sees them" : ""));
        }

        output.Flush();
    }

    private static void PrintStatistics(Relay relay, TextWriter output)
    {
        output.WriteLine($"{Name}: {relay.GetStatistics().ToLine()}");
        output.Flush();
    }

    private static bool TryReadOptions(ParseResult parsed, out RelayOptions? options, out string problem)
    {
        options = null;
        if (!TryResolve("--listen", parsed.GetValue(s_listen)!, out IPEndPoint? listen, out problem))
        {
            return false;
        }

        List<IPEndPoint> upstreams = [];
        foreach (HostPort written in parsed.GetValue(s_upstreams)!)
        {
            if (!TryResolve("--upstream", written, out IPEndPoint? upstream, out problem))
            {
                return false;
            }

            if (upstream!.Address.Equals(IPAddress.Any) || upstream.Address.Equals(IPAddress.IPv6Any))
            {
                problem = $"--upstream '{written}': that is every address, not one to send to";
                return false;
            }

            if (IsSelf(listen!, upstream))
            {
                problem = $"--upstream '{written}': that is where the relay itself listens";
                return false;
            }

            upstreams.Add(upstream);
        }

        options = new RelayOptions
        {
            Listen = listen!,
            Upstreams = upstreams,
            Idle = TimeSpan.FromSeconds(parsed.GetValue(s_idle)),
            MaxSessions = parsed.GetValue(s_maxSessions),
            Queue = parsed.GetValue(s_queue),
            MemoryBytes = parsed.GetValue(s_memory) * 1024L * 1024,
        };
        return true;
    }

    private static bool IsSelf(IPEndPoint listen, IPEndPoint upstream) =>
        listen.Port == upstream.Port
        && (listen.Address.Equals(upstream.Address)
            || (IPAddress.IsLoopback(upstream.Address) && (listen.Address.Equals(IPAddress.Any) || listen.Address.Equals(IPAddress.IPv6Any))));

    private static bool TryResolve(string option, HostPort written, out IPEndPoint? endPoint, out string problem)
    {
        try
        {
            endPoint = written.Resolve();
            problem = "";
            return true;
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            endPoint = null;
            problem = $"{option} '{written}': the host name '{written.Host}' has no address ({exception.Message})";
            return false;
        }
    }

    private static HostPort? ParseHostPort(ArgumentResult result, string text, int leastPort)
    {
        if (!HostPort.TryParse(text, leastPort, out HostPort? value, out string problem))
        {
            result.AddError($"{NameOf(result)} '{text}': {problem}");
        }

        return value;
    }

    private static Option<double> Seconds(string name, double? fallback, string description) => new(name)
    {
        Description = description,
        HelpName = "SECONDS",
        DefaultValueFactory = fallback is { } value ? _ => value : null,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (!double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) || seconds is < 0.001 or > 1_000_000)
            {
                result.AddError($"{name} '{text}': not a number of seconds from 0.001 to 1000000");
            }

            return seconds;
        },
    };

    private static Option<int> Number(string name, string unit, int fallback, int least, int most, string description) => new(name)
    {
        Description = description,
        HelpName = unit,
        DefaultValueFactory = _ => fallback,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number < least || number > most)
            {
                result.AddError($"{name} '{text}': not a whole number from {least} to {most}");
            }

            return number;
        },
    };

    private static string NameOf(ArgumentResult result) => result.Parent is OptionResult option ? option.Option.Name : result.Argument.Name;

    private static int Misuse(TextWriter error, string problem)
    {
        error.WriteLine($"{Name}: {problem}");
        return Misused;
    }
}
