using System.CommandLine;
using Quire.Cli.Traces;
using Quire.Traces.Analysis;

namespace Quire.Cli.History;

/// <summary><c>quire history</c>: one page's life, event by event.</summary>
internal static class HistoryCommand
{
    internal static Command Create()
    {
        Argument<string> file = TraceArguments.File();
        Option<ulong?> page = TraceArguments.Page(required: true);
        Option<bool> stacks = new("--stacks") { Description = "Show the frames of each event." };
        Option<bool> json = TraceArguments.Json();
        Command command = new("history", "Shows every event of one page: time, thread, count, what happened, from where. Generations stand apart.")
        {
            file,
            page,
            stacks,
            json,
        };
        command.SetAction(call => Run(call.GetValue(file)!, call.GetValue(page) ?? 0, call.GetValue(stacks), call.GetValue(json)));
        return command;
    }

    private static int Run(string path, ulong pfn, bool stacks, bool json) => InputTrace.Read(path, input =>
    {
        HistoryReport report;
        using (TerminalProgress progress = new(path))
        {
            report = TraceAnalysis.History(input, pfn, progress);
        }

        if (json)
        {
            ReportJson.Write(Console.Out, report);
        }
        else
        {
            ReportText.Write(Console.Out, report, stacks);
        }

        return InputTrace.Right;
    });
}
