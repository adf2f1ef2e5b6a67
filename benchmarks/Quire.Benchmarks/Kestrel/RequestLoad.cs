using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Kestrel;

/// <summary>Requests a second over many connections, each with one request under way: by wrk where it is installed, by a driver of ours where not; always in a process of its own.</summary>
internal static class RequestLoad
{
    private static readonly string? s_wrk = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(static folder => Path.Combine(folder, "wrk")).FirstOrDefault(File.Exists);

    public static string Driver => s_wrk is null ? "own driver (wrk is not installed; Debian: wrk)" : "wrk";

    public static double Measure(Uri server, string path, int connections, int seconds, out double requests)
    {
        string url = new Uri(server, path).ToString();
        ProcessStartInfo start = s_wrk is not null
            ? new ProcessStartInfo(s_wrk, ["-t1", $"-c{connections}", $"-d{seconds}s", "--timeout", "60s", url]) { RedirectStandardOutput = true }
            : ThisProgram.Again("kestrel-load", url, connections.ToString(CultureInfo.InvariantCulture), seconds.ToString(CultureInfo.InvariantCulture));
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        const string Key = "Requests/sec:";
        string? line = output.Split('\n').FirstOrDefault(static line => line.StartsWith(Key, StringComparison.Ordinal));
        if (line is null || output.Contains("Socket errors", StringComparison.Ordinal) || output.Contains("Non-2xx", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"The load on {url} failed:{Environment.NewLine}{output}");
        }

        double perSecond = double.Parse(line[Key.Length..], CultureInfo.InvariantCulture);
        requests = perSecond * seconds;
        return perSecond;
    }

    /// <summary>The process of our own driver.</summary>
    public static async Task<int> RunAsync(string url, int connections, int seconds)
    {
        Uri target = new(url);
        byte[] request = Encoding.ASCII.GetBytes($"GET {target.AbsolutePath} HTTP/1.1\r\nHost: {target.Authority}\r\n\r\n");
        long begun = Stopwatch.GetTimestamp();
        long[] counts = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Connection(target, request, begun, seconds)));
        double took = Stopwatch.GetElapsedTime(begun).TotalSeconds;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Requests/sec: {counts.Sum() / took:0.00}"));
        return 0;
    }

    private static async Task<long> Connection(Uri target, byte[] request, long begun, int seconds)
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Parse(target.Host), target.Port);
        byte[] buffer = new byte[64 << 10];
        long count = 0;
        while (Stopwatch.GetElapsedTime(begun).TotalSeconds < seconds)
        {
            await socket.SendAsync(request);
            await ReadAnswer(socket, buffer);
            count++;
        }

        return count;
    }

    /// <summary>One answer, of a declared length.</summary>
    private static async Task ReadAnswer(Socket socket, byte[] buffer)
    {
        int have = 0;
        int whole = int.MaxValue;
        while (have < whole)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(have));
            if (read == 0)
            {
                throw new InvalidOperationException("The server closed the connection.");
            }

            have += read;
            int head = buffer.AsSpan(0, have).IndexOf("\r\n\r\n"u8);
            if (head >= 0 && whole == int.MaxValue)
            {
                whole = head + 4 + Length(buffer.AsSpan(0, head));
            }
        }
    }

    private static int Length(ReadOnlySpan<byte> head)
    {
        ReadOnlySpan<byte> key = "Content-Length: "u8;
        int at = head.IndexOf(key);
        return at >= 0 && head.StartsWith("HTTP/1.1 200"u8) && Utf8Parser.TryParse(head[(at + key.Length)..], out int length, out _)
            ? length
            : throw new InvalidOperationException($"An answer of another kind: {Encoding.ASCII.GetString(head)}");
    }
}
