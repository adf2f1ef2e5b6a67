using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Quire.Cli.Demo;

/// <summary>What the demo saw. The text and the JSON have the same figures.</summary>
internal sealed record DemoReport
{
    public required double Seconds { get; init; }
    public required long Datagrams { get; init; }
    public required long Bytes { get; init; }
    public required long DatagramsForwarded { get; init; }
    public required long DatagramsVerified { get; init; }
    public required long DatagramsDropped { get; init; }
    public required long PayloadsNotKept { get; init; }
    public required long Fragments { get; init; }
    public required long ReferencesTaken { get; init; }
    public required long ReferencesDropped { get; init; }
    public required double GcBytesPerDatagram { get; init; }
    public required long PagesMigrated { get; init; }
    public required int PayloadsDamaged { get; init; }
    public required DemoAttempt? FirstAttempt { get; init; }
    public required DemoAttempt? SecondAttempt { get; init; }
    public required long PagesHeldAtEnd { get; init; }

    /// <summary>What did not happen as it should; empty where all did.</summary>
    public required IReadOnlyList<string> Faults { get; init; }

    internal string ToJson() => JsonSerializer.Serialize(this, DemoJson.Readable.DemoReport);

    internal void Print(TextWriter output)
    {
        output.WriteLine();
        output.WriteLine($"datagrams            {Datagrams:N0} received, {DatagramsForwarded:N0} forwarded, {DatagramsVerified:N0} verified, {DatagramsDropped:N0} dropped; {PayloadsNotKept:N0} payloads not kept while their memory was being taken back");
        output.WriteLine($"bytes                {Bytes:N0}");
        output.WriteLine($"fragments            {Fragments:N0}");
        output.WriteLine($"references           {ReferencesTaken:N0} taken, {ReferencesDropped:N0} dropped");
        output.WriteLine($"pages migrated       {PagesMigrated:N0}, payloads damaged: {PayloadsDamaged}");
        output.WriteLine($"GC bytes a datagram  {GcBytesPerDatagram:F2}");
        output.WriteLine($"pages held at end    {PagesHeldAtEnd}");
        foreach (string fault in Faults)
        {
            output.WriteLine($"FAULT: {fault}");
        }
    }
}

/// <summary>One contiguous allocation.</summary>
internal sealed record DemoAttempt(string Result, int Pages, double Milliseconds, string? Verdict, IReadOnlyList<DemoBusyPage> BusyPages)
{
    internal static DemoAttempt Of(ContiguousFailure failure) => new(
        failure.Kind.ToString().ToLowerInvariant(),
        failure.Pages,
        failure.Duration.TotalMilliseconds,
        failure.ToString(),
        [.. failure.BusyPages.Select(DemoBusyPage.Of)]);
}

/// <summary>A page that would not move.</summary>
internal sealed record DemoBusyPage(uint Pfn, int Count, int Expected, string Reason, IReadOnlyList<DemoHolder> Holders, int Unattributed)
{
    internal static DemoBusyPage Of(BusyPage page) =>
        new(page.FrameNumber, page.Count, page.ExpectedCount, page.Reason.ToString(), [.. page.Blocking.Select(DemoHolder.Of)], page.Untracked);
}

/// <summary>Who held it.</summary>
internal sealed record DemoHolder(int References, string Kind, string File, int Line, string Member, string Thread, double AgeMilliseconds)
{
    internal static DemoHolder Of(Holder holder) => new(
        holder.References,
        holder.Kind.ToString(),
        holder.Taken.Site.File,
        holder.Taken.Site.Line,
        holder.Taken.Site.Member,
        holder.Taken.Thread,
        holder.Taken.Age.TotalMilliseconds);
}

[JsonSerializable(typeof(DemoReport))]
internal sealed partial class DemoJson : JsonSerializerContext
{
    /// <summary>Indented, snake_case, and with quotes in texts left as they are: nobody puts this into a web page.</summary>
    internal static DemoJson Readable { get; } = new(new JsonSerializerOptions
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
