using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Kestrel;

/// <summary>Many clients that send a body at once, faster than the application takes it in: what makes a server's pool grow. In a process of its own.</summary>
internal static class UploadBurst
{
    private const int Body = 1 << 20;

    /// <summary>Sends, and answers the seconds until the last client had its answer.</summary>
    public static double Send(Uri server, int connections)
    {
        using Process process = Process.Start(ThisProgram.Again("kestrel-burst", server.ToString(), connections.ToString(CultureInfo.InvariantCulture)))!;
        string output = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        return process.ExitCode == 0 ? double.Parse(output, CultureInfo.InvariantCulture) : throw new InvalidOperationException($"The burst failed: {output}");
    }

    /// <summary>The burst's own process.</summary>
    public static async Task<int> RunAsync(string url, int connections)
    {
        Uri target = new(url);
        byte[] head = Encoding.ASCII.GetBytes($"POST /upload HTTP/1.1\r\nHost: {target.Authority}\r\nContent-Length: {Body}\r\nConnection: close\r\n\r\n");
        byte[] body = new byte[Body];
        Random.Shared.NextBytes(body);
        long begun = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Client(target, head, body)));
        Console.WriteLine(Stopwatch.GetElapsedTime(begun).TotalSeconds.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    private static async Task Client(Uri target, byte[] head, byte[] body)
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Parse(target.Host), target.Port);
        await socket.SendAsync(head);
        for (int sent = 0; sent < body.Length;)
        {
            sent += await socket.SendAsync(body.AsMemory(sent));
        }

        StringBuilder answer = new();
        byte[] buffer = new byte[1024];
        int read;
        while ((read = await socket.ReceiveAsync(buffer)) != 0)
        {
            answer.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        if (!answer.ToString().StartsWith("HTTP/1.1 200", StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"A client of the burst was answered: {answer}");
        }
    }
}
