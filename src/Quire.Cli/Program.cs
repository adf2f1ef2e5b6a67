using System.CommandLine;
using Quire.Cli.Blame;
using Quire.Cli.Convert;
using Quire.Cli.Demo;
using Quire.Cli.History;
using Quire.Cli.Record;
using Quire.Cli.Stat;

// quire: exit status 0 nothing held against the rules, 1 something is, 2 the input or the call is wrong.
RootCommand root = new("Quire: reference-counted page memory, and who still holds a page.")
{
    DemoCommand.Create(),
    RecordCommand.Create(),
    BlameCommand.Create(),
    HistoryCommand.Create(),
    StatCommand.Create(),
    ConvertCommand.Create(),
};

ParseResult call = root.Parse(args);
if (call.Errors.Count > 0)
{
    string what = call.UnmatchedTokens.Count > 0 ? $"'{call.UnmatchedTokens[0]}' is no command or option here." : call.Errors[0].Message;
    Console.Error.WriteLine($"quire: {what} Try 'quire {(call.CommandResult.Command is RootCommand ? "" : $"{call.CommandResult.Command.Name} ")}--help'.");
    return 2;
}

return call.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = true });
