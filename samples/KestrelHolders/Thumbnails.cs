using System.Collections.Concurrent;

namespace Quire.Samples.KestrelHolders;

/// <summary>Keeps the first bytes of each message for a list that nobody has written yet.</summary>
internal sealed class Thumbnails
{
    private const int Length = 16;

    private readonly ConcurrentQueue<ReadOnlyPageMemory> _made = [];

    /// <summary>
    /// The mistake of this sample: a slice of 16 bytes has a reference of its own, is never dropped, and keeps the whole page of a message in memory after the message was deleted.
    /// </summary>
    public void Make(string name, PageMemory message)
    {
        if (message.Length >= Length && !name.StartsWith('.'))
        {
            _made.Enqueue(message.SliceReadOnly(0, Length));
        }
    }
}
