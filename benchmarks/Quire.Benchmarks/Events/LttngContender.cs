using System.Diagnostics;
using System.Globalization;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Events;

/// <summary>LTTng's tracepoints in a C program that runs beside this process, asleep between its turns.</summary>
/// <remarks>The program and the session's script are in <c>benchmarks/Lttng</c>; the program is compiled here, since its library is the machine's.</remarks>
internal sealed class LttngContender : Contender, IDisposable
{
    public const string PeerName = "LTTng-UST, no stacks";

    private static readonly string s_sources = Path.Combine(AppContext.BaseDirectory, "Lttng");

    private readonly string _folder;
    private readonly string _session;
    private Process? _program;
    private long _preempted;

    private LttngContender(string folder)
        : base(PeerName, ContenderRole.Peer)
    {
        _folder = folder;
        _session = $"quire-bench-{Environment.ProcessId}";
    }

    protected override long PreemptionsElsewhere => _preempted;

    /// <summary>Compiles and starts the program with its session.</summary>
    /// <param name="folder">For what is built and recorded.</param>
    /// <param name="absent">One line that says what is missing, where null is returned.</param>
    public static LttngContender? TryStart(string folder, out string absent)
    {
        LttngContender contender = new(folder);
        absent = "";
        try
        {
            string program = Path.Combine(folder, "references");
            Run("gcc", ["-O2", "-I", s_sources, "-o", program, Path.Combine(s_sources, "references.c"), "-llttng-ust", "-ldl"]);
            Run("sh", [Path.Combine(s_sources, "session.sh"), "start", contender._session, folder]);
            contender._program = Process.Start(new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true });
            if (contender.Ask() == "ready")
            {
                return contender;
            }

            absent = $"{PeerName}: ABSENT, its program does not run";
        }
        catch (InvalidOperationException failure)
        {
            absent = $"{PeerName}: ABSENT, {failure.Message} (Debian: gcc libc6-dev lttng-tools liblttng-ust-dev)";
        }

        contender.Dispose();
        return null;
    }

    public void Dispose()
    {
        if (_program is not null)
        {
            _program.StandardInput.Close();
            if (!_program.WaitForExit(TimeSpan.FromSeconds(5)))
            {
                _program.Kill();
            }

            _program.Dispose();
            _program = null;
        }

        try
        {
            Run("sh", [Path.Combine(s_sources, "session.sh"), "stop", _session, _folder]);
        }
        catch (InvalidOperationException failure)
        {
            Console.Error.WriteLine($"LTTng's session {_session} was not stopped: {failure.Message}");
        }
    }

    protected override double Turn(int operations)
    {
        _program!.StandardInput.WriteLine(operations.ToString(CultureInfo.InvariantCulture));
        _program.StandardInput.Flush();
        if (Ask()?.Split(' ') is not [string nanoseconds, string preempted])
        {
            throw new InvalidOperationException("LTTng's program gave no answer");
        }

        _preempted = long.Parse(preempted, CultureInfo.InvariantCulture);
        return double.Parse(nanoseconds, CultureInfo.InvariantCulture);
    }

    private string? Ask() => _program!.StandardOutput.ReadLine();

    private static void Run(string program, string[] arguments)
    {
        using Process process = Start(program, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string[] errors = process.StandardError.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} failed: {errors.FirstOrDefault() ?? output.Result.Split('\n')[0]}");
        }
    }

    private static Process Start(string program, string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new InvalidOperationException($"{program} is not here");
        }
    }
}
