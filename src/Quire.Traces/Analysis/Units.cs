using System.Globalization;

namespace Quire.Traces.Analysis;

/// <summary>Numbers as reports show them; of any culture the same.</summary>
internal static class Units
{
    /// <summary>A length of time in ns: <c>800 ns</c>, <c>340 us</c>, <c>480 ms</c>, <c>12.3 s</c>, <c>4 min</c>, <c>3 h</c>, <c>2 d</c>.</summary>
    internal static string Duration(long ns) => Math.Max(0, ns) switch
    {
        < 1_000 and var time => $"{time} ns",
        < 1_000_000 and var time => $"{time / 1_000} us",
        < 1_000_000_000 and var time => $"{time / 1_000_000} ms",
        < 60_000_000_000 and var time => string.Create(CultureInfo.InvariantCulture, $"{time / 100_000_000 / 10.0:0.0} s"),
        < 3_600_000_000_000 and var time => $"{time / 60_000_000_000} min",
        < 86_400_000_000_000 and var time => $"{time / 3_600_000_000_000} h",
        var time => $"{time / 86_400_000_000_000} d",
    };

    /// <summary>A moment, as ms since the recording began: <c>+0.000 ms</c>, <c>-12.000 ms</c> for what came before it.</summary>
    internal static string Moment(long ns) => string.Create(CultureInfo.InvariantCulture, $"{ns / 1e6:+0.000;-0.000} ms");

    /// <summary>A moment of the trace's clock, as ftrace prints it: <c>14.778691</c>.</summary>
    internal static string Clock(long ns) => string.Create(CultureInfo.InvariantCulture, $"{ns / 1_000_000_000}.{Math.Abs(ns % 1_000_000_000) / 1000:000000}");

    /// <summary>When something was: in a kernel's trace by its clock, which other tools show and <c>--at</c> takes; in a recording since its beginning.</summary>
    internal static string When(long ns, SourceReport source) => source.IsKernel ? Clock(ns) : Moment(ns - BlameText.Begin(source));

    /// <summary>Bytes in binary units: <c>23 B</c>, <c>4.2 KiB</c>, <c>752 KiB</c>.</summary>
    internal static string Size(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return $"{value.ToString(unit > 0 && value < 10 && value != Math.Floor(value) ? "0.0" : "0", CultureInfo.InvariantCulture)} {units[unit]}";
    }

    /// <summary>A number and its noun: <c>1 page</c>, <c>1,204 pages</c>.</summary>
    internal static string Count(long count, string noun) =>
        count == 1 ? $"1 {noun}" : $"{Number(count)} {(noun.EndsWith('y') ? noun[..^1] + "ie" : noun)}s";

    /// <summary>A number with its thousands apart.</summary>
    internal static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A kind of reference as people say it.</summary>
    internal static string Class(string kind) => kind switch
    {
        "long_term_pin" => "long-term pin",
        "bias" => "cache bias",
        "movable" => "movable table",
        _ => kind,
    };

    /// <summary>A reason why a page would not move, as people say it.</summary>
    internal static string Reason(string reason) => reason switch
    {
        "held_by_caller" => "held by the caller itself",
        "long_term_pinned" => "long-term pinned",
        "extra_references" => "more references than expected",
        "freeze_failed" => "more references than the freeze expected",
        "buffers" => "buffers in use",
        "writeback" => "under writeback",
        "owner_refused" => "its owner did not move it",
        "passed_over" => "looked at and passed over",
        "not_moved" => "isolated and not moved",
        "not_movable" => "not movable",
        "not_on_lru" => "not on an LRU list",
        "not_tried" => "passed over in silence",
        "unreferenced_not_free" => "without a reference, and not free: a pool or a per-CPU list has it",
        "unseen" => "first frame that was not free",
        "referenced" => "referenced beyond a pin",
        "freed_but_referenced" => "freed, but referenced",
        "in_transit" => "in transit between two lists",
        "unreferenced" => "at count 0, but not freed",
        _ => reason,
    };
}
