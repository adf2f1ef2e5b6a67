using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <content>Bytes on their way into a socket.</content>
public readonly partial struct SharedSequence
{
    /// <summary>
    /// Sends all bytes on a stream socket, in order, however few the system takes at once. Nothing is copied.
    /// </summary>
    /// <remarks>
    /// On a region of pinned arrays the pieces go in one gathering system call (<c>writev</c>'s kind), as <see cref="Socket"/> wants array segments for that, in a list, which is garbage. On mapped memory they go one by
    /// one: each costs a system call, so write small messages into one piece (<see cref="FragmentBufferWriter"/> does).
    /// Keep the sequence until the task has ended: the send takes no reference of its own.
    /// </remarks>
    /// <param name="socket">A connected stream socket.</param>
    /// <param name="cancellationToken">Ends the wait; some bytes may have been sent by then.</param>
    /// <exception cref="SocketException">The send failed; some bytes may have been sent.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The sequence or the socket was disposed.</exception>
    public ValueTask SendAsync(Socket socket, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(socket);
        SequenceBody? body = Body();
        if (body?.First is null)
        {
            return default;
        }

        return body.Count > 1 && IsArrays(body.First) ? SendGathered(socket, body, cancellationToken) : SendEach(socket, body.First, cancellationToken);
    }

    /// <summary>Lists the pieces as array segments, for a <see cref="Socket"/> call that takes many at once.</summary>
    /// <param name="buffers">What the pieces are added to.</param>
    /// <returns>False, with nothing added, where a piece lies in mapped memory: no array stands behind it. Use a pool on <see cref="RegionProvider.PinnedArrays"/> where lists are wanted.</returns>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public bool TryAddTo(ICollection<ArraySegment<byte>> buffers)
    {
        ArgumentNullException.ThrowIfNull(buffers);
        SequenceSegment? first = Body()?.First;
        if (!IsArrays(first))
        {
            return false;
        }

        AddArrays(first, buffers);
        return true;
    }

    /// <summary>One region or the other: a sequence of both is sent piece by piece.</summary>
    private static bool IsArrays(SequenceSegment? segment)
    {
        for (; segment is not null; segment = segment.Following)
        {
            if (!MemoryMarshal.TryGetArray(segment.Memory, out _))
            {
                return false;
            }
        }

        return true;
    }

    private static void AddArrays(SequenceSegment? segment, ICollection<ArraySegment<byte>> buffers)
    {
        for (; segment is not null; segment = segment.Following)
        {
            MemoryMarshal.TryGetArray(segment.Memory, out ArraySegment<byte> array);
            buffers.Add(array);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private static async ValueTask SendEach(Socket socket, SequenceSegment? segment, CancellationToken cancellationToken)
    {
        for (; segment is not null; segment = segment.Following)
        {
            ReadOnlyMemory<byte> left = segment.Memory;
            while (!left.IsEmpty)
            {
                int sent = await socket.SendAsync(left, SocketFlags.None, cancellationToken).ConfigureAwait(false);
                left = left[sent..];
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private static async ValueTask SendGathered(Socket socket, SequenceBody body, CancellationToken cancellationToken)
    {
        // A cancelled list send can't be stopped by the framework: it is refused before each instead.
        List<ArraySegment<byte>> buffers = new(body.Count);
        AddArrays(body.First, buffers);
        while (buffers.Count > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int sent = await socket.SendAsync(buffers, SocketFlags.None).ConfigureAwait(false);
            int whole = 0;
            while (whole < buffers.Count && sent >= buffers[whole].Count)
            {
                sent -= buffers[whole++].Count;
            }

            buffers.RemoveRange(0, whole);
            if (sent != 0)
            {
                buffers[0] = buffers[0][sent..];
            }
        }
    }
}
