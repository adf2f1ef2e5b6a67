using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>Reads values: <c>0x1f</c>, <c>-1</c>, <c>00000000d0dd1883</c>, <c>(nil)</c>.</summary>
internal static unsafe class TextValue
{
    /// <summary>Reads a number from a place on. It stands at the number's end afterwards, wherever that is; spaces before it are passed over. Pointers that were hidden or hashed are noted, where there is something to note them in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static bool TryNumber(byte* text, ref int at, int end, bool isHex, bool isInt32, TextPointers? pointers, out ulong value)
    {
        value = 0;
        at = TextBytes.SkipSpaces(text, at, end);
        if (at >= end)
        {
            return false;
        }

        byte first = text[at];
        if (first == '(')
        {
            return TrySpecial(text, ref at, end, pointers);
        }

        if (first == '0' && at + 2 < end && text[at + 1] == 'x')
        {
            at += 2;
            if (!TextBytes.TryHex(text, ref at, end, out value))
            {
                return false;
            }

            value = isInt32 && value <= uint.MaxValue ? (ulong)(int)value : value;

            // The option "fields" prints "0x1f (31)": the second has the sign.
            if (at + 2 < end && text[at] == ' ' && text[at + 1] == '(')
            {
                int decimals = at + 2;
                if (TrySigned(text, ref decimals, end, out ulong number) && decimals < end && text[decimals] == ')')
                {
                    value = number;
                    at = decimals + 1;
                }
            }

            return true;
        }

        if (isHex)
        {
            int start = at;
            if (!TextBytes.TryHex(text, ref at, end, out value))
            {
                return false;
            }

            if (pointers is not null && at - start == 16 && value != 0 && value <= uint.MaxValue)
            {
                pointers.Hashed = 1;
            }

            return true;
        }

        return TrySigned(text, ref at, end, out value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TrySigned(byte* text, ref int at, int end, out ulong value)
    {
        bool isBelow0 = at < end && text[at] == '-';
        at += isBelow0 ? 1 : 0;
        ulong digits = 0;
        int from = at;
        while (at < end && TextBytes.IsDigit(text[at]))
        {
            digits = (digits * 10) + (uint)(text[at] - '0');
            at++;
        }

        value = isBelow0 ? 0 - digits : digits;
        return at > from && at - from <= 20;
    }

    /// <summary>What stands for a pointer: none, or one that is not told.</summary>
    private static bool TrySpecial(byte* text, ref int at, int end, TextPointers? pointers)
    {
        int length = new ReadOnlySpan<byte>(text + at, Math.Min(end - at, 24)).IndexOf((byte)')') + 1;
        ReadOnlySpan<byte> word = new(text + at, length);
        at += length;
        if (word.SequenceEqual("(nil)"u8) || word.SequenceEqual("(null)"u8))
        {
            return true;
        }

        if (word.IndexOf("ptrval"u8) < 0)
        {
            return false;
        }

        if (pointers is not null)
        {
            pointers.Hidden++;
        }

        return true;
    }
}

/// <summary>What values told about pointers.</summary>
internal sealed class TextPointers
{
    /// <summary>Pointers that were not told.</summary>
    internal int Hidden { get; set; }

    /// <summary>1: a pointer of 16 digits whose upper half is 0, as hashes are.</summary>
    internal long Hashed { get; set; }
}
