using System.Runtime.InteropServices;

namespace Quire.Traces.Analysis;

/// <summary>One operation on a live page's count, written down until the page's references are settled.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct RefEntry
{
    internal long Time;
    internal int Next;
    internal int Stack;
    internal int Pid;

    /// <summary>As <see cref="RefEvent.Value"/>; of <see cref="RefOp.Unseen"/> what must have been added.</summary>
    internal int Value;
    internal int Count;
    internal int Mapcount;
    internal int Look;

    /// <summary>How likely a reference taken here is still held, after the puts that were settled already: 1 where none was.</summary>
    internal float Survival;
    internal RefOp Op;
}

/// <summary>
/// The operations on live pages' counts, a list a page, in one slab. References are matched late, when a page's life ends or the trace does: then what balanced
/// histories teach is known.
/// </summary>
/// <remarks>
/// Invariant: an entry is in exactly one list, or free. Memory is bounded by live pages, since a long list is settled in the midst of its life
/// (<see cref="PageLifetimes"/>).
/// </remarks>
internal sealed class RefJournal
{
    internal const int None = -1;
    private const int ChunkBits = 14;
    private const int ChunkSize = 1 << ChunkBits;

    private readonly List<RefEntry[]> _chunks = [];
    private int _used;
    private int _free = None;

    /// <summary>Entries in lists.</summary>
    internal int Count { get; private set; }

    internal ref RefEntry this[int entry] => ref _chunks[entry >> ChunkBits][entry & (ChunkSize - 1)];

    /// <summary>Writes an entry behind the last one of a list.</summary>
    internal void Append(ref int first, ref int last, in RefEntry entry)
    {
        int at = _free;
        if (at == None)
        {
            at = _used++;
            if (at >> ChunkBits == _chunks.Count)
            {
                _chunks.Add(new RefEntry[ChunkSize]);
            }
        }
        else
        {
            _free = this[at].Next;
        }

        ref RefEntry slot = ref this[at];
        slot = entry;
        slot.Next = None;
        if (last == None)
        {
            first = at;
        }
        else
        {
            this[last].Next = at;
        }

        last = at;
        Count++;
    }

    /// <summary>Gives a list's entries back.</summary>
    internal void Drop(ref int first, ref int last)
    {
        for (int at = first; at != None;)
        {
            int next = this[at].Next;
            this[at].Next = _free;
            _free = at;
            at = next;
            Count--;
        }

        first = last = None;
    }
}
