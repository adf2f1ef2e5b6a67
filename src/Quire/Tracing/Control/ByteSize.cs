using System.Globalization;

namespace Quire;

/// <summary>Sizes as people write them: <c>4096</c>, <c>64K</c>, <c>1M</c>, <c>2GiB</c>. Always powers of 1,024.</summary>
internal static class ByteSize
{
    private static readonly (string Suffix, int Shift)[] s_units =
    [
        ("KiB", 10), ("MiB", 20), ("GiB", 30), ("K", 10), ("M", 20), ("G", 30), ("B", 0),
    ];

    /// <summary>False for what is no size, is negative, or does not fit.</summary>
    internal static bool TryParse(ReadOnlySpan<char> text, out long bytes)
    {
        int shift = 0;
        foreach ((string suffix, int bits) in s_units)
        {
            if (text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                text = text[..^suffix.Length];
                shift = bits;
                break;
            }
        }

        bool ok = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out bytes) && bytes <= long.MaxValue >> shift;
        bytes = ok ? bytes << shift : 0;
        return ok;
    }
}
