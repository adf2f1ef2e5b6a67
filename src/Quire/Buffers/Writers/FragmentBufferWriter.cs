using System.Buffers;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// Writes messages of any length into page memory, piece by piece and without ever moving what is written; a finished message is detached as a <see cref="SharedSequence"/>, and the writer goes on with the next.
/// </summary>
/// <remarks>
/// <code>
///   chunk (4 KiB)                                      next chunk
///   +-----------+-----------------+- - - - - +--+      +------------+- - - -
///   | message 1 |    message 2    | message 3|//|      | message 3  | free
///   +-----------+-----------------+- - - - - +--+      +------------+- - - -
///                                             ^ too short for what was asked: left unused
/// </code>
/// <para>
/// Memory comes from a <see cref="QuireMemoryPool"/> in chunks; messages lie in them one behind the other, each with a reference of its own, so a small message costs its own length and one atomic.
/// Within a message the second chunk is twice the first, and so on up to <see cref="LargestChunk"/>, so that a long one has few pieces. What is wasted: the end of a chunk that is shorter than the size asked for. What a kept
/// message keeps: the chunks that it lies in, whole.
/// </para>
/// <para>Nothing is allocated on the GC heap once warm (while the ledger is off). One owner at a time; what was detached belongs to others, on any thread.</para>
/// </remarks>
public sealed class FragmentBufferWriter : IBufferWriter<byte>, IDisposable
{
    /// <summary>The largest chunk that is taken unless more is asked for at once: 64 KiB.</summary>
    public const int LargestChunk = 64 * 1024;

    /// <summary>What is given where no size is asked for, at least.</summary>
    private const int SmallestGiven = 256;

    private readonly QuireMemoryPool _pool;
    private readonly int _chunkSize;

    /// <summary>The finished pieces of the message.</summary>
    private readonly SequenceBody _pieces = new();

    /// <summary>Where the next byte goes. Its reference is the writer's until the chunk is used up, then the last message's.</summary>
    private PageMemory? _chunk;

    /// <summary>The chunk's length, and where in it the message's bytes begin and end.</summary>
    private int _size;
    private int _start;
    private int _end;

    /// <summary>The piece on the present chunk that <see cref="Written"/> shows; it is not among the finished ones.</summary>
    private SequenceSegment? _view;
    private bool _disposed;

    /// <summary>Makes a writer; no memory is taken yet.</summary>
    /// <param name="pool">Where chunks come from; null for <see cref="QuireMemoryPool.Shared"/>.</param>
    /// <param name="chunkSize">Bytes of a message's first chunk: 256 to <see cref="LargestChunk"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The chunk size is none.</exception>
    public FragmentBufferWriter(QuireMemoryPool? pool = null, int chunkSize = Page.FrameSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunkSize, SmallestGiven);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(chunkSize, LargestChunk);
        _pool = pool ?? QuireMemoryPool.Shared;
        _chunkSize = chunkSize;
    }

    /// <summary>Bytes written since the last <see cref="Detach"/> or <see cref="Clear"/>.</summary>
    public long WrittenLength => _pieces.Length + (_end - _start);

    /// <summary>The bytes of the message so far. Valid until the next call on the writer, and nobody's to keep: <see cref="Detach"/> gives those.</summary>
    /// <exception cref="ObjectDisposedException">The writer was disposed.</exception>
    public ReadOnlySequence<byte> Written
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            SequenceSegment? last = View();
            SequenceSegment? first = _pieces.First ?? last;
            return first is null ? default : new ReadOnlySequence<byte>(first, 0, last ?? _pieces.Last!, (last ?? _pieces.Last!).Length);
        }
    }

    /// <summary>Says that so many bytes were written into what <see cref="GetMemory"/> or <see cref="GetSpan"/> gave.</summary>
    /// <exception cref="ArgumentOutOfRangeException">More than was given, or negative.</exception>
    public void Advance(int count)
    {
        if ((uint)count > (uint)(_size - _end))
        {
            throw new ArgumentOutOfRangeException(nameof(count), count, $"The memory given has {_size - _end} bytes.");
        }

        _end += count;
    }

    /// <summary>Memory to write to: at least <paramref name="sizeHint"/> bytes, or some where it is 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is negative or above 4 MiB.</exception>
    /// <exception cref="PageAllocationException">There is no memory; what is written stands.</exception>
    /// <exception cref="ObjectDisposedException">The writer was disposed.</exception>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _chunk!.Memory[_end..];
    }

    /// <inheritdoc cref="GetMemory"/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return _chunk!.GetSpan()[_end..];
    }

    /// <summary>Ends the message and gives it away, with a reference on every chunk it lies in. The writer is empty then, and goes on behind it.</summary>
    /// <returns>The message, to be disposed by whoever has it in the end. Empty where nothing was written.</returns>
    /// <exception cref="ObjectDisposedException">The writer was disposed.</exception>
    public SharedSequence Detach([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (WrittenLength == 0)
        {
            return default;
        }

        DropView();
        if (_end > _start)
        {
            FinishPiece(keepsChunk: _size - _end >= SmallestGiven, new CallSite(file, line, member));
        }

        SequenceBody message = SequenceBody.OffShelf();
        message.First = _pieces.First;
        message.Last = _pieces.Last;
        message.Length = _pieces.Length;
        message.Count = _pieces.Count;
        _pieces.Clear();
        SharedSequence detached = new(message);
        if (Tracking.Active)
        {
            detached.Touch(file, line, member);
        }

        return detached;
    }

    /// <summary>Throws the message away. Its memory is given back, but for the chunk at hand, of which the message's part is written again.</summary>
    /// <exception cref="ObjectDisposedException">The writer was disposed.</exception>
    public void Clear([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        DropView();
        _pieces.FreeAll(new CallSite(file, line, member));
        _end = _start;
    }

    /// <summary>Gives all memory back; messages that were detached live on. Doing it again does nothing.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            DropView();
            _pieces.FreeAll(default);
            DropChunk();
        }
    }

    private void Ensure(int sizeHint)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        if (_size - _end < Math.Max(sizeHint, 1))
        {
            NextChunk(Math.Max(sizeHint, 1));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void NextChunk(int sizeHint)
    {
        // The new one first: where there is none, all stays as it is.
        int usual = Math.Min(LargestChunk, _chunkSize << Math.Min(_pieces.Count, 8));
        CallSite site = Tracking.Active ? Caller.Find() : default;
        PageMemory next = _pool.Rent(Math.Max(usual, sizeHint), site.File ?? "", site.Line, site.Member ?? "");
        DropView();
        if (_end > _start)
        {
            FinishPiece(keepsChunk: false, default);
        }
        else
        {
            DropChunk();
        }

        _chunk = next;
        _size = next.Length;
        _start = 0;
        _end = 0;
    }

    /// <summary>Makes a piece of what the message has in the chunk. The writer's own reference goes with it, unless the writer stays in the chunk.</summary>
    private void FinishPiece(bool keepsChunk, CallSite site)
    {
        int length = _end - _start;
        if (keepsChunk)
        {
            _pieces.Append(SequenceSegment.Take(_chunk!.Slice(_start, length, site.File, site.Line, site.Member), 0, length));
            _start = _end;
        }
        else
        {
            _pieces.Append(SequenceSegment.Take(_chunk!, _start, length));
            _chunk = null;
            _size = _start = _end = 0;
        }
    }

    private void DropChunk()
    {
        PageMemory? chunk = _chunk;
        _chunk = null;
        _size = _start = _end = 0;
        chunk?.Dispose("", 0, nameof(FragmentBufferWriter));
    }

    /// <summary>The message's part of the present chunk as a segment behind the finished ones, with a reference of its own; null where there is none.</summary>
    private SequenceSegment? View()
    {
        DropView();
        if (_end > _start)
        {
            int length = _end - _start;
            _view = SequenceSegment.Take(_chunk!.Slice(_start, length), 0, length);
            _pieces.Last?.Append(_view);
        }

        return _view;
    }

    private void DropView()
    {
        SequenceSegment? view = _view;
        if (view is not null)
        {
            _view = null;
            _pieces.Last?.Cut();
            view.Free(default);
        }
    }
}
