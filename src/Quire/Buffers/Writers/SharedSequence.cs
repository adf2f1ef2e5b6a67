using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>
/// Bytes in one or more pieces of pages, with a reference on each: it can be kept, cut into slices that live on their own, handed to many consumers, and sent,
/// and nothing is copied.
/// </summary>
/// <remarks>
/// <code>
///   a message        [ page A: 1000..4096 ][ page B: 0..4096 ][ page C: 0..200 ]     one reference on each of A, B, C
///   Slice(500, 4000)         [ 1500..4096 ][ 0..1404 ]                               one more on A and on B
/// </code>
/// <para>
/// <b>Where they come from.</b> <see cref="FragmentBufferWriter.Detach"/>, <see cref="PreserveFrom"/> (part of a pipe's buffer, kept past <c>AdvanceTo</c>), <see cref="PacketBuffer.ToSequence"/>, and <see cref="Slice"/>.
/// </para>
/// <para>
/// <b>Who ends them.</b> Each sequence is disposed once, in any order, on any thread; a page is free when the last sequence that covers a byte of it is gone. A small slice that is kept keeps
/// its whole page (and no other): <see cref="Holders"/> shows how much.
/// </para>
/// <para>
/// <b>The handle.</b> Sixteen bytes around a state that is used again, as <see cref="PacketBuffer"/>: no GC allocation once warm, and a second dispose or a use after it is found.
/// A <see cref="ReadOnlySequence{T}"/> got from <see cref="Bytes"/> is not checked: it must not be used after the dispose (while the ledger is on, it is found). <c>default</c> is empty, owns nothing, and may be disposed.
/// </para>
/// <para>
/// <b>Threads.</b> A sequence never changes. It may be read, sliced and sent on many threads at once; who disposes it sees to it that nobody else still uses it.
/// </para>
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly partial struct SharedSequence : IEquatable<SharedSequence>, IDisposable
{
    private readonly SequenceBody? _body;
    private readonly ulong _version;

    internal SharedSequence(SequenceBody body)
    {
        _body = body;
        _version = body.Version;
    }

    /// <summary>Bytes.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public long Length => Body()?.Length ?? 0;

    /// <summary>True where there are no bytes.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public bool IsEmpty => Length == 0;

    /// <summary>How many pieces the bytes lie in; each has one reference.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public int SegmentCount => Body()?.Count ?? 0;

    /// <summary>The bytes. Valid until the sequence is disposed, and not checked afterwards.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public ReadOnlySequence<byte> Bytes =>
        Body() is { First: { } first } body ? new ReadOnlySequence<byte>(first, 0, body.Last!, body.Last!.Length) : default;

    /// <summary>Another sequence on part of the bytes, with a reference of its own on every page it covers and on no other.</summary>
    /// <param name="start">Offset of the first byte.</param>
    /// <param name="length">Bytes, 0 too.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>A sequence to be disposed on its own.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The part is not within the bytes.</exception>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public SharedSequence Slice(long start, long length, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        SequenceBody? body = Body();
        long whole = body?.Length ?? 0;
        if ((ulong)start > (ulong)whole || (ulong)length > (ulong)(whole - start))
        {
            throw new ArgumentOutOfRangeException(start < 0 || start > whole ? nameof(start) : nameof(length), $"[{start}, +{length}) is not within {whole} bytes.");
        }

        if (length == 0)
        {
            return default;
        }

        CallSite site = new(file, line, member);
        SequenceSegment segment = body!.First!;
        while (start >= segment.Length)
        {
            start -= segment.Length;
            segment = segment.Following!;
        }

        SequenceBody slice = SequenceBody.OffShelf();
        try
        {
            while (length > 0)
            {
                int some = (int)Math.Min(length, segment.Length - start);
                slice.Append(segment.Slice((int)start, some, site));
                length -= some;
                start = 0;
                segment = segment.Following!;
            }
        }
        catch
        {
            slice.FreeAll(site);
            SequenceBody.ToShelf(slice);
            throw;
        }

        return new SharedSequence(slice);
    }

    /// <summary>Another sequence on all of the bytes, for one more consumer.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public SharedSequence Get([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        Slice(0, Length, file, line, member);

    /// <summary>Copies all bytes.</summary>
    /// <exception cref="ArgumentException">The destination is shorter than <see cref="Length"/>.</exception>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public void CopyTo(Span<byte> destination) => Bytes.CopyTo(destination);

    /// <summary>Drops the sequence's references; any thread, once.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed before; the message says where, unless its state has served another since.</exception>
    public void Dispose([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        End(new CallSite(file, line, member));

    void IDisposable.Dispose() => End(Tracking.Active ? Caller.Find() : default);

    /// <summary>Says that responsibility passed on: blame shows this line from now on for each page of the sequence. Nothing while the ledger is off.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public void Touch([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        for (SequenceSegment? segment = Body()?.First; segment is not null; segment = segment.Following)
        {
            segment.Owner.Touch(file, line, member);
        }
    }

    /// <summary>As <see cref="Touch"/>, and moves the sequence into the caller's <see cref="PageLeakScope"/>, which answers for it from here on.</summary>
    /// <exception cref="ObjectDisposedException">The sequence was disposed.</exception>
    public void Transfer([CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        for (SequenceSegment? segment = Body()?.First; segment is not null; segment = segment.Following)
        {
            segment.Owner.Transfer(file, line, member);
        }
    }

    /// <summary>True where both handles mean the same sequence.</summary>
    public bool Equals(SharedSequence other) => _body == other._body && _version == other._version;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is SharedSequence other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_body, _version);

    /// <summary>The sequence's length, or that it is gone. Never throws.</summary>
    public override string ToString() =>
        _body is null ? "empty sequence" : _body.Version == _version ? $"sequence of {_body.Length} bytes in {_body.Count} segments" : "sequence that is gone";

    /// <summary>See <see cref="Equals(SharedSequence)"/>.</summary>
    public static bool operator ==(SharedSequence left, SharedSequence right) => left.Equals(right);

    /// <summary>See <see cref="Equals(SharedSequence)"/>.</summary>
    public static bool operator !=(SharedSequence left, SharedSequence right) => !left.Equals(right);

    /// <summary>Null for <c>default</c>.</summary>
    private SequenceBody? Body()
    {
        SequenceBody? body = _body;
        return body is null || body.Version == _version ? body : throw Gone(body, default);
    }

    private void End(CallSite site)
    {
        SequenceBody? body = _body;
        if (body is null)
        {
            return;
        }

        // Happens before: full fence; of two that dispose, one does, and all that was done with the sequence comes before its state is another's.
        if (Atomic.CompareExchange(ref body.Version, _version + 1, _version) != _version)
        {
            throw Gone(body, site);
        }

        body.EndedAt = site;
        try
        {
            body.FreeAll(site);
        }
        finally
        {
            SequenceBody.ToShelf(body);
        }
    }

    private ObjectDisposedException Gone(SequenceBody body, CallSite site)
    {
        string here = site.IsUnknown ? "" : $" This call: {site}.";
        string where = body.Version == _version + 1 && !body.EndedAt.IsUnknown ? $" at {body.EndedAt}" : "";
        return new ObjectDisposedException(nameof(SharedSequence), $"The sequence was disposed{where}.{here}");
    }
}
