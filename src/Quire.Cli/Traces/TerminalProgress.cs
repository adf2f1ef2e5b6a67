using System.Diagnostics;

namespace Quire.Cli.Traces;

/// <summary>Says on a terminal how far a long reading is; where standard error is no terminal, nothing.</summary>
internal sealed class TerminalProgress : IProgress<long>, IDisposable
{
    private const int QuietMilliseconds = 500;
    private const int StepMilliseconds = 100;

    private readonly string _what;
    private readonly bool _isTerminal = !Console.IsErrorRedirected;
    private readonly long _begin = Stopwatch.GetTimestamp();
    private double _said;
    private int _width;

    /// <param name="what">What is read.</param>
    internal TerminalProgress(string what) => _what = what;

    public void Report(long value)
    {
        double now = Stopwatch.GetElapsedTime(_begin).TotalMilliseconds;
        if (!_isTerminal || now < QuietMilliseconds || now - _said < StepMilliseconds)
        {
            return;
        }

        _said = now;
        string line = $"reading {_what}: {value:N0} events";
        Console.Error.Write($"\r{line.PadRight(_width)}");
        _width = line.Length;
    }

    /// <summary>Takes the line away again.</summary>
    public void Dispose()
    {
        if (_width > 0)
        {
            Console.Error.Write($"\r{new string(' ', _width)}\r");
        }
    }
}
