using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Quire.Samples.OtlpExport;

/// <summary>The smallest thing that OTLP can be sent to: takes metrics over HTTP on a free port of this machine, and keeps the last value of each series.</summary>
internal sealed class OtlpReceiver : IDisposable
{
    /// <summary>What must arrive from <see cref="Server"/>: a series of each kind of thing that Quire measures.</summary>
    private static readonly string[] s_expected =
    [
        "quire.pages.in_use{quire.allocator.name=requests}",
        "quire.pages.count{quire.allocator.name=device,quire.page.order=0,quire.page.state=in_use}",
        "quire.pages.pinned_by_fragments{quire.allocator.name=requests}",
        "quire.fragments.out{quire.allocator.name=requests}",
        "quire.memory_pool.rented{quire.memory_pool.name=requests}",
        "quire.memory_pool.pooled{quire.memory_pool.name=requests}",
        "quire.contiguous.attempts{quire.area.name=frames}",
        "quire.contiguous.duration{quire.area.name=frames}",
        "quire.contiguous.migrated{quire.area.name=frames}",
        "quire.ledger.holders{}",
    ];

    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<string, OtlpSeries> _series = [];
    private readonly Task _serving;

    internal OtlpReceiver()
    {
        // A free port may be another's a moment later: then the next.
        while (true)
        {
            using TcpListener probe = new(IPAddress.Loopback, 0);
            probe.Start();
            int port = ((IPEndPoint)probe.LocalEndpoint).Port;
            probe.Stop();
            Endpoint = new Uri($"http://127.0.0.1:{port}/v1/metrics");
            _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                _listener.Start();
                break;
            }
            catch (HttpListenerException)
            {
                _listener.Prefixes.Clear();
            }
        }

        _serving = Serve();
    }

    internal Uri Endpoint { get; }

    /// <summary>Prints what arrived; 0 where all that must was among it.</summary>
    internal int Report(TextWriter output)
    {
        foreach (OtlpSeries series in _series.Values.OrderBy(static series => series.Name, StringComparer.Ordinal))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{series.Value,14:0.######} {series.Unit,-13} {series.Name}"));
        }

        string[] missing = [.. s_expected.Where(name => !(_series.TryGetValue(name, out OtlpSeries? series) && (series.Value > 0 || name.StartsWith("quire.ledger", StringComparison.Ordinal))))];
        output.WriteLine(missing.Length == 0 ? $"received by OTLP: {_series.Count} series, all that were expected among them" : $"missing, or 0: {string.Join(", ", missing)}");
        return missing.Length == 0 ? 0 : 1;
    }

    public void Dispose()
    {
        _listener.Close();
        _serving.Wait();
    }

    private async Task Serve()
    {
        try
        {
            while (true)
            {
                HttpListenerContext request = await _listener.GetContextAsync();
                using MemoryStream body = new();
                await request.Request.InputStream.CopyToAsync(body);
                foreach (OtlpSeries series in OtlpMetrics.Read(body.ToArray()))
                {
                    _series[series.Name] = series;
                }

                request.Response.ContentType = "application/x-protobuf";
                request.Response.Close();
            }
        }
        catch (Exception ended) when (ended is HttpListenerException or ObjectDisposedException)
        {
            // Closed.
        }
    }
}
