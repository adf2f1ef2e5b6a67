using System.CommandLine;

namespace Quire.Cli.Demo;

/// <summary><c>quire demo</c>: the main job on real traffic.</summary>
internal static class DemoCommand
{
    internal static Command Create()
    {
        Option<double> seconds = new("--seconds")
        {
            Description = "How long datagrams flow, 1 to 3600.",
            DefaultValueFactory = static _ => 3,
        };
        seconds.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<double>() is not (>= 1 and <= 3600))
            {
                result.AddError("--seconds takes a number from 1 to 3600.");
            }
        });
        Option<FileInfo?> record = new("--record") { Description = "Record the run to this file, with stacks, for 'quire blame' and 'quire convert'. A file that is there is replaced." };
        Option<bool> json = new("--json") { Description = "Print the report as data." };
        Command command = new("demo", "Relays datagrams through page fragments, has a contiguous allocation fail because a page is pinned, says by whom, and has it succeed.")
        {
            seconds,
            record,
            json,
        };
        command.SetAction(call => Run(TimeSpan.FromSeconds(call.GetValue(seconds)), call.GetValue(record), call.GetValue(json)));
        return command;
    }

    private static int Run(TimeSpan length, FileInfo? record, bool json)
    {
        if (record?.Directory is { Exists: false } folder)
        {
            Console.Error.WriteLine($"quire demo: '{record}' can't be recorded to: there is no folder '{folder.FullName}'.");
            return 2;
        }

        TextWriter progress = json ? TextWriter.Null : Console.Out;
        DemoReport report;
        string recorded = "";
        try
        {
            using DemoRecording? recording = record is null ? null : new DemoRecording(record);
            report = new DemoRun(length, progress).Run();
            recorded = recording?.End() ?? "";
        }
        catch (Exception cannot) when (cannot is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            Console.Error.WriteLine($"quire demo: {cannot.Message}");
            return 2;
        }

        if (json)
        {
            Console.Out.WriteLine(report.ToJson());
        }
        else
        {
            report.Print(Console.Out);
            Console.Out.Write(recorded);
        }

        return report.Faults.Count == 0 ? 0 : 1;
    }
}
