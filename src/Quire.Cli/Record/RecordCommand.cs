using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Quire.Traces;

namespace Quire.Cli.Record;

/// <summary><c>quire record</c>: records a process that runs, or a command from its start.</summary>
internal static class RecordCommand
{
    /// <summary>With the file's default of 256 MiB, rings for 60 threads, each with the last 43,000 events.</summary>
    private const string DefaultBuffer = "4M";

    internal static Command Create()
    {
        Option<int?> process = new("--process", "-p") { Description = "The process to record, by its number.", HelpName = "PID", CustomParser = ParseProcess };
        Option<TimeSpan?> duration = new("--duration")
        {
            Description = "How long a running process is recorded: 500ms, 10s, 5m, 1h. Otherwise until Ctrl+C, or its end.",
            HelpName = "TIME",
            CustomParser = ParseDuration,
        };
        Option<FileInfo> output = new("--output", "-o") { Description = "The file. A name that ends in .dat makes a trace.dat of the recording, one in .jsonl JSON lines.", HelpName = "FILE", Required = true };
        Option<bool> stacks = new("--stacks") { Description = "Record whole stacks, not call sites alone." };
        Option<int> sample = new("--sample") { Description = "Record one reference in N.", HelpName = "N", DefaultValueFactory = static _ => 1, CustomParser = ParseSample };
        Option<string?> filter = new("--filter") { Description = "Record some references only: 'page=0x100-0x1ff size>=4096 site=Parser.cs:141 site~retry'. Terms of one kind are alternatives, kinds are combined by and.", HelpName = "TERMS" };
        Option<string?> buffer = new("--buffer") { Description = "Bytes of each thread's ring; an event takes 96. 4M if neither this nor --maximum is said.", HelpName = "SIZE" };
        Option<string?> maximum = new("--maximum") { Description = "Most bytes of the file. 256M if nothing is said.", HelpName = "SIZE" };
        Option<string?> overflow = new("--overflow") { Description = "What a full ring does: oldest (the oldest events give way), stop (the first are kept).", HelpName = "oldest|stop" };
        Option<bool> force = new("--force") { Description = "Replace the file if it exists." };
        Argument<string[]> command = new("command") { Description = "The command to record, behind --, with its arguments.", Arity = ArgumentArity.ZeroOrMore };
        Command record = new("record", "Records what happens to the pages of a process, for quire blame, history and stat.")
        {
            process, duration, output, stacks, sample, filter, buffer, maximum, overflow, force, command,
        };
        record.SetAction(call => Run(
            call.GetValue(process),
            call.GetValue(command) ?? [],
            call.GetValue(output)!.FullName,
            new RecordRequest
            {
                Path = "",
                Duration = call.GetValue(duration),
                Stacks = call.GetValue(stacks),
                Sample = call.GetValue(sample),
                Filter = call.GetValue(filter),
                Buffer = call.GetValue(buffer) ?? (call.GetValue(maximum) is null ? DefaultBuffer : null),
                Maximum = call.GetValue(maximum),
                Overflow = call.GetValue(overflow),
                Force = call.GetValue(force),
            }));
        return record;
    }

    private static int Run(int? process, string[] command, string output, RecordRequest request)
    {
        try
        {
            bool isConverted = IsOtherFormat(output);
            request = request with { Path = isConverted ? $"{output}.qring" : output };
            Check(process, command, output, request, isConverted);
            RecordResult result = Record(process, command, request);
            return Report(result, output, request, isConverted);
        }
        catch (RecordException failed)
        {
            Console.Error.WriteLine($"quire record: {failed.Message}");
            return 2;
        }
    }

    private static void Check(int? process, string[] command, string output, RecordRequest request, bool isConverted)
    {
        if (process is null == (command.Length == 0))
        {
            throw new RecordException("say what to record: either --process PID, or -- and a command.");
        }

        if (command.Length > 0 && request.Duration is not null)
        {
            throw new RecordException("--duration is for --process; a command is recorded to its end.");
        }

        if (isConverted && !request.Force && File.Exists(output))
        {
            throw new RecordException($"{output} exists; --force replaces it.");
        }

        request.Check();
    }

    private static RecordResult Record(int? process, string[] command, RecordRequest request)
    {
        using Interruption interruption = new();
        if (command.Length > 0)
        {
            return CommandRecorder.Run(command, request, interruption.Token);
        }

        using ProgressLine progress = new();
        using ProcessRecorder recorder = new(process!.Value, request, progress.Show);
        return recorder.Run(interruption.Token);
    }

    private static int Report(RecordResult result, string output, RecordRequest request, bool isConverted)
    {
        // The file knows best, also where the process was killed. A process in a container names a file that is not to be seen from here: then what it said counts.
        RecordingFile? file = RecordingFile.TryRead(result.Path);
        long events = file?.Events ?? result.Events;
        long lost = file?.Lost ?? result.Lost;
        TimeSpan span = file?.Span ?? result.Span;
        string shown = Path.GetRelativePath(Environment.CurrentDirectory, output);
        shown = shown.StartsWith("..", StringComparison.Ordinal) ? output : shown;
        string threads = file is null ? "" : $" of {file.Threads:N0} {(file.Threads == 1 ? "thread" : "threads")}";
        Console.Out.WriteLine($"recorded {shown}: {events:N0} {(events == 1 ? "event" : "events")}{threads} in {span.TotalSeconds:0.0##} s, {lost:N0} lost");
        if (request.Sample > 1)
        {
            Console.Out.WriteLine($"sampled: one reference in {request.Sample:N0}");
        }

        if (lost > 0)
        {
            Console.Out.WriteLine("what was lost is counted in the file; --buffer makes the rings larger, --sample and --filter the events fewer");
        }

        if (file is { IsStopped: false })
        {
            Console.Out.WriteLine("the process ended without stopping the recording: its events are there up to the last one, who held what at its end is not");
        }

        foreach (string remark in result.Remarks)
        {
            Console.Out.WriteLine(remark);
        }

        if (isConverted)
        {
            Convert(result.Path, output);
        }

        if (IsJsonLines(output))
        {
            // They are for other programs: quire does not read them.
            return 0;
        }

        Console.Out.WriteLine($"next: quire blame {(shown.Contains(' ', StringComparison.Ordinal) ? $"'{shown}'" : shown)}");
        return 0;
    }

    /// <summary>Makes the file asked for of the recording, which goes then; where that fails the recording stays.</summary>
    private static void Convert(string recording, string output)
    {
        try
        {
            using (TraceInput input = TraceInput.Open(recording))
            {
                if (IsJsonLines(output))
                {
                    TraceConvert.ToJsonLines(input, output);
                }
                else
                {
                    TraceConvert.ToTraceDat(input, output);
                }
            }

            File.Delete(recording);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new RecordException($"{output} could not be made of the recording, which is {recording}: {failed.Message}");
        }
    }

    private static bool IsJsonLines(string output) => Path.GetExtension(output).Equals(".jsonl", StringComparison.OrdinalIgnoreCase);

    private static bool IsOtherFormat(string output) => IsJsonLines(output) || Path.GetExtension(output).Equals(".dat", StringComparison.OrdinalIgnoreCase);

    private static int? ParseProcess(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int process) && process > 0)
        {
            return process;
        }

        result.AddError($"--process takes the number of a process, not '{text}'.");
        return null;
    }

    private static int ParseSample(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int sample) && sample is >= 1 and <= TraceAdmission.MaximumSampleEvery)
        {
            return sample;
        }

        result.AddError($"--sample takes a whole number from 1 to {TraceAdmission.MaximumSampleEvery}, not '{text}'.");
        return 0;
    }

    private static TimeSpan? ParseDuration(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        string number = text.TrimEnd('m', 's', 'h');
        double factor = text[number.Length..] switch { "ms" => 0.001, "" or "s" => 1, "m" => 60, "h" => 3600, _ => 0 };
        if (factor > 0
            && double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
            && value * factor is >= 0.001 and <= 365 * 86400.0)
        {
            return TimeSpan.FromSeconds(value * factor);
        }

        result.AddError($"--duration takes a time such as 500ms, 10s, 5m or 1h, and '{text}' is none.");
        return null;
    }
}
