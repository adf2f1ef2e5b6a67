using System.Text;

namespace Quire.Traces;

/// <summary>Makes the same bytes the same string, so that texts which recur cost nothing. Bounded: when it is full, further texts are new strings.</summary>
internal sealed class TextCache
{
    private const int Slots = 1 << 14;
    private const int MaximumLength = 256;

    /// <summary>Made with the first text: most inputs are opened for numbers alone, and it is large.</summary>
    private (byte[] Bytes, string Text)[]? _slots;

    internal string Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return "";
        }

        if (bytes.Length > MaximumLength)
        {
            return Encoding.UTF8.GetString(bytes);
        }

        HashCode hash = default;
        hash.AddBytes(bytes);
        _slots ??= new (byte[], string)[Slots];
        ref (byte[] Bytes, string Text) slot = ref _slots[hash.ToHashCode() & (Slots - 1)];
        if (slot.Text is null || !bytes.SequenceEqual(slot.Bytes))
        {
            slot = (bytes.ToArray(), Encoding.UTF8.GetString(bytes));
        }

        return slot.Text;
    }
}
