using System.CommandLine;
using Quire.Cli.Traces;
using Quire.Traces;
using Quire.Traces.Analysis;

namespace Quire.Cli.Blame;

/// <summary><c>quire blame</c>: who holds what, and because of whom a contiguous allocation failed.</summary>
internal static class BlameCommand
{
    internal static Command Create()
    {
        Argument<string> file = TraceArguments.File();
        Option<ulong?> page = TraceArguments.Page(required: false);
        Option<TimeSpan?> maxAge = TraceArguments.MaxAge();
        Option<int?> attempt = TraceArguments.Attempt();
        Option<long?> at = TraceArguments.At();
        Option<bool> leaks = new("--leaks") { Description = "Ask for references that are not given back, by the stack that takes them, rather than for contiguous allocations." };
        Option<bool> json = TraceArguments.Json();
        Option<bool> all = new("--all") { Description = "Fold nothing: every site, every holder, every failed attempt, whole stacks." };
        Command command = new(
            "blame",
            """
            Says who holds pages at the end of a trace, and which contiguous allocations failed because of whom.

            Status 0: nothing is held against the rules. 1: something is. 2: the input or the call is wrong. The rules:
              failed_attempt  a contiguous allocation ended busy: pages were held that had to move
              short_pin       a short pin is held at the end for longer than the 100 ms it promised (recordings of Quire only)
              max_age         with --max-age: anything is held at the end for longer, but for what pages have by design
              leak            with --leaks, of a kernel's trace: a stack gives back less than it takes
            With --json an error is a line on standard error as without it, and nothing on standard output.
            Being held at the end is no offence by itself: a recording may end while its process goes on.
            """)
        {
            file,
            page,
            attempt,
            at,
            leaks,
            maxAge,
            json,
            all,
        };
        command.Validators.Add(result =>
        {
            // Whether they stand there, not what they say: that may be wrong as well.
            bool hasLeaks = result.GetResult(leaks) is { Implicit: false };
            if (result.GetResult(page) is not null && (result.GetResult(attempt) is not null || hasLeaks))
            {
                result.AddError("--page asks about one page: it does not go with --attempt or --leaks.");
            }
            else if (result.GetResult(attempt) is not null && hasLeaks)
            {
                result.AddError("--attempt and --leaks are two questions: ask one.");
            }
        });
        command.SetAction(call => Run(
            call.GetValue(file)!,
            call.GetValue(page),
            new BlameOptions
            {
                MaxAge = call.GetValue(maxAge),
                All = call.GetValue(all),
                Attempt = call.GetValue(attempt),
                AtNs = call.GetValue(at),
                Leaks = call.GetValue(leaks),
            },
            call.GetValue(json)));
        return command;
    }

    private static int Run(string path, ulong? page, BlameOptions options, bool json) => InputTrace.Read(path, input =>
    {
        if (page is { } pfn)
        {
            PageReport one = Reading(path, progress => TraceAnalysis.Page(input, pfn, options with { Progress = progress }));
            if (json)
            {
                ReportJson.Write(Console.Out, one);
            }
            else
            {
                ReportText.Write(Console.Out, one, options.All);
            }

            return one.AgainstTheRules.Count > 0 ? InputTrace.Against : InputTrace.Right;
        }

        BlameReport report = Reading(path, progress => TraceAnalysis.Blame(input, options with { Progress = progress }));
        if (report.Source is { IsKernel: true, Events: 0 })
        {
            return InputTrace.Fail($"'{path}' has no event{(report.DataQuality.GetValueOrDefault(TraceCounter.Truncated) > 0 ? ": the file ends before the first" : "")}.");
        }

        if (options.Attempt is { } number && report.Attempts.Count == 0)
        {
            return InputTrace.Fail($"there is no contiguous allocation {number} in '{path}'; 'quire stat' counts them.");
        }

        if (json)
        {
            ReportJson.Write(Console.Out, report);
        }
        else
        {
            ReportText.Write(Console.Out, report, options.All || options.Attempt is not null);
        }

        return report.AgainstTheRules.Count > 0 ? InputTrace.Against : InputTrace.Right;
    });

    private static T Reading<T>(string path, Func<IProgress<long>, T> read)
    {
        using TerminalProgress progress = new(path);
        return read(progress);
    }
}
