using System.Runtime.InteropServices;

namespace Quire;

/// <summary>Numbers for the texts that events name. A stand-in in the shape of the recording's dictionary, until that is merged: it interns, and publishes nowhere.</summary>
internal static class TextTable
{
    private const uint FirstNumber = 0x4000_0000;
    private static readonly Lock s_gate = new();
    private static readonly Dictionary<string, uint> s_numbers = new(StringComparer.Ordinal);
    private static readonly List<string> s_texts = [];

    /// <summary>The number of a text; equal texts have one number.</summary>
    internal static uint NumberOf(string text)
    {
        lock (s_gate)
        {
            ref uint number = ref CollectionsMarshal.GetValueRefOrAddDefault(s_numbers, text, out bool known);
            if (!known)
            {
                number = FirstNumber + (uint)s_texts.Count;
                s_texts.Add(text);
            }

            return number;
        }
    }

    /// <summary>The text with a number; empty for a number never given out.</summary>
    internal static string TextOf(uint number)
    {
        lock (s_gate)
        {
            return number >= FirstNumber && number - FirstNumber < (uint)s_texts.Count ? s_texts[(int)(number - FirstNumber)] : "";
        }
    }

    /// <summary>Puts a stack into the running recording, if there is one.</summary>
    internal static void PublishStack(uint number, ReadOnlySpan<uint> frames, bool isPartial)
    {
    }
}
