using System.Diagnostics;
using System.Globalization;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Kestrel;

/// <summary>One server under measurement, seen from outside: its address, and its resident memory as the system counts it.</summary>
internal sealed class ChildServer : IDisposable
{
    private readonly Process _process;

    private ChildServer(string pool, Process process, Uri address, string collector)
    {
        Pool = pool;
        _process = process;
        Address = address;
        Collector = collector;
    }

    public string Pool { get; }

    public Uri Address { get; }

    /// <summary>Which garbage collector it found itself with.</summary>
    public string Collector { get; }

    public double ResidentMb => Status("VmRSS:");

    /// <summary>The most that it ever had.</summary>
    public double PeakMb => Status("VmHWM:");

    /// <summary>Processor time of the server until now: what a request costs can be told from it on a busy machine too.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public static ChildServer Start(string pool)
    {
        ProcessStartInfo start = ThisProgram.Again("kestrel-server", pool);
        start.RedirectStandardInput = true;

        // What a project of the web SDK has without being asked; the benchmarks' own project has the other.
        start.Environment["DOTNET_gcServer"] = "1";
        Process process = Process.Start(start)!;
        string[] words = (process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"The server with pool '{pool}' did not start.")).Split(' ');
        return new ChildServer(pool, process, new Uri(words[0]), words[1]);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(10)))
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private double Status(string key)
    {
        string line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{_process.Id}/status")).First(line => line.StartsWith(key, StringComparison.Ordinal));
        return long.Parse(line[key.Length..^"kB".Length].Trim(), CultureInfo.InvariantCulture) * 1024 / 1e6;
    }
}
