using System.Diagnostics;

namespace Quire.Benchmarks.Traces;

/// <summary>What one run of a program took.</summary>
/// <param name="Seconds">From its start to its end.</param>
/// <param name="PeakBytes">The most memory it had at once.</param>
/// <param name="Status">Its exit status.</param>
internal readonly record struct ProcessCost(double Seconds, long PeakBytes, int Status);

/// <summary>Runs a program, its output thrown away, and says what it took. For Linux.</summary>
/// <remarks>
/// The peak is the kernel's own count of the process (VmHWM in <c>/proc/PID/status</c>), read until the process is gone: it only grows, and the last reading is a few
/// hundred microseconds old.
/// </remarks>
internal static class MeasuredProcess
{
    public static ProcessCost Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new("/bin/sh", ["-c", "exec \"$0\" \"$@\" >/dev/null 2>&1", program, .. arguments]);
        long begin = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        string status = $"/proc/{process.Id}/status";
        long peak = 0;
        while (!process.WaitForExit(TimeSpan.FromMilliseconds(peak == 0 ? 1 : 10)))
        {
            peak = Math.Max(peak, Peak(status));
        }

        return new ProcessCost(Stopwatch.GetElapsedTime(begin).TotalSeconds, peak, process.ExitCode);
    }

    private static long Peak(string status)
    {
        try
        {
            foreach (string line in File.ReadLines(status))
            {
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal) && long.TryParse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), out long kilobytes))
                {
                    return kilobytes << 10;
                }
            }
        }
        catch (IOException)
        {
            // It has ended.
        }

        return 0;
    }
}
