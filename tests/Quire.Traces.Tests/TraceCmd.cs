using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace Quire.Traces.Tests;

/// <summary>The real trace-cmd: what it makes of a file.</summary>
internal static partial class TraceCmd
{
    private static readonly string? s_path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Append("/usr/sbin")
        .Where(static folder => folder.Length > 0).Select(static folder => Path.Combine(folder, "trace-cmd")).FirstOrDefault(File.Exists);

    internal static void SkipWhereMissing() => Assert.SkipWhen(s_path is null, "trace-cmd is not installed (Debian: trace-cmd)");

    /// <summary>Runs it; what it says on its error output fails the test (but convert, which tells its progress there).</summary>
    internal static string Run(params string[] arguments)
    {
        ProcessStartInfo start = new(s_path!, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0 && (error.Result.Length == 0 || arguments[0] == "convert"), $"trace-cmd {string.Join(' ', arguments)} ended with {process.ExitCode}: {error.Result}");
        return output;
    }

    /// <summary>The lines of events in <c>report -R -t</c>, by CPU.</summary>
    internal static Dictionary<int, List<ReportLine>> RawReport(string file)
    {
        Dictionary<int, List<ReportLine>> cpus = [];
        Dictionary<int, long> lost = [];
        foreach (string line in Run("report", "-R", "-t", "-N", "-i", file).Split('\n'))
        {
            if (Loss().Match(line) is { Success: true } loss)
            {
                lost[int.Parse(loss.Groups[1].Value, CultureInfo.InvariantCulture)] =
                    loss.Groups[2].Success ? long.Parse(loss.Groups[2].Value, CultureInfo.InvariantCulture) : -1;
            }
            else if (Event().Match(line) is { Success: true } match)
            {
                int cpu = int.Parse(match.Groups["cpu"].Value, CultureInfo.InvariantCulture);
                long time = match.Groups["ticks"].Success ? long.Parse(match.Groups["ticks"].Value, CultureInfo.InvariantCulture) : (long.Parse(match.Groups["s"].Value, CultureInfo.InvariantCulture) * 1_000_000_000) + long.Parse(match.Groups["ns"].Value, CultureInfo.InvariantCulture);
                lost.Remove(cpu, out long before);
                if (!cpus.TryGetValue(cpu, out List<ReportLine>? lines))
                {
                    cpus.Add(cpu, lines = []);
                }

                lines.Add(new ReportLine(cpu, time, match.Groups["comm"].Value, int.Parse(match.Groups["pid"].Value, CultureInfo.InvariantCulture),
                    match.Groups["event"].Value, match.Groups["rest"].Value, before));
            }
            else
            {
                Assert.True(line.Length == 0 || line.StartsWith("cpus=", StringComparison.Ordinal) || line.StartsWith("CPU ", StringComparison.Ordinal), $"trace-cmd printed '{line}'");
            }
        }

        return cpus;
    }

    [GeneratedRegex(@"^CPU:(\d+) \[(?:(\d+) )?EVENTS DROPPED\]$")]
    private static partial Regex Loss();

    /// <remarks>An instance's name stands before the task's; a clock that counts no ns has no point.</remarks>
    [GeneratedRegex(@"^(?:[\w.-]+: )? *(?<comm>.*)-(?<pid>\d+) +\[(?<cpu>\d+)\] +(?:(?<s>\d+)\.(?<ns>\d{9})|(?<ticks>\d+)): (?<event>\w+): *(?<rest>.*)$")]
    private static partial Regex Event();
}

/// <summary>One line of a raw report.</summary>
internal sealed record ReportLine(int Cpu, long Time, string Comm, int Pid, string Event, string Rest, long Lost)
{
    /// <summary>A stack that an event has.</summary>
    internal bool IsTaken { get; set; }

    /// <summary>Fails where a record says anything else than this line, field by field.</summary>
    internal void Check(TraceInput input, TraceRecord record)
    {
        string context = $"trace-cmd: {this}\nours: {TraceTexts.Line(input, record)}";
        Assert.True(record.Time == Time && record.Pid == Pid && record.Format.Name == Event && record.LostBefore == Lost && input.CommOf(record.Pid) == Comm, context);
        List<TraceField> fields = [.. record.Format.Fields.Where(static field => !field.Name.StartsWith("common_", StringComparison.Ordinal))];
        int at = 0;
        for (int number = 0; number < fields.Count; number++)
        {
            string name = $"{fields[number].Name}=";
            Assert.True(string.CompareOrdinal(Rest, at, name, 0, name.Length) == 0, $"field {fields[number]} should stand at {at}\n{context}");
            at += name.Length;
            int end = number + 1 < fields.Count ? Rest.IndexOf($" {fields[number + 1].Name}=", at, StringComparison.Ordinal) : Rest.Length;
            Assert.True(end >= at, $"field {fields[number]} has no end\n{context}");
            string value = Rest[at..end];
            if (value.StartsWith("ARRAY[", StringComparison.Ordinal))
            {
                // So it shows bytes that are not ASCII.
                byte[] bytes = [.. value[6..^1].Split(", ").Select(static part => byte.Parse(part, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))];
                value = Encoding.UTF8.GetString(bytes).TrimEnd('\0');
            }

            bool isSame = fields[number].IsArray ? value == record.Text(fields[number]).TrimEnd('\n')
                : value == "(nil)" ? record.Unsigned(fields[number]) == 0
                : value.StartsWith("0x", StringComparison.Ordinal)
                    ? ulong.Parse(value.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) == (fields[number].Size == 4 ? (uint)record.Unsigned(fields[number]) : record.Unsigned(fields[number]))
                    : value.TrimStart('0').PadLeft(1, '0') == (fields[number].IsSigned ? record.Signed(fields[number]).ToString(CultureInfo.InvariantCulture) : record.Unsigned(fields[number]).ToString(CultureInfo.InvariantCulture))
                        || (fields[number] is { Size: 8, IsSigned: false } && (value == record.Unsigned(fields[number]).ToString("x", CultureInfo.InvariantCulture) || value.Split("+0x")[0] == input.SymbolOf(record.Unsigned(fields[number]))));
            Assert.True(isSame, $"field {fields[number]} is '{value}' there, '{record.Text(fields[number])}' here\n{context}");
            at = end + 1;
        }
    }
}
