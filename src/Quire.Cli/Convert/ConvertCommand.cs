using System.CommandLine;
using Quire.Cli.Traces;
using Quire.Traces;

namespace Quire.Cli.Convert;

/// <summary><c>quire convert</c>: a trace in another format.</summary>
internal static class ConvertCommand
{
    private const string StandardOutput = "-";

    private static readonly string[] s_formats = ["v7", "v6", "jsonl"];

    internal static Command Create()
    {
        Argument<string> input = new("IN") { Description = "A recording (.qring) or a trace.dat, also packed by gzip or zstd; - is standard input." };
        Argument<string> output = new("OUT") { Description = "The file to write; - is standard output, for JSON lines." };
        Option<string?> format = new("--format")
        {
            HelpName = string.Join('|', s_formats),
            Description = "v7 or v6: a trace.dat of that version, for trace-cmd and KernelShark. jsonl: one JSON object an event. Without it, jsonl where OUT ends so, else v7.",
        };
        format.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<string>() is not { } name || !s_formats.Contains(name))
            {
                result.AddError("--format takes v7, v6 or jsonl.");
            }
        });
        Option<bool> force = new("--force") { Description = "Replace OUT where it exists." };
        Command command = new("convert", "Writes a trace in another format: trace.dat, which trace-cmd and KernelShark open, or JSON lines.")
        {
            input,
            output,
            format,
            force,
        };
        command.SetAction(call => Run(call.GetValue(input)!, call.GetValue(output)!, call.GetValue(format), call.GetValue(force)));
        return command;
    }

    private static int Run(string from, string to, string? format, bool force)
    {
        if (to == StandardOutput)
        {
            return format is null or "jsonl"
                ? InputTrace.Read(from, static input =>
                {
                    using Stream output = Console.OpenStandardOutput();
                    TraceConvert.ToJsonLines(input, output);
                    return InputTrace.Right;
                })
                : InputTrace.Fail("a trace.dat can't be written to standard output, only JSON lines.");
        }

        if (Path.Exists(to) && (!force || Directory.Exists(to) || IsSame(from, to)))
        {
            return InputTrace.Fail(
                Directory.Exists(to) ? $"'{to}' is a directory."
                : IsSame(from, to) ? "IN and OUT are the same file."
                : $"'{to}' exists; --force replaces it.");
        }

        if (Path.GetDirectoryName(Path.GetFullPath(to)) is { } folder && !Directory.Exists(folder))
        {
            return InputTrace.Fail($"'{to}' can't be written: there is no folder '{folder}'.");
        }

        format ??= to.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) ? "jsonl" : "v7";
        return InputTrace.Read(from, input =>
        {
            Said(format == "jsonl" ? JsonLines(input, to) : TraceDat(input, to, format == "v6" ? 6 : 7), to);
            return InputTrace.Right;
        });
    }

    private static string TraceDat(TraceInput input, string to, int version)
    {
        TraceConversion done = TraceConvert.ToTraceDat(input, to, version);
        string cut = done.Cut > 0 ? $", {done.Cut:N0} texts or stacks cut to fit" : "";
        string moved = done.TimesMoved > 0 ? $", {done.TimesMoved:N0} times moved on to the event before" : "";
        return $"{done.Events:N0} events, {done.Stacks:N0} with a stack{cut}{moved}, as trace.dat version {version}";
    }

    private static string JsonLines(TraceInput input, string to) => $"{TraceConvert.ToJsonLines(input, to):N0} events as JSON lines";

    // To standard error: a report is what standard output is for.
    private static void Said(string what, string to) => Console.Error.WriteLine($"wrote '{to}': {what}");

    private static bool IsSame(string one, string other) => Path.GetFullPath(one) == Path.GetFullPath(other);
}
