using System.Globalization;
using System.Text;

namespace Quire;

/// <summary>The answer to "who still holds these pages": holders grouped by call site, the oldest first, as text or as rows.</summary>
/// <remarks>
/// The first line is the answer. References reconcile: the rows, the line of folded rows and the line of untracked references sum
/// to the total. What holds pages by design (see <see cref="HolderRow.IsStructural"/>) comes after what somebody took and has not
/// given back; within each, age beats size. Immutable; safe on any thread.
/// <code>
/// held: 268 references to 204 pages by 3 sites, and 4 untracked, oldest 1 min
///   SITE                      KIND        REFS  PAGES      USED / PINNED  OLDEST  THREADS
///   Parser.cs:141 KeepHeader  fragment     188    188  4.2 KiB / 752 KiB  480 ms  T9
///   Retry.cs:57 Enqueue       fragment      20     16    29 KiB / 64 KiB   12 ms  T9 "retry"
///   Cache.cs:9 Refill         cache bias    60      1          - / 4 KiB   1 min  T9
///   untracked                                4      2                             taken before tracking, or with the ledger full
/// </code>
/// Where stacks are recorded, each row is followed by the most frequent one, a frame a line.
/// </remarks>
public sealed class HolderTable
{
    private const int ThreadsShown = 3;
    private const int FramesShown = 16;
    private static readonly string[] s_header = ["SITE", "KIND", "REFS", "PAGES", "USED / PINNED", "OLDEST", "THREADS"];

    private readonly List<Holder> _holders;

    /// <summary>Groups holders.</summary>
    /// <param name="holders">The holders, of any pages.</param>
    /// <param name="untrackedReferences">References that the pages' counts say exist and no holder accounts for.</param>
    /// <param name="untrackedPages">How many pages have such references.</param>
    /// <exception cref="ArgumentNullException"><paramref name="holders"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A count is negative.</exception>
    public HolderTable(IEnumerable<Holder> holders, long untrackedReferences = 0, int untrackedPages = 0)
    {
        ArgumentNullException.ThrowIfNull(holders);
        ArgumentOutOfRangeException.ThrowIfNegative(untrackedReferences);
        ArgumentOutOfRangeException.ThrowIfNegative(untrackedPages);
        _holders = [.. holders];
        UntrackedReferences = untrackedReferences;
        UntrackedPages = untrackedPages;
        Rows =
        [
            .. _holders
                .GroupBy(holder => (holder.Current.Site, holder.Kind))
                .Select(group => MakeRow(group.Key.Site, group.Key.Kind, group))
                .OrderBy(row => row.IsStructural)
                .ThenByDescending(row => row.Oldest)
                .ThenByDescending(row => row.References)
                .ThenBy(row => row.Site.ToString(), StringComparer.Ordinal)
                .ThenBy(row => row.Kind),
        ];
        References = untrackedReferences + _holders.Sum(Weighted);
        Pages = CountPages(_holders);
    }

    /// <summary>All rows, none folded: what was taken first, then what is structural; the oldest first.</summary>
    public IReadOnlyList<HolderRow> Rows { get; }

    /// <summary>All references, the untracked ones included.</summary>
    public long References { get; }

    /// <summary>Different pages among the holders.</summary>
    public int Pages { get; }

    /// <summary>References that no holder accounts for.</summary>
    public long UntrackedReferences { get; }

    /// <summary>Pages that have such references.</summary>
    public int UntrackedPages { get; }

    /// <summary>
    /// The table as text, lines ending in a line feed; rows below 2 % of the references, and those after the twentieth, in one
    /// line.
    /// </summary>
    public override string ToString() => ToString(0.02, 20);

    /// <summary>The table as text.</summary>
    /// <param name="foldBelow">Rows with less than this share of all references (0 to 1) are folded into one line; the oldest
    /// never is.</param>
    /// <param name="maximumRows">Rows after this many are folded too; at least 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public string ToString(double foldBelow, int maximumRows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(foldBelow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(foldBelow, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(maximumRows, 1);

        List<HolderRow> shown = [];
        List<HolderRow> folded = [];
        foreach (HolderRow row in Rows)
        {
            bool small = row.References < foldBelow * References || shown.Count >= maximumRows;
            (small && shown.Count > 0 ? folded : shown).Add(row);
        }

        if (folded.Count == 1 && shown.Count < maximumRows)
        {
            // A line that stands for one row would say less than the row, and save nothing.
            shown = [.. Rows];
            folded.Clear();
        }

        List<string[]> lines = [];
        foreach (HolderRow row in shown)
        {
            lines.Add(Cells(row));
            lines.AddRange(Frames(row));
        }

        if (folded.Count > 0)
        {
            HashSet<(CallSite, HolderKind)> keys = [.. folded.Select(row => (row.Site, row.Kind))];
            int pages = CountPages(_holders.Where(holder => keys.Contains((holder.Current.Site, holder.Kind))));
            string more = folded.Count == 1 ? "(+1 more site)" : $"(+{folded.Count} more sites)";
            string references = Number(folded.Sum(row => row.References));
            lines.Add([more, "", references, Number(pages), "", Duration(folded.Max(row => row.Oldest)), ""]);
        }

        if (UntrackedReferences > 0)
        {
            const string Why = "taken before tracking, or with the ledger full";
            lines.Add(["untracked", "", Number(UntrackedReferences), Number(UntrackedPages), "", "", Why]);
        }

        return Lay(Summary(), lines);
    }

    /// <summary>
    /// A duration in the largest unit that keeps it above 1: <c>480 ms</c>, <c>12.3 s</c>, <c>4 min</c>, <c>3 h</c>, <c>2 d</c>.
    /// </summary>
    internal static string Duration(TimeSpan time) => time switch
    {
        { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, Math.Floor(time.TotalMilliseconds)):0} ms"),
        { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(time.TotalSeconds * 10) / 10:0.0} s"),
        { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(time.TotalMinutes):0} min"),
        { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(time.TotalHours):0} h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(time.TotalDays):0} d"),
    };

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

        string format = unit > 0 && value < 10 && value != Math.Floor(value) ? "0.0" : "0";
        return $"{value.ToString(format, CultureInfo.InvariantCulture)} {units[unit]}";
    }

    /// <summary>A number and its noun: <c>1 page</c>, <c>2 pages</c>.</summary>
    internal static string Count(long count, string noun) => count == 1 ? $"1 {noun}" : $"{Number(count)} {noun}s";

    /// <summary>A kind as tables show it.</summary>
    internal static string Name(HolderKind kind) => kind switch
    {
        HolderKind.Page => "page",
        HolderKind.Fragment => "fragment",
        HolderKind.Pin => "pin",
        HolderKind.LongTermPin => "long-term pin",
        HolderKind.Bias => "cache bias",
        HolderKind.Movable => "movable table",
        HolderKind.Contiguous => "contiguous",
        HolderKind.Raw => "raw",
        _ => $"kind {(byte)kind}",
    };

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static long Weighted(Holder holder) => (long)holder.References * holder.Weight;

    private static int CountPages(IEnumerable<Holder> holders) => holders.Select(holder => holder.Identity).Distinct().Count();

    private static HolderRow MakeRow(CallSite site, HolderKind kind, IEnumerable<Holder> group)
    {
        List<Holder> holders = [.. group.OrderByDescending(holder => holder.Current.Age)];
        return new HolderRow
        {
            Site = site,
            Kind = kind,
            Holders = holders.Count,
            References = holders.Sum(Weighted),
            Pages = CountPages(holders),
            UsedBytes = holders.Sum(holder => holder.Bytes * holder.Weight),
            PinnedBytes = holders.DistinctBy(holder => holder.Identity).Sum(holder => holder.PageBytes),
            Oldest = holders[0].Current.Age,
            Threads = [.. holders.Select(holder => holder.Current.Thread).Distinct()],
            Stacks = [.. holders.Select(holder => holder.Current.Stack).OfType<CapturedStack>().GroupBy(stack => stack).OrderByDescending(same => same.Count()).Select(same => same.Key)],
        };
    }

    private string Summary()
    {
        if (References == 0 && Rows.Count == 0)
        {
            return "held: nothing\n";
        }

        if (Rows.Count == 0)
        {
            return $"held: {Count(References, "untracked reference")} to {Count(UntrackedPages, "page")}\n";
        }

        int sites = Rows.Select(row => row.Site).Distinct().Count();
        TimeSpan oldest = Rows.Max(row => row.Oldest);
        long tracked = References - UntrackedReferences;
        string untracked = UntrackedReferences > 0 ? $", and {Number(UntrackedReferences)} untracked" : "";
        string held = $"{Count(tracked, "reference")} to {Count(Pages, "page")} by {Count(sites, "site")}";
        int weight = _holders.Max(holder => holder.Weight);
        string sampled = weight == 1 ? "" : $"sampled: one reference in {weight} was recorded; references and used bytes are estimates from that, pages are those seen\n";
        return $"held: {(weight == 1 ? "" : "about ")}{held}{untracked}, oldest {Duration(oldest)}\n{sampled}";
    }

    private static string[] Cells(HolderRow row)
    {
        string used = row.UsedBytes > 0 ? Size(row.UsedBytes) : "-";
        string pinned = row.PinnedBytes > 0 ? Size(row.PinnedBytes) : "-";
        string threads = string.Join(", ", row.Threads.Take(ThreadsShown));
        string more = row.Threads.Count > ThreadsShown ? $" (+{row.Threads.Count - ThreadsShown})" : "";
        return
        [
            row.Site.ToString(),
            Name(row.Kind),
            Number(row.References),
            Number(row.Pages),
            row.UsedBytes == 0 && row.PinnedBytes == 0 ? "-" : $"{used} / {pinned}",
            Duration(row.Oldest),
            threads + more,
        ];
    }

    // Lines of one cell: what is between rows and has no columns.
    private static IEnumerable<string[]> Frames(HolderRow row)
    {
        if (row.Stacks.Count == 0)
        {
            yield break;
        }

        CapturedStack stack = row.Stacks[0];
        foreach (string frame in stack.Frames.Take(FramesShown))
        {
            yield return [$"  => {frame}"];
        }

        int more = stack.Frames.Count - FramesShown;
        string others = row.Stacks.Count == 1 ? "" : $"   ({Count(row.Stacks.Count - 1, "other stack")})";
        if (more > 0 || others.Length > 0)
        {
            yield return [(more > 0 ? $"  => (+{more} frames)" : "") + others];
        }
    }

    // Words to the left, numbers to the right, two spaces between, no blanks at the end of a line.
    private static string Lay(string summary, List<string[]> lines)
    {
        if (lines.Count == 0)
        {
            return summary;
        }

        lines.Insert(0, s_header);
        int[] widths = [.. Enumerable.Range(0, s_header.Length).Select(column => lines.Where(line => line.Length > 1).Max(line => line[column].Length))];
        StringBuilder text = new(summary);
        foreach (string[] line in lines)
        {
            StringBuilder row = new(line.Length == 1 ? "  " + line[0] : "");
            for (int column = 0; column < line.Length && line.Length > 1; column++)
            {
                bool number = column is >= 2 and <= 5;
                row.Append("  ").Append(number ? line[column].PadLeft(widths[column]) : line[column].PadRight(widths[column]));
            }

            text.Append(row.ToString().TrimEnd()).Append('\n');
        }

        return text.ToString();
    }
}
