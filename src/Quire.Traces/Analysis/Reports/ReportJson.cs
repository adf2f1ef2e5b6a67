using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Quire.Traces.Analysis;

/// <summary>Reports as data: the same figures as the text. Keys in snake_case, numbers as numbers, times in ns of the trace's clock, what is absent as null.</summary>
public static class ReportJson
{
    /// <summary>Writes a report, indented, with a line feed at the end.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="report">The report.</param>
    public static void Write(TextWriter output, BlameReport report) => WriteLine(output, JsonSerializer.Serialize(report, ReportJsonContext.Readable.BlameReport));

    /// <inheritdoc cref="Write(TextWriter, BlameReport)"/>
    public static void Write(TextWriter output, PageReport report) => WriteLine(output, JsonSerializer.Serialize(report, ReportJsonContext.Readable.PageReport));

    /// <inheritdoc cref="Write(TextWriter, BlameReport)"/>
    public static void Write(TextWriter output, StatReport report) => WriteLine(output, JsonSerializer.Serialize(report, ReportJsonContext.Readable.StatReport));

    /// <inheritdoc cref="Write(TextWriter, BlameReport)"/>
    public static void Write(TextWriter output, HistoryReport report) => WriteLine(output, JsonSerializer.Serialize(report, ReportJsonContext.Readable.HistoryReport));

    private static void WriteLine(TextWriter output, string json)
    {
        ArgumentNullException.ThrowIfNull(output);
        output.Write(json);
        output.Write('\n');
    }
}

[JsonSerializable(typeof(BlameReport))]
[JsonSerializable(typeof(PageReport))]
[JsonSerializable(typeof(StatReport))]
[JsonSerializable(typeof(HistoryReport))]
internal sealed partial class ReportJsonContext : JsonSerializerContext
{
    /// <summary>Indented, snake_case, and with signs in texts left as they are: nobody puts this into a web page.</summary>
    internal static ReportJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        WriteIndented = true,
        NewLine = "\n",
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
