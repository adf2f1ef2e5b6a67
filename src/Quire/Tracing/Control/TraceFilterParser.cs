using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Quire;

/// <summary>Reads the terms of a <see cref="TraceFilter"/>, left to right. Every error names the character, counted from 1, at which it shows.</summary>
internal sealed class TraceFilterParser(string text)
{
    private const string Kinds = "page, size and site";
    private readonly List<FilterRange> _pages = [];
    private readonly List<FilterRange> _sizes = [];
    private readonly List<SiteTerm> _sites = [];
    private int _at;

    internal TraceFilter Parse()
    {
        SkipBlanks();
        if (_at == text.Length)
        {
            Fail(_at, $"there is no term; a filter asks for {Kinds}, for example size>=4096");
        }

        int sizes = _at;
        while (_at < text.Length)
        {
            int start = _at;
            string kind = Word();
            sizes = kind == "size" ? start : sizes;
            switch (kind)
            {
                case "page":
                    Expect('=', "page");
                    Ranges(_pages, Frame, "frame number (decimal, or hexadecimal with 0x)");
                    break;
                case "size":
                    Size();
                    break;
                case "site":
                    Site();
                    break;
                default:
                    Fail(start, kind.Length == 0 ? $"a term begins with one of {Kinds}" : $"'{kind}' is nothing to filter by; there are {Kinds}");
                    break;
            }

            if (_at < text.Length && !char.IsWhiteSpace(text[_at]))
            {
                Fail(_at, $"'{text[_at]}' is not expected here; terms have blanks between them");
            }

            SkipBlanks();
        }

        if (AdmitEverything(_sizes))
        {
            Fail(sizes, "the size terms together admit every size, since terms of one kind are alternatives; for a range write size=4096-8192");
        }

        return new TraceFilter(text.Trim(), [.. _pages], [.. _sizes], [.. _sites]);
    }

    /// <summary>"size>=4096 size&lt;=8192" is a natural mistake: as alternatives the two mean everything.</summary>
    private static bool AdmitEverything(List<FilterRange> ranges)
    {
        ulong next = 0;
        foreach (FilterRange range in ranges.OrderBy(static range => range.First))
        {
            if (range.First > next)
            {
                return false;
            }

            if (range.Last >= uint.MaxValue)
            {
                return true;
            }

            next = Math.Max(next, range.Last + 1);
        }

        return false;
    }

    private void Size()
    {
        int place = _at;
        switch (Operator("=", ">=", "<=", ">", "<"))
        {
            case "=":
                Ranges(_sizes, Bytes, "number of bytes (K, M or G may follow)");
                break;
            case ">=":
                _sizes.Add(new FilterRange(One(), ulong.MaxValue));
                break;
            case "<=":
                _sizes.Add(new FilterRange(0, One()));
                break;
            case ">":
                _sizes.Add(new FilterRange(One() + 1, ulong.MaxValue));
                break;
            case "<":
                int at = _at;
                ulong limit = One();
                _sizes.Add(limit == 0 ? throw Error(at, "nothing is smaller than 0 bytes") : new FilterRange(0, limit - 1));
                break;
            default:
                Fail(place, "after 'size' comes one of = >= <= > <");
                break;
        }

        ulong One() => Number(Bytes, "number of bytes (K, M or G may follow)");
    }

    private void Site()
    {
        int place = _at;
        bool isPart = Operator("=", "~") switch
        {
            "=" => false,
            "~" => true,
            _ => throw Error(place, "after 'site' comes = (this file, this line) or ~ (contains)"),
        };
        do
        {
            int start = _at;
            string value = Value();
            int line = 0;
            if (!isPart && value.LastIndexOf(':') is >= 0 and int colon && (colon == value.Length - 1 || value.AsSpan(colon + 1).IndexOfAnyExceptInRange('0', '9') < 0))
            {
                if (!int.TryParse(value.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out line) || line == 0)
                {
                    Fail(start, $"'{value[(colon + 1)..]}' is no line; a site is written File.cs:141");
                }

                value = value[..colon];
            }

            if (value.Length == 0)
            {
                Fail(start, isPart ? "there is nothing to look for behind 'site~'" : "a file's name is missing behind 'site='");
            }

            _sites.Add(new SiteTerm(value, line, isPart));
        }
        while (Accept(','));
    }

    private void Ranges(List<FilterRange> ranges, TryRead read, string what)
    {
        do
        {
            int start = _at;
            ulong first = Number(read, what);
            ulong last = Accept('-') ? Number(read, what) : first;
            if (last < first)
            {
                Fail(start, $"{text[start.._at]} ends before it begins");
            }

            ranges.Add(new FilterRange(first, last));
        }
        while (Accept(','));
    }

    private ulong Number(TryRead read, string what)
    {
        int start = _at;
        while (_at < text.Length && char.IsAsciiLetterOrDigit(text[_at]))
        {
            _at++;
        }

        if (!read(text.AsSpan(start, _at - start), out ulong number))
        {
            Fail(start, _at == start ? $"a {what} is missing" : $"'{text[start.._at]}' is no {what}");
        }

        return number;
    }

    private static bool Frame(ReadOnlySpan<char> digits, out ulong number) => digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
        ? ulong.TryParse(digits[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
        : ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    // At most what a holder's size can be, so that no sum with it overflows.
    private static bool Bytes(ReadOnlySpan<char> digits, out ulong number)
    {
        bool ok = ByteSize.TryParse(digits, out long bytes) && bytes <= uint.MaxValue;
        number = ok ? (ulong)bytes : 0;
        return ok;
    }

    /// <summary>Up to a blank or a comma; what stands in double quotes may have both.</summary>
    private string Value()
    {
        StringBuilder value = new();
        int quote = -1;
        for (; _at < text.Length && (quote >= 0 || (text[_at] != ',' && !char.IsWhiteSpace(text[_at]))); _at++)
        {
            if (text[_at] == '"')
            {
                quote = quote < 0 ? _at : -1;
            }
            else
            {
                value.Append(text[_at]);
            }
        }

        return quote < 0 ? value.ToString() : throw Error(quote, "the quotation mark has no second one");
    }

    private string Word()
    {
        int start = _at;
        while (_at < text.Length && char.IsAsciiLetter(text[_at]))
        {
            _at++;
        }

        return text[start.._at];
    }

    private string Operator(params ReadOnlySpan<string> operators)
    {
        string found = "";
        foreach (string candidate in operators)
        {
            if (candidate.Length > found.Length && text.AsSpan(_at).StartsWith(candidate, StringComparison.Ordinal))
            {
                found = candidate;
            }
        }

        _at += found.Length;
        return found;
    }

    private void Expect(char c, string behind)
    {
        if (!Accept(c))
        {
            Fail(_at, $"after '{behind}' comes {c}");
        }
    }

    private bool Accept(char c)
    {
        bool there = _at < text.Length && text[_at] == c;
        _at += there ? 1 : 0;
        return there;
    }

    private void SkipBlanks()
    {
        while (_at < text.Length && char.IsWhiteSpace(text[_at]))
        {
            _at++;
        }
    }

    [DoesNotReturn]
    private void Fail(int place, string what) => throw Error(place, what);

    private FormatException Error(int place, string what) => new($"Filter, character {place + 1}: {what}.{(text.Length > 0 ? $" It reads: {text}" : "")}");

    private delegate bool TryRead(ReadOnlySpan<char> digits, out ulong number);
}
