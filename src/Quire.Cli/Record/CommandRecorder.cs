using System.ComponentModel;
using System.Diagnostics;

namespace Quire.Cli.Record;

/// <summary>Records a command from its first allocator to its end: starts it with the settings in its environment.</summary>
/// <remarks>Its input, output and error streams are this command's own. Ctrl+C reaches it too, as it does every process of the terminal; here it is only waited for.</remarks>
internal static class CommandRecorder
{
    /// <summary>Runs the command to its end.</summary>
    /// <exception cref="RecordException">Nothing was recorded; says why.</exception>
    internal static RecordResult Run(IReadOnlyList<string> command, RecordRequest request, CancellationToken end)
    {
        ProcessStartInfo start = new(command[0], command.Skip(1));
        foreach (string key in TracingSettings.Keys)
        {
            // Also what an outer call may have set.
            start.Environment.Remove(TracingSettings.EnvironmentName(key));
        }

        foreach ((string key, string text) in request.Settings())
        {
            start.Environment[TracingSettings.EnvironmentName(key)] = text;
        }

        DateTime before = File.Exists(request.Path) ? File.GetLastWriteTimeUtc(request.Path) : DateTime.MinValue;
        Stopwatch ran = Stopwatch.StartNew();
        int status = Wait(start, end);
        if (!File.Exists(request.Path) || (request.Force && File.GetLastWriteTimeUtc(request.Path) == before))
        {
            throw new RecordException($"'{command[0]}' ended with status {status} and recorded nothing: it has no Quire, made no page allocator, or could not write {request.Path}.");
        }

        return new RecordResult(request.Path, 0, 0, ran.Elapsed, status == 0 ? [] : [$"'{command[0]}' ended with status {status}"]);
    }

    private static int Wait(ProcessStartInfo start, CancellationToken end)
    {
        try
        {
            using Process process = Process.Start(start) ?? throw new RecordException($"'{start.FileName}' could not be started.");
            using CancellationTokenRegistration onEnd = end.Register(() => Terminate(process));
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (Win32Exception failed)
        {
            throw new RecordException($"'{start.FileName}' could not be started: {failed.Message}");
        }
    }

    /// <summary>Asks it to end in order, where only this command was asked; a second Ctrl+C ends this command, and the terminal's other processes with it.</summary>
    private static void Terminate(Process process)
    {
        try
        {
            if (!OperatingSystem.IsWindows() && !process.HasExited)
            {
                using Process? kill = Process.Start("kill", ["-TERM", $"{process.Id}"]);
                kill?.WaitForExit();
            }
        }
        catch (Exception gone) when (gone is InvalidOperationException or Win32Exception)
        {
            // It has ended meanwhile.
        }
    }
}
