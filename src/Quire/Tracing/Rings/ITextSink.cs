namespace Quire;

/// <summary>Where texts go that events name by number: the dictionary of a recording.</summary>
/// <remarks>
/// Called on the thread that first met the text, under the lock of the table that numbers it: so it does not call back into the tables, and it never
/// throws. What it can't keep it counts. The same number may come twice, with the same text.
/// </remarks>
internal interface ITextSink
{
    /// <summary>A call site, the name of an allocator or area, or a frame of a stack.</summary>
    void Text(uint number, string text);

    /// <summary>A stack: the numbers of its frames' texts, the top first.</summary>
    void Stack(uint number, ReadOnlySpan<uint> frames, bool isPartial);
}
