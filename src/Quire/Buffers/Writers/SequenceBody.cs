namespace Quire;

/// <summary>A sequence's segments while it lives; used again by another afterwards, under the next version.</summary>
/// <remarks>Equations: segments hang together from <see cref="First"/> to <see cref="Last"/>, <see cref="Count"/> of them, with running indexes from 0; <see cref="Length"/> is the sum of theirs.</remarks>
internal sealed class SequenceBody : IShelved<SequenceBody>
{
    [ThreadStatic]
    private static Shelf<SequenceBody>? t_shelf;

    /// <summary>One to be used, as it was left.</summary>
    internal static SequenceBody OffShelf() => Shelf<SequenceBody>.Take(ref t_shelf);

    /// <summary>Nobody uses it any more.</summary>
    internal static void ToShelf(SequenceBody item) => Shelf<SequenceBody>.Give(ref t_shelf, item);

    internal SequenceSegment? First;
    internal SequenceSegment? Last;
    internal long Length;
    internal int Count;

    /// <summary>Moves on when the sequence ends: a handle with another version is stale.</summary>
    internal ulong Version = 1;
    internal CallSite EndedAt;

    SequenceBody? IShelved<SequenceBody>.Next { get; set; }

    internal void Append(SequenceSegment segment)
    {
        if (Last is null)
        {
            First = segment;
        }
        else
        {
            Last.Append(segment);
        }

        Last = segment;
        Length += segment.Length;
        Count++;
    }

    /// <summary>Drops all references. The first that fails is thrown when all others are gone.</summary>
    internal void FreeAll(CallSite site)
    {
        PageBugException? bug = null;
        SequenceSegment? segment = First;
        Clear();
        while (segment is not null)
        {
            SequenceSegment? next = segment.Following;
            try
            {
                segment.Free(site);
            }
            catch (PageBugException wrong)
            {
                bug ??= wrong;
            }

            segment = next;
        }

        if (bug is not null)
        {
            throw bug;
        }
    }

    internal void Clear()
    {
        First = null;
        Last = null;
        Length = 0;
        Count = 0;
    }
}
