using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>What a packet is while it lives: its head, its fragments. Used again by another packet afterwards, under the next version.</summary>
/// <remarks>
/// Equations, checked by <see cref="Verify"/>: <c>Start &lt;= Head.Offset</c>, <c>Head.End &lt;= End</c> (head room, data, tail room);
/// <c>Total == Head.Length +</c> the fragments' lengths; fragments are never empty; every part beyond is <c>default</c>.
/// On the shelf it has no fragments and no share; the rest is whatever the last packet left (<see cref="Take"/> clears it).
/// </remarks>
internal sealed class PacketBody : IShelved<PacketBody>
{
    [ThreadStatic]
    private static Shelf<PacketBody>? t_shelf;

    /// <summary>The data of the head. Its page's bytes from <see cref="Start"/> to <see cref="End"/> are this packet's to use.</summary>
    internal PacketPart Head;
    internal PacketParts Fragments;
    internal int Start;
    internal int End;
    internal int FragmentCount;

    /// <summary>Bytes of data, head and fragments.</summary>
    internal int Total;

    /// <summary>Moves on when the packet ends: a handle with another version is stale.</summary>
    internal ulong Version = 1;

    /// <summary>Where the last packet in this body ended, and by what.</summary>
    private string _endedFile = "";
    private string _endedMember = "";
    private int _endedLine;

    internal CallSite EndedAt => new(_endedFile, _endedLine, _endedMember);

    internal string? EndedBy { get; private set; }

    PacketBody? IShelved<PacketBody>.Next { get; set; }

    internal int HeadRoom => Head.Offset - Start;

    internal int TailRoom => End - Head.End;

    internal bool IsShared => Head.Share is { IsShared: true };

    internal ref PacketPart Last => ref Fragments[FragmentCount - 1];

    /// <summary>One with whatever the last packet left in its head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PacketBody OffShelf() => Shelf<PacketBody>.Take(ref t_shelf);

    /// <summary>An empty one.</summary>
    internal static PacketBody Take()
    {
        PacketBody body = OffShelf();
        body.Clear();
        return body;
    }

    /// <summary>The packet has ended, and its parts have been moved out or freed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void ToShelf(PacketBody body) => Shelf<PacketBody>.Give(ref t_shelf, body);

    /// <summary>Makes every handle of a version stale. Of two threads that try, one does; false for the other, and for who comes late.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryEnd(ulong version, string by, string file, int line, string member)
    {
        // Happens before: full fence; all that was done with the packet comes before its state is another's.
        if (Atomic.CompareExchange(ref Version, version + 1, version) != version)
        {
            return false;
        }

        EndedBy = by;
        _endedFile = file;
        _endedLine = line;
        _endedMember = member;
        return true;
    }

    /// <summary>Appends a fragment, as part of the last one where it adjoins. The caller has made sure that there is room.</summary>
    internal void Append(ref PacketPart part, CallSite site)
    {
        Total += part.Length;
        if (part.Length == 0)
        {
            part.Free(site);
        }
        else if (FragmentCount != 0 && Last.Adjoins(part))
        {
            Last.Length += part.Length;
            part.Free(site);
        }
        else
        {
            Fragments[FragmentCount++] = part;
            part = default;
        }
    }

    /// <summary>Drops <paramref name="count"/> fragments from the one at <paramref name="index"/> on. Lengths are the caller's business.</summary>
    internal void RemoveFragments(int index, int count, CallSite site)
    {
        for (int i = index; i < index + count; i++)
        {
            Fragments[i].Free(site);
        }

        Span<PacketPart> all = Fragments;
        all[(index + count)..FragmentCount].CopyTo(all[index..]);
        all[(FragmentCount - count)..FragmentCount].Clear();
        FragmentCount -= count;
    }

    /// <summary>Takes bytes off the front; there are so many.</summary>
    internal void TakeOffFront(int bytes, CallSite site)
    {
        Total -= bytes;
        int fromHead = Math.Min(bytes, Head.Length);
        Head.Offset += fromHead;
        Head.Length -= fromHead;
        bytes -= fromHead;
        int whole = 0;
        while (bytes != 0 && bytes >= Fragments[whole].Length)
        {
            bytes -= Fragments[whole++].Length;
        }

        if (bytes != 0)
        {
            Fragments[whole].Offset += bytes;
            Fragments[whole].Length -= bytes;
        }

        if (whole != 0)
        {
            RemoveFragments(0, whole, site);
        }
    }

    /// <summary>Takes bytes off the end; there are so many.</summary>
    internal void TakeOffEnd(int bytes, CallSite site)
    {
        Total -= bytes;
        int whole = 0;
        while (bytes != 0 && FragmentCount - whole != 0)
        {
            ref PacketPart last = ref Fragments[FragmentCount - whole - 1];
            if (bytes < last.Length)
            {
                last.Length -= bytes;
                bytes = 0;
                break;
            }

            bytes -= last.Length;
            whole++;
        }

        Head.Length -= bytes;
        if (whole != 0)
        {
            RemoveFragments(FragmentCount - whole, whole, site);
        }
    }

    /// <summary>Copies the first <paramref name="length"/> bytes.</summary>
    internal void CopyTo(Span<byte> destination, int length)
    {
        int fromHead = Math.Min(length, Head.Length);
        if (fromHead != 0)
        {
            Head.Span[..fromHead].CopyTo(destination);
        }

        for (int i = 0, done = fromHead; done < length; i++)
        {
            Span<byte> bytes = Fragments[i].Span;
            int some = Math.Min(length - done, bytes.Length);
            bytes[..some].CopyTo(destination[done..]);
            done += some;
        }
    }

    /// <summary>True where there is nothing but a head that was never cloned: what most packets are to the end.</summary>
    internal bool IsPlain
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => FragmentCount == 0 && Head.Share is null;
    }

    /// <summary>Moves the handles of all references out, and leaves the body fit for the shelf; the shares are let go.</summary>
    internal int MoveHandles(Span<PageFragment> handles)
    {
        if (IsPlain)
        {
            handles[0] = Head.Handle;
            return Head.HasMemory ? 1 : 0;
        }

        int count = 0;
        if (Head.HasMemory)
        {
            Head.Share?.Drop();
            handles[count++] = Head.Handle;
        }

        for (int i = 0; i < FragmentCount; i++)
        {
            Fragments[i].Share?.Drop();
            handles[count++] = Fragments[i].Handle;
        }

        Clear();
        return count;
    }

    /// <summary>Drops all references: one atomic a page.</summary>
    internal void FreeAll(CallSite site)
    {
        Span<PageFragment> handles = stackalloc PageFragment[PacketBuffer.MaxFragments + 1];
        int count = MoveHandles(handles);
        PageFragment.Free(handles[..count], site.File, site.Line, site.Member);
    }

    /// <summary>No parts, no room; the references are the caller's business.</summary>
    internal void Clear()
    {
        ((Span<PacketPart>)Fragments)[..FragmentCount].Clear();
        Head = default;
        FragmentCount = 0;
        Start = 0;
        End = 0;
        Total = 0;
    }

    internal void Verify()
    {
        Invariant.Holds(Start <= Head.Offset && Head.End <= End && Head.Length >= 0, "a packet's head lies outside its room, at {0}", (ulong)Head.Offset);
        Invariant.Holds(Head.HasMemory || End == 0, "a packet without a head has {0} bytes of room", (ulong)End);
        int total = Head.Length;
        for (int i = 0; i < PacketBuffer.MaxFragments; i++)
        {
            ref PacketPart part = ref Fragments[i];
            Invariant.Holds(part.HasMemory == i < FragmentCount, "a packet's fragment {0} is there or not against its number", (ulong)i);
            Invariant.Holds(part.HasMemory == part.Length > 0, "a packet's fragment {0} is empty", (ulong)i);
            total += part.Length;
        }

        Invariant.Holds(total == Total, "a packet's length is not the sum of its parts, {0}", (ulong)total);
    }
}
