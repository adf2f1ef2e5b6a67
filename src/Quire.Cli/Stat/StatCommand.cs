using System.CommandLine;
using Quire.Cli.Traces;
using Quire.Traces.Analysis;

namespace Quire.Cli.Stat;

/// <summary><c>quire stat</c>: what a trace holds.</summary>
internal static class StatCommand
{
    internal static Command Create()
    {
        Argument<string> file = TraceArguments.File();
        Option<bool> json = TraceArguments.Json();
        Command command = new("stat", "Counts a trace's events by name, its threads, pages and contiguous allocations, and what was lost.")
        {
            file,
            json,
        };
        command.SetAction(call => Run(call.GetValue(file)!, call.GetValue(json)));
        return command;
    }

    private static int Run(string path, bool json) => InputTrace.Read(path, input =>
    {
        StatReport report;
        using (TerminalProgress progress = new(path))
        {
            report = TraceAnalysis.Stat(input, progress);
        }

        if (json)
        {
            ReportJson.Write(Console.Out, report);
        }
        else
        {
            ReportText.Write(Console.Out, report);
        }

        return InputTrace.Right;
    });
}
