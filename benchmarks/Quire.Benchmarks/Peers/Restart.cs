using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Quire.Benchmarks.Peers;

/// <summary>
/// Replaces this process by itself with more room for the thread-local variables of libraries loaded late, which jemalloc needs.
/// </summary>
/// <remarks>The process keeps its number, its streams and its arguments, so whoever started it notices nothing.</remarks>
internal static unsafe partial class Restart
{
    public const string Setting = "GLIBC_TUNABLES=" + Tunable;

    private const string Variable = "GLIBC_TUNABLES";
    private const string Tunable = "glibc.rtld.optional_static_tls=16384";

    /// <summary>Whether this process was started with the setting, by us or by the user.</summary>
    public static bool IsSet =>
        Environment.GetEnvironmentVariable(Variable)?.Contains("glibc.rtld.optional_static_tls", StringComparison.Ordinal) == true;

    /// <summary>Does not return if it succeeds.</summary>
    [SupportedOSPlatform("linux")]
    public static void Try()
    {
        // The managed environment is a copy that the new program would not see: set the C library's own.
        string? before = Environment.GetEnvironmentVariable(Variable);
        if (SetEnvironment(Variable, string.IsNullOrEmpty(before) ? Tunable : $"{before}:{Tunable}", 1) != 0)
        {
            return;
        }

        byte[] line = File.ReadAllBytes("/proc/self/cmdline");
        fixed (byte* text = line)
        {
            // The arguments stand there one after the other, each ended by a zero; the list of them ends by a null.
            byte** arguments = stackalloc byte*[line.AsSpan().Count((byte)0) + 1];
            int count = 0;
            for (int start = 0; start < line.Length; start += line.AsSpan(start).IndexOf((byte)0) + 1)
            {
                arguments[count++] = text + start;
            }

            arguments[count] = null;
            ForgetDiagnosticsPort();
            _ = Execute("/proc/self/exe", arguments);
        }
    }

    /// <summary>
    /// The new program's runtime opens its diagnostics port under the same name, since that is made of the process's number and start, and does not replace
    /// what the old one left there: without this nobody could reach it, the rows with EventPipe included.
    /// </summary>
    private static void ForgetDiagnosticsPort()
    {
        foreach (string port in Directory.EnumerateFiles(Path.GetTempPath(), $"dotnet-diagnostic-{Environment.ProcessId}-*-socket"))
        {
            File.Delete(port);
        }
    }

    [SupportedOSPlatform("linux")]
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);

    [SupportedOSPlatform("linux")]
    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, byte** arguments);
}
