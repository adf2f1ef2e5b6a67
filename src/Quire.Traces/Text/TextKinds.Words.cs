namespace Quire.Traces;

/// <content>How a line's fields come apart into words.</content>
internal sealed unsafe partial class TextKinds
{
    /// <summary>Takes the words apart: a value goes up to the next <c> key=</c>, and what stands before the first key is a word without one.</summary>
    private void Split(byte* text, int end)
    {
        _count = 0;
        int at = TextBytes.SkipSpaces(text, 0, end);
        int free = at;
        for (int equals = at; equals < end; equals++)
        {
            int found = new ReadOnlySpan<byte>(text + equals, end - equals).IndexOf((byte)'=');
            if (found < 0)
            {
                break;
            }

            equals += found;
            int key = equals;
            while (key > at && TextBytes.IsName(text[key - 1]))
            {
                key--;
            }

            bool isKey = key < equals && !TextBytes.IsDigit(text[key]) && (key == at || TextBytes.IsSpace(text[key - 1]) || text[key - 1] == ',')
                && !(equals + 1 < end && text[equals + 1] == '=');
            if (!isKey || _count == MaximumWords)
            {
                continue;
            }

            if (_count > 0)
            {
                Close(text, key);
            }
            else if (key > free)
            {
                _words[_count++] = new Word { Value = free };
                Close(text, key);
            }

            if (_count < MaximumWords)
            {
                _words[_count++] = new Word { Key = key, KeyLength = equals - key, Value = equals + 1 };
            }

            at = equals + 1;
        }

        if (_count > 0)
        {
            Close(text, end);
        }
    }

    private void Close(byte* text, int end)
    {
        ref Word word = ref _words[_count - 1];
        word.Value = TextBytes.SkipSpaces(text, word.Value, end);
        word.ValueEnd = TextBytes.TrimEnd(text, word.Value, end);
        if (word.ValueEnd > word.Value && text[word.ValueEnd - 1] == ',')
        {
            word.ValueEnd = TextBytes.TrimEnd(text, word.Value, word.ValueEnd - 1);
        }
    }

    private static bool IsNumber(byte* text, in Word word, ref bool isHex)
    {
        int at = word.Value;
        if (TextValue.TryNumber(text, ref at, word.ValueEnd, isHex, isInt32: false, null, out _) && at == word.ValueEnd)
        {
            // Digits that begin with 0 and fill a pointer's width are a pointer, though none of them is a letter.
            isHex |= text[word.Value] == '0' && word.ValueEnd - word.Value == 16;
            return true;
        }

        at = word.Value;
        if (word.ValueEnd - word.Value is 8 or 16 && TextBytes.TryHex(text, ref at, word.ValueEnd, out _) && at == word.ValueEnd)
        {
            isHex = true;
            return true;
        }

        return false;
    }
}
