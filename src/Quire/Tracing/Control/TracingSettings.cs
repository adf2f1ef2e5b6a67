using System.Globalization;
using System.Text;

namespace Quire;

/// <summary>
/// A recording's options as texts: in environment variables, in AppContext (<c>runtimeconfig.json</c>), and in the arguments of the event source's enable
/// command. One table, so that all three say the same.
/// </summary>
internal static class TracingSettings
{
    internal const string Path = "path";
    internal const string Stacks = "stacks";
    internal const string Sample = "sample";
    internal const string Filter = "filter";
    internal const string Buffer = "buffer";
    internal const string Maximum = "maximum";
    internal const string Overflow = "overflow";
    internal const string Overwrite = "overwrite";

    private const string EnvironmentPrefix = "QUIRE_TRACE";
    private const string AppContextPrefix = "Quire.Tracing.";

    /// <summary>Every setting's key.</summary>
    internal static IReadOnlyList<string> Keys { get; } = [Path, Stacks, Sample, Filter, Buffer, Maximum, Overflow, Overwrite];

    /// <summary><c>QUIRE_TRACE</c> for the path, <c>QUIRE_TRACE_SAMPLE</c> and so on for the rest.</summary>
    internal static string EnvironmentName(string key) => key == Path ? EnvironmentPrefix : $"{EnvironmentPrefix}_{key.ToUpperInvariant()}";

    /// <summary><c>Quire.Tracing.Path</c> and so on.</summary>
    internal static string AppContextName(string key) => $"{AppContextPrefix}{char.ToUpperInvariant(key[0])}{key[1..]}";

    /// <summary>Options from texts; null where there is no path, and so no recording is asked for.</summary>
    /// <param name="read">The text of a setting and the name under which it was found; null where it is not set. An empty text counts as not set.</param>
    /// <exception cref="FormatException">A text is none; the message names the setting as its user knows it.</exception>
    internal static PageTracingOptions? Read(Func<string, (string Name, string Text)?> read)
    {
        if (Find(Path) is not { } path)
        {
            return null;
        }

        long ring = Find(Buffer) is { } buffer
            ? Size(buffer, TraceFileOptions.LeastRingBytes, PageTracingOptions.MostRingBytes)
            : TraceFileOptions.DefaultRingBytes;
        PageTracingOptions options = new()
        {
            Path = string.IsNullOrWhiteSpace(path.Text) || path.Text.Contains('\0', StringComparison.Ordinal) ? throw Wrong(path, "the name of a file") : path.Text,
            Stacks = Flag(Find(Stacks)),
            SampleEvery = Find(Sample) is { } sample ? Number(sample, 1, TraceAdmission.MaximumSampleEvery) : 1,
            Filter = Find(Filter) is { } filter ? FilterOf(filter) : null,
            RingBytes = ring,
            MaximumBytes = Find(Maximum) is { } maximum
                ? Size(maximum, PageTracingOptions.LeastMaximumBytes(ring), long.MaxValue)
                : Math.Max(TraceFileOptions.DefaultMaximumBytes, PageTracingOptions.LeastMaximumBytes(ring)),
            Overflow = Find(Overflow) is { } overflow ? OverflowOf(overflow) : TraceOverflow.OverwriteOldest,
            Overwrite = Flag(Find(Overwrite)),
        };

        return options;

        (string Name, string Text)? Find(string key) => read(key) is { Text.Length: > 0 } found ? found : null;
    }

    /// <summary>
    /// A text that can stand as an argument of an enable command: the runtime splits those at <c>;</c> and <c>=</c> and takes quotation marks away, and some tools
    /// split at <c>:</c> and <c>,</c>. So all but letters, digits and <c>- _ . ~ /</c> is percent-encoded, as UTF-8.
    /// </summary>
    internal static string Encode(string text)
    {
        StringBuilder encoded = new();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'-' or (byte)'_' or (byte)'.' or (byte)'~' or (byte)'/')
            {
                encoded.Append((char)b);
            }
            else
            {
                encoded.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
            }
        }

        return encoded.ToString();
    }

    /// <summary>Takes <see cref="Encode"/> back; a text typed by hand, without percent signs, stays what it is.</summary>
    internal static string Decode(string text) => Uri.UnescapeDataString(text);

    private static bool Flag((string Name, string Text)? setting) => setting?.Text.ToUpperInvariant() switch
    {
        null or "0" or "FALSE" or "NO" or "OFF" => false,
        "1" or "TRUE" or "YES" or "ON" => true,
        _ => throw Wrong(setting.Value, "1 or 0"),
    };

    private static int Number((string Name, string Text) setting, int least, int most) =>
        int.TryParse(setting.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw Wrong(setting, $"a whole number from {least} to {most}");

    private static long Size((string Name, string Text) setting, long least, long most) =>
        ByteSize.TryParse(setting.Text, out long bytes) && bytes >= least && bytes <= most
            ? bytes
            : throw Wrong(setting, $"a number of bytes from {least} {(most == long.MaxValue ? "up" : $"to {most}")} (K, M or G may follow)");

    private static TraceOverflow OverflowOf((string Name, string Text) setting) => setting.Text.ToUpperInvariant() switch
    {
        "OLDEST" => TraceOverflow.OverwriteOldest,
        "STOP" => TraceOverflow.StopWhenFull,
        _ => throw Wrong(setting, "oldest (the newest event overwrites the oldest) or stop (the first are kept)"),
    };

    private static TraceFilter FilterOf((string Name, string Text) setting) =>
        TraceFilter.TryParse(setting.Text, out TraceFilter? filter, out string? error) ? filter : throw new FormatException($"{setting.Name}: {error}");

    private static FormatException Wrong((string Name, string Text) setting, string expected) => new($"{setting.Name}={setting.Text}: it must be {expected}.");
}
