using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>Small readers of ASCII.</summary>
internal static unsafe class TextBytes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsDigit(byte c) => (uint)(c - '0') <= 9;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsSpace(byte c) => c is (byte)' ' or (byte)'\t';

    /// <summary>Of a name in C.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsName(byte c) => (uint)((c | 0x20) - 'a') <= 25 || IsDigit(c) || c == '_';

    /// <summary>The digit's value, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int HexDigit(byte c) => IsDigit(c) ? c - '0' : (uint)((c | 0x20) - 'a') <= 5 ? (c | 0x20) - 'a' + 10 : -1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int SkipSpaces(byte* text, int at, int end)
    {
        while (at < end && IsSpace(text[at]))
        {
            at++;
        }

        return at;
    }

    internal static int TrimEnd(byte* text, int start, int end)
    {
        while (end > start && (IsSpace(text[end - 1]) || text[end - 1] == '\r'))
        {
            end--;
        }

        return end;
    }

    /// <summary>Reads decimal digits from a place on; false where there is none or the number is too large.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryDecimal(byte* text, ref int at, int end, out long value)
    {
        long number = 0;
        int start = at;
        while (at < end && IsDigit(text[at]))
        {
            number = (number * 10) + (text[at] - '0');
            at++;
        }

        value = number;
        return at > start && at - start <= 18;
    }

    /// <summary>Reads hexadecimal digits from a place on; false where there is none or there are more than 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryHex(byte* text, ref int at, int end, out ulong value)
    {
        ulong number = 0;
        int start = at;
        for (int digit; at < end && (digit = HexDigit(text[at])) >= 0; at++)
        {
            number = (number << 4) | (uint)digit;
        }

        value = number;
        return at > start && at - start <= 16;
    }

    internal static bool StartsWith(byte* text, int at, int end, ReadOnlySpan<byte> what) => end - at >= what.Length && new ReadOnlySpan<byte>(text + at, what.Length).SequenceEqual(what);

    internal static int IndexOf(byte* text, int at, int end, ReadOnlySpan<byte> what)
    {
        int found = at < end ? new ReadOnlySpan<byte>(text + at, end - at).IndexOf(what) : -1;
        return found < 0 ? -1 : at + found;
    }
}
