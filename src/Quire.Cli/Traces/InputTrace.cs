using Quire.Traces;

namespace Quire.Cli.Traces;

/// <summary>Opens a trace for a command, and turns what goes wrong into one line and status 2.</summary>
internal static class InputTrace
{
    internal const int Right = 0;
    internal const int Against = 1;
    internal const int Wrong = 2;

    /// <summary>Calls <paramref name="answer"/> with the opened trace; its status is the command's.</summary>
    internal static int Read(string path, Func<TraceInput, int> answer)
    {
        try
        {
            using TraceInput input = TraceInput.Open(path);
            return answer(input);
        }
        catch (TraceMomentException failure)
        {
            return Fail($"{path}: {failure.Message}");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return Fail(Directory.Exists(path) ? $"'{path}' is a directory." : path == "-" || File.Exists(path) ? failure.Message : $"there is no file '{path}'.");
        }
    }

    /// <summary>Says in one line what is wrong.</summary>
    internal static int Fail(string what)
    {
        Console.Error.WriteLine($"quire: {what.ReplaceLineEndings(" ")}");
        return Wrong;
    }
}
