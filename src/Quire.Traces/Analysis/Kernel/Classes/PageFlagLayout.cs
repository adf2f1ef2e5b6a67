using System.Text.RegularExpressions;

namespace Quire.Traces.Analysis;

/// <summary>Which bit of a page's flags is which, in the kernel that was traced. Immutable.</summary>
/// <remarks>
/// Events carry the flags as a number whose bits are those of <c>enum pageflags</c> (include/linux/page-flags.h), and their format text names the flags without saying which bit each is
/// (<c>1UL &lt;&lt; PG_locked</c>). The names tell the era of the enumeration in all cases but one: Linux 6.7 moved bits and kept the names. There the kernel's version decides, unless
/// what the pages themselves show speaks against it (kernels of distributions have later changes under an older version).
/// </remarks>
internal sealed partial class PageFlagLayout
{
    private static readonly (string Name, PageFlags Flag)[] s_asked =
    [
        ("locked", PageFlags.Locked), ("referenced", PageFlags.Referenced), ("uptodate", PageFlags.Uptodate), ("dirty", PageFlags.Dirty), ("lru", PageFlags.Lru), ("active", PageFlags.Active),
        ("private", PageFlags.Private), ("writeback", PageFlags.Writeback), ("head", PageFlags.Head), ("swapbacked", PageFlags.SwapBacked), ("swapcache", PageFlags.SwapCache),
        ("unevictable", PageFlags.Unevictable), ("reserved", PageFlags.Reserved), ("slab", PageFlags.Slab), ("reclaim", PageFlags.Reclaim), ("readahead", PageFlags.Reclaim), ("mlocked", PageFlags.Mlocked),
    ];

    private readonly string[] _print;
    private readonly Dictionary<string, int> _bits;
    private readonly (ulong Bit, PageFlags Flag)[] _asked;
    private readonly ulong _ownerPrivate;

    /// <summary>The bits that are flags: above them the word has the page's zone, node and last CPU, which events carry along.</summary>
    private readonly ulong _mask;

    private PageFlagLayout(PageFlagEra? era, IReadOnlyDictionary<string, int> bits, IReadOnlyList<string> print, int count)
    {
        Era = era;
        _bits = new Dictionary<string, int>(bits, StringComparer.Ordinal);
        _print = [.. print];
        _mask = count is > 0 and < 64 ? (1UL << count) - 1 : bits.Values.Aggregate(0UL, static (mask, bit) => mask | 1UL << bit);
        _asked = [.. s_asked.Where(one => bits.ContainsKey(one.Name)).Select(one => (1UL << bits[one.Name], one.Flag))];
        _ownerPrivate = bits.ContainsKey("swapcache") || !bits.TryGetValue("owner_priv_1", out int bit) ? 0 : 1UL << bit;
    }

    /// <summary>The era of the enumeration; null: the format text itself said the bits.</summary>
    internal PageFlagEra? Era { get; }

    /// <summary>The names in the order in which the kernel prints them.</summary>
    internal IReadOnlyList<string> Names => _print;

    /// <summary>The layout that fits what is known; null: none does.</summary>
    /// <param name="printFormat">What stands behind <c>print fmt:</c> in the format of a page_ref event; null: not known.</param>
    /// <param name="uname">The kernel's version, or the line of <c>uname -a</c>; null: not known.</param>
    /// <param name="evidence">Flags that occurred, whether their page was anonymous (bit 0 of its mapping), and how often.</param>
    internal static PageFlagLayout? Guess(string? printFormat, string? uname, IEnumerable<(ulong Flags, bool IsAnonymous, long Count)> evidence)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        List<string> listed = [];
        Dictionary<string, int> said = new(StringComparer.Ordinal);
        int count = 0;
        if (printFormat is not null)
        {
            foreach (Match match in Entry().Matches(printFormat))
            {
                string name = match.Groups["name"].Value;
                listed.Add(name);
                if (int.TryParse(match.Groups["bit"].Value, out int bit) && bit < 64)
                {
                    said[name] = bit;
                }
            }

            Match mask = Mask().Match(printFormat);
            count = mask.Success && int.TryParse(mask.Groups["count"].Value, out int bits) && bits <= 64 ? bits : 0;
        }

        if (listed.Count > 0 && said.Count == listed.Count)
        {
            return new PageFlagLayout(null, said, listed, count);
        }

        int? version = Version(uname);
        PageFlagEra[] eras = [.. PageFlagEra.All.Where(era => listed.Count == 0 ? version is { } known && era.Covers(known) : era.Lists(listed))];
        if (eras.Length == 0)
        {
            // A kernel that nobody knows: the nearest era that lists all the names that decide, wherever it puts those it does not know.
            eras = listed.Count == 0 ? [] : [.. PageFlagEra.All.Where(era => era.Newest)];
        }

        (PageFlagLayout Layout, double Score)[] candidates = [.. eras.Select(era => Layout(era, listed, count)).OfType<PageFlagLayout>().Select(layout => (layout, 0.0))];
        if (candidates.Length <= 1)
        {
            return candidates.Length == 0 ? null : candidates[0].Layout;
        }

        double total = 0;
        foreach ((ulong flags, bool isAnonymous, long times) in evidence)
        {
            total += times;
            for (int at = 0; at < candidates.Length; at++)
            {
                candidates[at].Score += times * Plausible(candidates[at].Layout.Of(flags), isAnonymous);
            }
        }

        // What the pages show must be clear, a hundredth of the events or more; else the version decides; else the older, which most kernels in use have.
        (PageFlagLayout Layout, double Score)[] best = [.. candidates.OrderByDescending(static one => one.Score)];
        return best[0].Score - best[1].Score > total / 100 ? best[0].Layout
            : (candidates.FirstOrDefault(one => version is { } known && one.Layout.Era!.Covers(known)).Layout ?? candidates[0].Layout);
    }

    /// <summary>The bit of a flag, by the name that the kernel's events print.</summary>
    internal bool TryBit(string name, out int bit) => _bits.TryGetValue(name, out bit);

    /// <summary>Flags as the kernel's events print them: <c>uptodate|lru</c>; without any, <c>none</c>; flags without a name as a number behind the names.</summary>
    internal string Describe(ulong flags)
    {
        ulong rest = flags & _mask;
        List<string> names = [];
        foreach (string name in _print)
        {
            if ((flags >> _bits[name] & 1) != 0)
            {
                names.Add(name);
                rest &= ~(1UL << _bits[name]);
            }
        }

        if (rest != 0)
        {
            names.Add($"0x{rest:x}");
        }

        return names.Count == 0 ? "none" : string.Join('|', names);
    }

    /// <summary>The flags that the analysis asks for.</summary>
    internal PageFlags Of(ulong raw)
    {
        PageFlags flags = PageFlags.None;
        foreach ((ulong bit, PageFlags flag) in _asked)
        {
            flags |= (raw & bit) != 0 ? flag : PageFlags.None;
        }

        return (raw & _ownerPrivate) != 0 && (flags & PageFlags.SwapBacked) != 0 ? flags | PageFlags.SwapCache : flags;
    }

    /// <summary>The flags that the analysis asks for, of a text as the kernel's events print it: <c>uptodate|lru</c>, <c>none</c>; names that are not asked for are passed over.</summary>
    internal static PageFlags Parse(string text)
    {
        PageFlags flags = PageFlags.None;
        bool isOwnerPrivate = false;
        ReadOnlySpan<char> rest = text;
        foreach (Range range in rest.Split('|'))
        {
            ReadOnlySpan<char> name = rest[range].Trim();
            isOwnerPrivate |= name is "owner_priv_1";
            foreach ((string known, PageFlags flag) in s_asked)
            {
                if (name.SequenceEqual(known))
                {
                    flags |= flag;
                    break;
                }
            }
        }

        return isOwnerPrivate && (flags & PageFlags.SwapBacked) != 0 ? flags | PageFlags.SwapCache : flags;
    }

    /// <summary>The version as 100 times the first number plus the second: 6.12 is 612; of <c>uname -a</c>, the first word that is one.</summary>
    internal static int? Version(string? uname)
    {
        Match match = uname is null ? System.Text.RegularExpressions.Match.Empty : VersionText().Match(uname);
        return match.Success && int.TryParse(match.Groups[1].Value, out int major) && int.TryParse(match.Groups[2].Value, out int minor) ? major * 100 + Math.Min(minor, 99) : null;
    }

    /// <summary>How well flags fit a page that can be: 1 for what holds of nearly every page, less for what never should be.</summary>
    private static double Plausible(PageFlags flags, bool isAnonymous)
    {
        if (flags == PageFlags.None)
        {
            return 0;
        }

        // Pages of slabs and reserved ones are nobody's, so have no dirt and are on no list; what is on a list, or has been used, has valid content.
        double score = (flags & (PageFlags.Slab | PageFlags.Reserved)) != 0 && (flags & ~(PageFlags.Slab | PageFlags.Reserved | PageFlags.Head)) != 0 ? -1 : 0;
        score += (flags & PageFlags.Active) != 0 && (flags & PageFlags.Uptodate) == 0 ? -1 : 0;
        score += (flags & PageFlags.Dirty) != 0 && (flags & PageFlags.Uptodate) == 0 ? -1 : 0;
        score += (flags & (PageFlags.Lru | PageFlags.Uptodate)) == (PageFlags.Lru | PageFlags.Uptodate) ? 1 : 0;
        return score + (!isAnonymous ? 0 : ((flags & PageFlags.SwapBacked) != 0 ? 1 : -1) + ((flags & PageFlags.Uptodate) != 0 ? 1 : -1));
    }

    private static PageFlagLayout? Layout(PageFlagEra era, List<string> listed, int count)
    {
        Dictionary<string, int> bits = new(StringComparer.Ordinal);
        IEnumerable<string> names = listed.Count == 0 ? era.Fixed : era.Fixed.Concat(PageFlagEra.Optional.Where(listed.Contains)).Concat(listed.Where(name => !era.Fixed.Contains(name) && !PageFlagEra.Optional.Contains(name)));
        foreach (string name in names)
        {
            bits.Add(name == "reclaim" && listed.Contains("readahead") ? "readahead" : name, bits.Count);
        }

        // Flags that the kernel has and does not name stand behind the others as far as anybody knows: the names hold. More names than flags: this is not the kernel's era.
        return bits.Count > 64 || (count > 0 && bits.Count > count) ? null : new PageFlagLayout(era, bits, listed.Count == 0 ? [.. bits.Keys] : [.. listed.Where(bits.ContainsKey)], count);
    }

    [GeneratedRegex("""\{\s*(?:\(?\s*1UL\s*<<\s*\(?\s*(?:PG_\w+|(?<bit>\d+))\s*\)?\s*\)?)\s*,\s*"(?<name>\w+)"\s*\}""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Entry();

    [GeneratedRegex("""\(\(?1UL\s*<<\s*\(?(?<count>\d+)\)?\)?\s*-\s*1\)""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Mask();

    [GeneratedRegex("""(?<![\w.])(\d{1,2})\.(\d{1,3})(?![\d:])""", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex VersionText();
}
