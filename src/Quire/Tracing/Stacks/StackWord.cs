namespace Quire;

/// <summary>The place of a word in the frames of a walk: so many words above the frame with an index.</summary>
internal readonly record struct StackWord : IComparable<StackWord>
{
    internal StackWord(int frame, int offset) => Answer = ((ulong)(uint)frame << 48) | ((ulong)(uint)offset << 32);

    internal StackWord(ulong answer) => Answer = answer;

    /// <summary>As a key's answer: its lower half, where a number would stand, is 0.</summary>
    internal ulong Answer { get; }

    internal int Frame => (int)(Answer >> 48);

    internal int Offset => (int)(Answer >> 32) & 0xFFFF;

    public int CompareTo(StackWord other) => Answer.CompareTo(other.Answer);

    /// <summary>Reads the word; false if it is not within its frame in this walk.</summary>
    internal unsafe bool TryRead(StackWalk* walk, out ulong word)
    {
        word = 0;
        if (Frame + 1 >= walk->Count)
        {
            return false;
        }

        ulong at = walk->Frames[Frame] + ((ulong)Offset * sizeof(ulong));
        if (at >= walk->Frames[Frame + 1])
        {
            return false;
        }

        word = *(ulong*)at;
        return true;
    }
}
