using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Quire.Cli.Traces;

/// <summary>Arguments and options that several commands have in common.</summary>
internal static class TraceArguments
{
    internal static Argument<string> File() => new("FILE") { Description = "A recording (.qring), a trace.dat, or text of ftrace, trace-cmd report or perf script, also packed by gzip or zstd; - is standard input." };

    internal static Option<bool> Json() => new("--json") { Description = "Print the report as data." };

    internal static Option<ulong?> Page(bool required) => new("--page")
    {
        HelpName = "PFN",
        Required = required,
        Description = "Frame number of one page, 0x… or decimal; of a page of several frames any of them.",
        CustomParser = static result =>
        {
            string text = result.Tokens[0].Value;
            bool isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
            if (ulong.TryParse(isHex ? text.AsSpan(2) : text, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong pfn))
            {
                return pfn;
            }

            result.AddError($"--page takes a frame number such as 0x17ac9 or 96969, not '{text}'.");
            return null;
        },
    };

    internal static Option<TimeSpan?> MaxAge() => new("--max-age")
    {
        HelpName = "TIME",
        Description = "What is held at the end for longer is against the rules: 500us, 250ms, 10s, 5min, 1h.",
        CustomParser = ParseTime,
    };

    /// <summary>A moment of the trace's clock, in ns.</summary>
    internal static Option<long?> At() => new("--at")
    {
        HelpName = "TIME",
        Description = "Answer for this moment of the trace's clock: seconds with a point, as trace texts have them (14.857432), or whole nanoseconds.",
        CustomParser = static result =>
        {
            string text = result.Tokens[0].Value;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long ns))
            {
                return ns;
            }

            if (text.Contains('.', StringComparison.Ordinal) && decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds) && seconds <= 9_000_000_000m)
            {
                return (long)(seconds * 1_000_000_000m);
            }

            result.AddError($"--at takes a time such as 14.857432 (seconds) or 14857432000 (ns), not '{text}'.");
            return null;
        },
    };

    /// <summary>The number of a contiguous allocation.</summary>
    internal static Option<int?> Attempt() => new("--attempt")
    {
        HelpName = "N",
        Description = "Only the contiguous allocation of this number, with everything that is known of it.",
        CustomParser = static result =>
        {
            string text = result.Tokens[0].Value;
            if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0)
            {
                return number;
            }

            result.AddError($"--attempt takes a number from 1, not '{text}'.");
            return null;
        },
    };

    private static TimeSpan? ParseTime(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        int digits = text.AsSpan().IndexOfAnyExceptInRange('.', '9');
        double unit = (digits < 0 ? "" : text[digits..]) switch
        {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1,
            "m" or "min" => 60,
            "h" => 3600,
            "d" => 86400,
            _ => 0,
        };
        if (digits > 0 && unit > 0 && double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number * unit <= 1e9)
        {
            return TimeSpan.FromSeconds(number * unit);
        }

        result.AddError($"--max-age takes a time such as 250ms, 10s or 5min, not '{text}'.");
        return null;
    }
}
