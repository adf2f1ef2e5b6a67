using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>Reads what is behind an event's name into bytes, and finds the format for them.</summary>
/// <remarks>Events of a kind are printed alike, so the words that the last one had are tried first, in place; only a line that differs is taken apart.</remarks>
internal sealed unsafe partial class TextKinds
{
    /// <summary>Numbers below are the kernel's own events'.</summary>
    private const int FirstId = 1000;
    private const int MaximumFormats = 8192;
    private const int MaximumShapes = 64;
    private const int MaximumWords = 64;
    private const int MaximumName = 128;

    private readonly ByteTable _names = new();
    private readonly List<TextKind> _kinds = [];
    private readonly List<TraceEventFormat> _formats = [];
    private readonly Word[] _words = new Word[MaximumWords];
    private readonly TextCounters _counters;

    /// <summary>What the attempt under way found out about pointers; counted when it succeeds.</summary>
    private readonly TextPointers _pointers = new();
    private readonly TextKind _unknown = new("unknown", "unknown");
    private int _count;

    internal TextKinds(TextCounters counters) => _counters = counters;

    internal IReadOnlyList<TraceEventFormat> Formats => _formats;

    /// <summary>Events that have no name.</summary>
    internal TextKind Unknown => _unknown;

    /// <summary>The kind of that name, <c>system:name</c> where perf wrote it; null where it can't be the name of an event.</summary>
    internal TextKind? Of(byte* name, int length)
    {
        int number = _names.Find(name, length);
        return number >= 0 ? _kinds[number] : IsName(name, length) ? Add(name, length) : null;
    }

    /// <summary>The kind of that name.</summary>
    internal TextKind Of(ReadOnlySpan<byte> name)
    {
        fixed (byte* bytes = name)
        {
            return Of(bytes, name.Length)!;
        }
    }

    /// <summary>Reads an event's words; false where the line is cut: then nothing is to be used of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal bool TryRead(TextKind kind, byte* text, int length, in TextPrefix prefix, TextEvent into, bool isUnended)
    {
        for (int at = 0; at < kind.Shapes.Count && at < 2; at++)
        {
            TextShape shape = kind.Shapes[at];
            if (TryInPlace(shape, text, length, prefix, into))
            {
                if (at > 0)
                {
                    (kind.Shapes[0], kind.Shapes[at]) = (shape, kind.Shapes[0]);
                }

                return true;
            }
        }

        return TryApart(kind, text, length, prefix, into, isUnended);
    }

    /// <summary>Makes an event of one text: <paramref name="word"/> names it.</summary>
    internal void Text(TextKind kind, string word, byte* text, int length, in TextPrefix prefix, TextEvent into)
    {
        TextShape shape = Find(kind, 1, word) ?? Make(kind, [(word, true, false, false)]);
        into.Shape(shape, prefix);
        _counters.TextsCut += into.PutText(shape.Slots[0].Offset, text, length) ? 0 : 1;
    }

    /// <summary>Makes an event of two texts.</summary>
    internal void Texts(TextKind kind, (string Name, int Start, int Length) first, (string Name, int Start, int Length) second, byte* text, in TextPrefix prefix, TextEvent into)
    {
        TextShape shape = Find(kind, 2, first.Name) ?? Make(kind, [(first.Name, true, false, false), (second.Name, true, false, false)]);
        into.Shape(shape, prefix);
        into.PutText(shape.Slots[0].Offset, text + first.Start, first.Length);
        _counters.TextsCut += into.PutText(shape.Slots[1].Offset, text + second.Start, second.Length) ? 0 : 1;
    }

    /// <summary>The shape of so many texts whose first has this name.</summary>
    private static TextShape? Find(TextKind kind, int count, string first)
    {
        foreach (TextShape shape in kind.Shapes)
        {
            if (shape.Slots.Length == count && shape.Slots[0].IsText && shape.Slots[^1].IsText && shape.Format.Find(first) is { Offset: TextShape.HeaderBytes })
            {
                return shape;
            }
        }

        return null;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryInPlace(TextShape shape, byte* text, int end, in TextPrefix prefix, TextEvent into)
    {
        TextSlot[] slots = shape.Slots;
        into.Shape(shape, prefix);
        _pointers.Hidden = 0;
        int at = 0;
        for (int number = 0; number < slots.Length; number++)
        {
            TextSlot slot = slots[number];
            byte[] printed = slot.Printed;
            if (end - at < printed.Length || !new ReadOnlySpan<byte>(text + at, printed.Length).SequenceEqual(printed))
            {
                return false;
            }

            at += printed.Length;
            if (!slot.IsText)
            {
                if (!TextValue.TryNumber(text, ref at, end, slot.IsHex, slot.IsInt32, _pointers, out ulong value))
                {
                    return false;
                }

                into.Put(slot.Offset, value);
                at += at < end && text[at] == ',' ? 1 : 0;
                if (at < end && !TextBytes.IsSpace(text[at]))
                {
                    return false;
                }
            }
            else
            {
                int start = at;
                int last = end;
                if (number + 1 < slots.Length)
                {
                    int space = new ReadOnlySpan<byte>(text + at, end - at).IndexOf((byte)' ');
                    if (space <= 0)
                    {
                        return false;
                    }

                    last = at + space;
                }
                else if (at == end || new ReadOnlySpan<byte>(text + at, end - at).IndexOf((byte)'=') >= 0)
                {
                    return false;
                }

                at = last;
                last -= last > start && text[last - 1] == ',' ? 1 : 0;
                _counters.TextsCut += into.PutText(slot.Offset, text + start, last - start) ? 0 : 1;
            }

            at = TextBytes.SkipSpaces(text, at, end);
        }

        if (at != end || slots.Length == 0)
        {
            return false;
        }

        CountPointers();
        return true;
    }

    private bool TryApart(TextKind kind, byte* text, int end, in TextPrefix prefix, TextEvent into, bool isUnended)
    {
        Split(text, end);
        if (_count == 0)
        {
            if (kind.LastField is not null || end == 0)
            {
                return false;
            }

            Text(kind, "text", text, end, prefix, into);
            return true;
        }

        foreach (TextShape shape in kind.Shapes)
        {
            if (shape.Slots.Length == _count && TryFill(shape, text, prefix, into))
            {
                kind.Shapes.Remove(shape);
                kind.Shapes.Insert(0, shape);
                return true;
            }
        }

        // A line that has the first words of one that is known, and not the rest, is cut; so is the file's last line where it ends in a word.
        if (IsCut(kind, text, isUnended))
        {
            return false;
        }

        if (_formats.Count >= MaximumFormats || kind.Shapes.Count >= MaximumShapes)
        {
            _counters.ShapesOver++;
            Text(_unknown, "text", text, end, prefix, into);
            return true;
        }

        List<(string, bool, bool, bool)> words = new(_count);
        for (int at = 0; at < _count; at++)
        {
            Word word = _words[at];
            string key = word.KeyLength == 0 ? "text" : TextNames.StringOf(new ReadOnlySpan<byte>(text + word.Key, word.KeyLength));
            bool isHex = TextNames.IsHex(kind.System, key);
            bool isNumber = word.KeyLength > 0 && !TextNames.IsText(key) && IsNumber(text, word, ref isHex);
            bool isUnsigned = isNumber && (isHex || TextBytes.StartsWith(text, word.Value, word.ValueEnd, "0x"u8)) && !TextNames.IsInt32(kind.System, key);
            words.Add((key, !isNumber, isHex, isUnsigned));
        }

        return TryFill(Make(kind, words), text, prefix, into);
    }

    private bool IsCut(TextKind kind, byte* text, bool isUnended)
    {
        Word last = _words[_count - 1];
        bool endsInWord = last.ValueEnd == last.Value;
        if (kind.LastField is { } wanted)
        {
            for (int at = 0; at < _count; at++)
            {
                if (new ReadOnlySpan<byte>(text + _words[at].Key, _words[at].KeyLength).SequenceEqual(System.Text.Encoding.ASCII.GetBytes(wanted)))
                {
                    return endsInWord && at == _count - 1;
                }
            }

            return true;
        }

        foreach (TextShape shape in kind.Shapes)
        {
            bool isSame = shape.Slots.Length > _count || (isUnended && shape.Slots.Length == _count);
            for (int at = 0; isSame && at < _count; at++)
            {
                isSame = shape.Slots[at].Printed.AsSpan()[..^1].SequenceEqual(new ReadOnlySpan<byte>(text + _words[at].Key, _words[at].KeyLength));
            }

            if (isSame)
            {
                return true;
            }
        }

        return isUnended && endsInWord;
    }

    /// <summary>Puts words that were taken apart into a shape; false where it has others, or other values.</summary>
    private bool TryFill(TextShape shape, byte* text, in TextPrefix prefix, TextEvent into)
    {
        into.Shape(shape, prefix);
        _pointers.Hidden = 0;
        for (int number = 0; number < _count; number++)
        {
            TextSlot slot = shape.Slots[number];
            Word word = _words[number];
            bool isFree = word.KeyLength == 0;
            if (!(isFree ? slot.Printed.AsSpan().SequenceEqual("text="u8) : slot.Printed.AsSpan()[..^1].SequenceEqual(new ReadOnlySpan<byte>(text + word.Key, word.KeyLength))))
            {
                return false;
            }

            if (slot.IsText)
            {
                // A number that stands where the shape has a text (flags=none, then flags=0x14) is of a shape of its own.
                bool isHex = slot.IsHex;
                if (!isFree && !slot.IsName && IsNumber(text, word, ref isHex))
                {
                    return false;
                }

                _counters.TextsCut += into.PutText(slot.Offset, text + word.Value, word.ValueEnd - word.Value) ? 0 : 1;
                continue;
            }

            int at = word.Value;
            if (!TextValue.TryNumber(text, ref at, word.ValueEnd, slot.IsHex, slot.IsInt32, _pointers, out ulong value) || at != word.ValueEnd)
            {
                return false;
            }

            into.Put(slot.Offset, value);
        }

        CountPointers();
        return true;
    }

    private void CountPointers()
    {
        _counters.PointersHidden += _pointers.Hidden;
        _counters.PointersHashed |= _pointers.Hashed;
    }

    private TextShape Make(TextKind kind, IReadOnlyList<(string, bool, bool, bool)> words)
    {
        TextShape shape = TextShape.Make(kind.System, kind.Name, FirstId + _formats.Count, words);
        _formats.Add(shape.Format);
        kind.Shapes.Insert(0, shape);
        return shape;
    }

    private static bool IsName(byte* text, int length)
    {
        for (int at = 0; at < length; at++)
        {
            if (!(TextBytes.IsName(text[at]) || text[at] is (byte)':' or (byte)'-' or (byte)'.' or (byte)'$'))
            {
                return false;
            }
        }

        // "system:" with nothing behind it names no event.
        return length is > 0 and <= MaximumName && !TextBytes.IsDigit(*text) && text[length - 1] != ':';
    }

    private TextKind Add(byte* name, int length)
    {
        ReadOnlySpan<byte> whole = new(name, length);
        int colon = whole.IndexOf((byte)':');
        string text = TextNames.StringOf(colon < 0 ? whole : whole[(colon + 1)..]);
        if (_kinds.Count >= MaximumFormats)
        {
            return _unknown;
        }

        // The same event with and without its system is one kind.
        TextKind kind = _kinds.Find(other => other.Name == text) ?? new TextKind(colon < 0 ? TextNames.SystemOf(text) : TextNames.StringOf(whole[..colon]), text);
        _names.Add(name, length);
        _kinds.Add(kind);
        return kind;
    }

    private struct Word
    {
        internal int Key;
        internal int KeyLength;
        internal int Value;
        internal int ValueEnd;
    }
}
