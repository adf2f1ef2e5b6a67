using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Quire;

/// <content>The data on its way out.</content>
public readonly unsafe partial struct PacketBuffer
{
    /// <summary>Copies all data, head and fragments (<c>skb_copy_bits</c>).</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    /// <exception cref="ArgumentException">The destination is shorter than <see cref="Length"/>.</exception>
    public void CopyTo(Span<byte> destination, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("CopyTo", file, line, member);
        if (destination.Length < body.Total)
        {
            throw new ArgumentException($"The packet has {body.Total} bytes, the destination {destination.Length}.", nameof(destination));
        }

        body.CopyTo(destination, body.Total);
    }

    /// <summary>The packet's bytes as a sequence that can be kept, cut and sent on its own; the packet lives on, and shares its head's bytes with it as with a clone.</summary>
    /// <returns>A sequence to be disposed on its own; its <see cref="SharedSequence.Bytes"/> is the <see cref="System.Buffers.ReadOnlySequence{T}"/>.</returns>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public SharedSequence ToSequence([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Clone(file, line, member).IntoSequence(file, line, member);

    /// <summary>Ends the packet; its references move into a sequence of the same bytes. No atomic.</summary>
    /// <returns>A sequence to be disposed on its own.</returns>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public SharedSequence IntoSequence([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        CallSite site = new(file, line, member);
        PacketBody body = End("IntoSequence", site);
        SequenceBody sequence = SequenceBody.OffShelf();
        Move(ref body.Head, sequence, site);
        for (int i = 0; i < body.FragmentCount; i++)
        {
            Move(ref body.Fragments[i], sequence, site);
        }

        body.Clear();
        PacketBody.ToShelf(body);
        return new SharedSequence(sequence);
    }

    /// <summary>Lists head and fragments as array segments, for a <see cref="Socket"/> call that takes many at once.</summary>
    /// <param name="buffers">What the pieces are added to.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>False, with nothing added, where a piece lies in mapped memory: no array stands behind it (<see cref="RegionProvider.PinnedArrays"/> has them).</returns>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    public bool TryAddTo(ICollection<ArraySegment<byte>> buffers, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentNullException.ThrowIfNull(buffers);
        PacketBody body = Body("TryAddTo", file, line, member);
        for (int i = -1; i < body.FragmentCount; i++)
        {
            PacketPart part = i < 0 ? body.Head : body.Fragments[i];
            if (part.Length != 0 && !PageArrays.TryGet(part.Page.FrameNumber, part.Base + part.Offset, part.Length, out _))
            {
                return false;
            }
        }

        for (int i = -1; i < body.FragmentCount; i++)
        {
            PacketPart part = i < 0 ? body.Head : body.Fragments[i];
            if (part.Length != 0 && PageArrays.TryGet(part.Page.FrameNumber, part.Base + part.Offset, part.Length, out ArraySegment<byte> piece))
            {
                buffers.Add(piece);
            }
        }

        return true;
    }

    /// <summary>Sends the packet as one datagram. A packet of one piece is sent from where it lies; one of several is copied together first, since a datagram must go in one call.</summary>
    /// <param name="socket">A datagram socket.</param>
    /// <param name="to">Where to.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>The bytes sent.</returns>
    /// <exception cref="SocketException">The send failed.</exception>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    /// <exception cref="PageAllocationException">There is no memory to copy pieces together.</exception>
    public int SendTo(Socket socket, SocketAddress to, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ArgumentNullException.ThrowIfNull(socket);
        PacketBody body = Body("SendTo", file, line, member);
        if (body.FragmentCount == 0)
        {
            return socket.SendTo(body.Head.Span, SocketFlags.None, to);
        }

        if (body.FragmentCount == 1 && body.Head.Length == 0)
        {
            return socket.SendTo(body.Fragments[0].Span, SocketFlags.None, to);
        }

        using FragmentLease copy = PageFragmentCache.Current.Allocate(body.Total, file, line, member).Lease();
        body.CopyTo(copy.Span, body.Total);
        return socket.SendTo(copy.Span, SocketFlags.None, to);
    }

    private static void Move(ref PacketPart part, SequenceBody sequence, CallSite site)
    {
        PacketPart moved = part;
        if (moved.Length == 0)
        {
            part.Free(site);
            return;
        }

        part = default;
        sequence.Append(SequenceSegment.Take(PageMemory.Make(moved.Handle, moved.Base + moved.Offset, moved.Length), 0, moved.Length, moved.Share));
    }
}
