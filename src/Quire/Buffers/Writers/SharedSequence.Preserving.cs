using System.Buffers;
using System.Runtime.CompilerServices;

namespace Quire;

/// <content>Sequences made of others' bytes.</content>
public readonly partial struct SharedSequence
{
    /// <summary>A foreign run of bytes is copied in pieces of at most so many bytes.</summary>
    private const int LargestCopy = 64 * 1024;

    /// <summary>
    /// Keeps bytes that somebody else owns for the moment, such as part of a <c>PipeReader</c>'s buffer, so that they outlive <c>AdvanceTo</c>: takes a reference on every piece that lies in
    /// page memory, and copies only what does not.
    /// </summary>
    /// <param name="source">The bytes; their owner must not let them go during the call.</param>
    /// <param name="copied">How many bytes had to be copied: 0 where the pipe's pool is a <see cref="QuireMemoryPool"/> (<see cref="QuirePipeOptions"/>) without <see cref="QuireMemoryPoolOptions.PlainArrays"/>.</param>
    /// <param name="pool">Where copies go; null for <see cref="QuireMemoryPool.Shared"/>.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    /// <param name="member">Filled in by the compiler.</param>
    /// <returns>A sequence of the same bytes, to be disposed on its own.</returns>
    /// <exception cref="PageAllocationException">There is no memory for a copy; nothing is held.</exception>
    /// <exception cref="PageBugException">The bytes were given back already; nothing is held.</exception>
    public static SharedSequence PreserveFrom(in ReadOnlySequence<byte> source, out long copied, QuireMemoryPool? pool = null, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        copied = 0;
        if (source.IsEmpty)
        {
            return default;
        }

        CallSite site = new(file, line, member);
        SequenceBody body = SequenceBody.OffShelf();
        try
        {
            foreach (ReadOnlyMemory<byte> piece in source)
            {
                if (piece.IsEmpty)
                {
                    continue;
                }

                if (PageMemory.TryGetOwner(piece, out PageMemory? owner, out int start, out int length))
                {
                    body.Append(SequenceSegment.Take(owner.Slice(start, length, file, line, member), 0, length));
                }
                else
                {
                    Copy(piece.Span, body, pool ?? QuireMemoryPool.Shared, site);
                    copied += piece.Length;
                }
            }
        }
        catch
        {
            body.FreeAll(site);
            SequenceBody.ToShelf(body);
            throw;
        }

        return new SharedSequence(body);
    }

    private static void Copy(ReadOnlySpan<byte> bytes, SequenceBody body, QuireMemoryPool pool, CallSite site)
    {
        while (!bytes.IsEmpty)
        {
            int some = Math.Min(bytes.Length, LargestCopy);
            PageMemory copy = pool.Rent(some, site.File, site.Line, site.Member);
            bytes[..some].CopyTo(copy.Span);
            body.Append(SequenceSegment.Take(copy, 0, some));
            bytes = bytes[some..];
        }
    }
}
