namespace Quire.Cli.Record;

/// <summary>What was recorded.</summary>
/// <param name="Path">The file, as the recording process names it.</param>
/// <param name="Events">Events written, those overwritten since included.</param>
/// <param name="Lost">Events that are not in the file.</param>
/// <param name="Span">From the recording's beginning to its end.</param>
/// <param name="Remarks">What else is to be known: how the process ended, what could not be written.</param>
internal sealed record RecordResult(string Path, long Events, long Lost, TimeSpan Span, IReadOnlyList<string> Remarks);
