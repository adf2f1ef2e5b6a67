using System.Diagnostics.CodeAnalysis;

namespace Quire;

/// <summary>Which references a recording is about: of which pages, of what size, taken where.</summary>
/// <remarks>
/// <para>
/// A filter is written as terms with blanks between them. <b>Terms of one kind are alternatives, kinds are combined by "and"</b>:
/// </para>
/// <code>
/// page=0x100-0x1ff,0x300              frame numbers of pages' heads (pfn), decimal or 0x…, single or from-to
/// size>=4096   size=64-4K,64K         bytes that the holder uses of its page; =, >, >=, &lt;, &lt;=; K, M and G are powers of 1,024
/// site=Parser.cs:141,Retry.cs         file, with as much of its path as needed, and line if given: exactly these
/// site~parser                         part of the file's path or of the member's name; letters' case does not matter
/// </code>
/// <para>
/// A value with blanks or commas stands in double quotes: <c>site="My Parser.cs":141</c>. So
/// <c>size>=4096 site=Parser.cs:141 site~retry</c> means: at least 4,096 bytes, and taken in line 141 of a file Parser.cs or wherever "retry" occurs.
/// </para>
/// <para>Immutable: safe on any thread.</para>
/// </remarks>
public sealed class TraceFilter
{
    private readonly FilterRange[] _pages;
    private readonly FilterRange[] _sizes;
    private readonly SiteTerm[] _sites;
    private readonly string _text;

    internal TraceFilter(string text, FilterRange[] pages, FilterRange[] sizes, SiteTerm[] sites)
    {
        _text = text;
        _pages = pages;
        _sizes = sizes;
        _sites = sites;
    }

    /// <summary>Whether it asks for call sites.</summary>
    internal bool HasSites => _sites.Length > 0;

    /// <summary>Whether a page's number is all it asks for.</summary>
    internal bool IsPagesOnly => _sizes.Length == 0 && _sites.Length == 0;

    /// <summary>Reads a filter.</summary>
    /// <param name="text">The terms; see the type.</param>
    /// <exception cref="FormatException">It is none; the message says what is wrong at which character.</exception>
    public static TraceFilter Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new TraceFilterParser(text).Parse();
    }

    /// <summary>Reads a filter, without exceptions.</summary>
    /// <param name="text">The terms; see the type.</param>
    /// <param name="filter">The filter, if it is one.</param>
    /// <param name="error">Otherwise what is wrong at which character, one sentence.</param>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out TraceFilter? filter, [NotNullWhen(false)] out string? error)
    {
        try
        {
            filter = Parse(text ?? "");
            error = null;
            return true;
        }
        catch (FormatException wrong)
        {
            filter = null;
            error = wrong.Message;
            return false;
        }
    }

    /// <summary>The filter as it was written.</summary>
    public override string ToString() => _text;

    internal bool MatchesPage(uint frame) => Any(_pages, frame);

    internal bool MatchesSize(uint bytes) => Any(_sizes, bytes);

    internal bool MatchesSite(CallSite site)
    {
        foreach (SiteTerm term in _sites)
        {
            if (term.Matches(site))
            {
                return true;
            }
        }

        return _sites.Length == 0;
    }

    private static bool Any(FilterRange[] ranges, ulong value)
    {
        foreach (FilterRange range in ranges)
        {
            if (value >= range.First && value <= range.Last)
            {
                return true;
            }
        }

        return ranges.Length == 0;
    }
}

/// <summary>Numbers from one to another, both included.</summary>
internal readonly record struct FilterRange(ulong First, ulong Last);

/// <summary>A call site asked for: exactly (file's end and line, 0 for any), or by a part of its text.</summary>
internal readonly record struct SiteTerm(string Text, int Line, bool IsPart)
{
    internal bool Matches(CallSite site)
    {
        if (site.IsUnknown)
        {
            return false;
        }

        return IsPart
            ? site.File.Contains(Text, StringComparison.OrdinalIgnoreCase) || (site.Member ?? "").Contains(Text, StringComparison.OrdinalIgnoreCase)
            : (Line == 0 || Line == site.Line) && EndsWithPath(site.File, Text);
    }

    /// <summary>Whole names only: "Parser.cs" is not the end of "HttpParser.cs". Either kind of slash, since an assembly built on Windows is read on Linux too.</summary>
    private static bool EndsWithPath(string file, string end)
    {
        int start = file.Length - end.Length;
        if (start < 0 || (start > 0 && !IsSlash(file[start - 1]) && !IsSlash(end[0])))
        {
            return false;
        }

        for (int i = 0; i < end.Length; i++)
        {
            if (file[start + i] != end[i] && !(IsSlash(file[start + i]) && IsSlash(end[i])))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsSlash(char c) => c is '/' or '\\';
}
