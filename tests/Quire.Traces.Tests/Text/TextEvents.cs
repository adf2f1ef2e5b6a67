using System.Globalization;
using System.Text;

namespace Quire.Traces.Tests;

/// <summary>One event with all that a test compares.</summary>
internal sealed record SeenEvent(string Name, int Cpu, int Pid, string Comm, long Time, long Lost, Dictionary<string, object> Fields, string[] Stack, ulong[] Addresses)
{
    internal string Text => $"{Time} [{Cpu}] {Comm}-{Pid} {Name} {string.Join(' ', Fields.Select(static pair => $"{pair.Key}={pair.Value}"))} lost={Lost} {string.Join('<', Stack)}";
}

/// <summary>All events of an input, and its counters.</summary>
internal sealed class TextEvents
{
    internal List<SeenEvent> All { get; } = [];

    internal Dictionary<string, long> Counters { get; private set; } = [];

    internal required string Format { get; init; }

    internal required IReadOnlyDictionary<string, string> Properties { get; init; }

    internal long this[string counter] => Counters.GetValueOrDefault(counter);

    internal static TextEvents Of(byte[] bytes)
    {
        string file = Path.Combine(Path.GetTempPath(), $"quire-text-{Guid.NewGuid():n}");
        File.WriteAllBytes(file, bytes);
        try
        {
            return Of(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    internal static TextEvents OfText(string text) => Of(Encoding.UTF8.GetBytes(text));

    internal static TextEvents Of(string file)
    {
        using TraceInput input = TraceInput.Open(file);
        return Of(input);
    }

    internal static TextEvents Of(TraceInput input)
    {
        TextEvents events = new() { Format = input.Source.Format, Properties = input.Source.Properties };
        while (input.TryRead(out TraceRecord record))
        {
            Dictionary<string, object> fields = new(StringComparer.Ordinal);
            foreach (TraceField field in record.Format.Fields.Where(static field => !field.Name.StartsWith("common_", StringComparison.Ordinal)))
            {
                fields[field.Name] = field.IsArray ? record.Text(field) : field.IsSigned ? record.Signed(field) : record.Unsigned(field);
            }

            ulong[] addresses = record.Stack.ToArray();
            events.All.Add(new SeenEvent(record.Format.Name, record.Cpu, record.Pid, input.CommOf(record.Pid), record.Time, record.LostBefore, fields,
                [.. addresses.Select(input.SymbolOf)], addresses));
        }

        events.Counters = input.Quality.Counters.Where(static counter => counter.Value != 0).ToDictionary(static counter => counter.Name, static counter => counter.Value);
        return events;
    }

    internal string Quality => string.Join(' ', Counters.Select(static counter => string.Create(CultureInfo.InvariantCulture, $"{counter.Key}={counter.Value}")));
}
