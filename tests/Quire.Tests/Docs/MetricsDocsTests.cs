using System.Diagnostics.Metrics;
using System.Diagnostics.Tracing;
using System.Globalization;
using System.Reflection;
using Quire.Tests.Architecture;
using Xunit;

namespace Quire.Tests.Docs;

/// <summary>docs/metrics.md has every instrument and every event, and no other.</summary>
public sealed class MetricsDocsTests
{
    [Fact]
    public void Every_instrument_stands_in_the_table_with_its_kind_and_unit()
    {
        List<string> real = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == "Quire")
                {
                    real.Add($"{instrument.Name} {Kind(instrument)} {instrument.Unit}");
                }
            },
        };
        TracingStart.Once();
        listener.Start();
        Assert.Equal(real.Order(StringComparer.Ordinal), Rows("| `quire.", 5).Select(static row => $"{row[0]} {row[1]} {row[2]}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_event_stands_in_the_table_with_its_number_level_keyword_and_fields()
    {
        IEnumerable<string> real = typeof(QuireEventSource).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Select(static method => (Method: method, Event: method.GetCustomAttribute<EventAttribute>()))
            .Where(static one => one.Event is not null)
            .OrderBy(static one => one.Event!.EventId)
            .Select(static one => $"{one.Event!.EventId} {one.Method.Name} {one.Event.Level} {Keyword(one.Event.Keywords)} {string.Join(", ", one.Method.GetParameters().Select(static field => field.Name))}");
        Assert.Equal(real, Rows("| ", 5).Where(static row => int.TryParse(row[0], CultureInfo.InvariantCulture, out _)).Select(static row => string.Join(' ', row)));
    }

    [Fact]
    public void The_keywords_values_are_those_of_the_source()
    {
        string text = Text();
        foreach (FieldInfo keyword in typeof(QuireEventSource.Keywords).GetFields())
        {
            Assert.Contains($"{keyword.Name} 0x{(long)keyword.GetRawConstantValue()!:x}", text, StringComparison.Ordinal);
        }
    }

    private static string Kind(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
    {
        "Counter" => "counter",
        "Histogram" => "histogram",
        "ObservableCounter" => "observable counter",
        "ObservableUpDownCounter" => "observable up-down",
        string other => other,
    };

    private static string Keyword(EventKeywords keyword) =>
        typeof(QuireEventSource.Keywords).GetFields().Single(field => (EventKeywords)(long)field.GetRawConstantValue()! == keyword).Name;

    private static IEnumerable<string[]> Rows(string begin, int columns) => Text().Split('\n')
        .Where(line => line.StartsWith(begin, StringComparison.Ordinal))
        .Select(static line => line.Trim('|').Split('|').Select(static cell => cell.Trim().Trim('`')).ToArray())
        .Where(row => row.Length == columns);

    private static string Text() => File.ReadAllText(Path.Combine(SourceModel.Root(), "docs", "metrics.md"));
}
