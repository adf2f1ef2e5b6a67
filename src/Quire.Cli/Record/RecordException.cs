namespace Quire.Cli.Record;

/// <summary>Nothing could be recorded: one line that says what and where.</summary>
internal sealed class RecordException(string message) : Exception(message);
