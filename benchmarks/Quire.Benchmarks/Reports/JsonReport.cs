using System.Text.Json;
using Quire.Benchmarks.Measuring;

namespace Quire.Benchmarks.Reports;

/// <summary>The figures for machines: an array with one object a row and peer.</summary>
internal static class JsonReport
{
    public static void Write(Stream stream, IEnumerable<RowReport> reports)
    {
        using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartArray();
        foreach (RowReport report in reports)
        {
            if (report.Quire is not Samples quire)
            {
                continue;
            }

            foreach (Samples peer in report.Peers)
            {
                json.WriteStartObject();
                json.WriteString("row", report.Row.Id);
                json.WriteNumber("quire_ns", Math.Round(quire.Median, 4));
                json.WriteString("peer", peer.Contender.Name);
                json.WriteNumber("peer_ns", Math.Round(peer.Median, 4));
                json.WriteNumber("ratio", Math.Round(quire.RatioTo(peer), 4));
                json.WriteEndObject();
            }
        }

        json.WriteEndArray();
    }
}
