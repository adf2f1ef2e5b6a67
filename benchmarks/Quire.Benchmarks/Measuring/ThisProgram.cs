using System.Diagnostics;

namespace Quire.Benchmarks.Measuring;

/// <summary>The benchmarks as a program, for what is measured in a process of its own.</summary>
internal static class ThisProgram
{
    /// <summary>This program once more, with other arguments; its output is the caller's to read.</summary>
    public static ProcessStartInfo Again(params string[] arguments)
    {
        string program = Environment.ProcessPath!;
        bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new ProcessStartInfo(program, isHost ? [typeof(ThisProgram).Assembly.Location, .. arguments] : arguments) { RedirectStandardOutput = true };
    }
}
