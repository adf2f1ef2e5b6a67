using System.Text;

namespace Quire.Traces;

/// <summary>
/// What Quire says about a recording in the trace.dat made of it. It stands in the VERSION option behind the text's NUL, where readers that know only the
/// text don't look: trace-cmd warns of every option it does not know, and prints every text it does.
/// </summary>
internal static class DatProperties
{
    /// <summary>What the VERSION text of a file of ours begins with.</summary>
    internal const string Writer = "Quire ";

    /// <summary>Says of a CPU that it is a snapshot: <c>Start</c> or <c>End</c>, its time in ns, and whether it is complete.</summary>
    internal const string SnapshotPrefix = "quire.snapshot.";

    /// <summary>Carries a quality counter that has no place elsewhere in the file.</summary>
    internal const string CounterPrefix = "quire.counter.";

    internal static KeyValuePair<string, string> Of(int cpu, TraceSnapshotInfo snapshot) =>
        new($"{SnapshotPrefix}{cpu}", $"{snapshot.Which} {snapshot.Time} {snapshot.IsComplete}");

    /// <summary>The snapshot that a CPU is, or null.</summary>
    internal static TraceSnapshotInfo? SnapshotOf(int cpu, Dictionary<string, string> properties) =>
        properties.TryGetValue($"{SnapshotPrefix}{cpu}", out string? text) && text.Split(' ') is [string which, string time, string complete]
            && Enum.TryParse(which, out TraceSnapshot kind) && kind is TraceSnapshot.Start or TraceSnapshot.End
            && long.TryParse(time, out long when) && bool.TryParse(complete, out bool isComplete)
            ? new TraceSnapshotInfo(kind, when, isComplete)
            : null;

    /// <summary>A counter that the file itself could not give again.</summary>
    internal static KeyValuePair<string, string> Of(TraceCounter counter, long value) => new(CounterPrefix + counter.Name, $"{value} {counter.Doubt} {counter.Meaning}");

    internal static byte[] ToVersionOption(string version, IEnumerable<KeyValuePair<string, string>> properties)
    {
        StringBuilder text = new();
        text.Append(Writer).Append(version).Append('\0');
        foreach ((string key, string value) in properties)
        {
            text.Append(key.Replace('\0', ' ')).Append('\0').Append(value.Replace('\0', ' ')).Append('\0');
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>Reads them back; false where Quire did not write the file.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> option, Dictionary<string, string> properties)
    {
        if (!option.StartsWith(Encoding.ASCII.GetBytes(Writer)))
        {
            return false;
        }

        string[] parts = Encoding.UTF8.GetString(option).Split('\0');
        for (int at = 1; at + 1 < parts.Length; at += 2)
        {
            properties[parts[at]] = parts[at + 1];
        }

        return true;
    }
}
