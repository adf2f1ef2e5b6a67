namespace Quire.Traces.Analysis;

/// <summary>Which bit of a page's flags is which, in the kernel that was traced. Immutable.</summary>
internal sealed class PageFlagLayout
{
    private readonly Dictionary<string, int> _bits = [];

    private PageFlagLayout()
    {
    }

    /// <summary>The layout that fits what is known; null: none does.</summary>
    /// <param name="printFormat">What stands behind <c>print fmt:</c> in the format of a page_ref event; null: not known.</param>
    /// <param name="uname">The kernel's version; null: not known.</param>
    /// <param name="evidence">Flags that occurred, whether their page was anonymous (bit 0 of its mapping), and how often.</param>
    internal static PageFlagLayout? Guess(string? printFormat, string? uname, IEnumerable<(ulong Flags, bool IsAnonymous, long Count)> evidence)
    {
        _ = (printFormat, uname, evidence);
        return null;
    }

    /// <summary>The bit of a flag, by the name that the kernel's events print.</summary>
    internal bool TryBit(string name, out int bit) => _bits.TryGetValue(name, out bit);

    /// <summary>Flags as the kernel's events print them: <c>uptodate|lru</c>.</summary>
    internal string Describe(ulong flags) => string.Join('|', _bits.Where(pair => (flags >> pair.Value & 1) != 0).Select(static pair => pair.Key));

    /// <summary>The flags that the analysis asks for.</summary>
    internal PageFlags Of(ulong raw) => Parse(Describe(raw));

    /// <summary>The flags that the analysis asks for, of a text as the kernel's events print it.</summary>
    internal static PageFlags Parse(string text) => text.Length == 0 ? PageFlags.None : PageFlags.None;
}
