using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire.Traces;

/// <summary>A file's bytes in memory, read-only. Every access by offset is checked against the length the file had when it was opened.</summary>
internal sealed unsafe partial class FileMap : IDisposable
{
    private const int DontNeed = 4;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;

    /// <param name="path">What the user calls it, for errors.</param>
    /// <param name="stream">The file; the map needs it no longer.</param>
    internal FileMap(string path, FileStream stream)
    {
        Path = path;
        Length = stream.Length;
        if (Length == 0)
        {
            throw new TraceFormatException(path, 0, "the file is empty.");
        }

        _file = MemoryMappedFile.CreateFromFile(stream, null, Length, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        _view = _file.CreateViewAccessor(0, Length, MemoryMappedFileAccess.Read);
        byte* start = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        _start = start;
    }

    internal string Path { get; }

    internal long Length { get; }

    /// <summary>What the file packs ended too early.</summary>
    internal bool IsCut { get; init; }

    /// <summary>What the file packs could not be unpacked to its end.</summary>
    internal bool IsPackingDamaged { get; init; }

    /// <summary>Whether this is the file of that name itself, which may still grow; false for what was unpacked or came through a pipe.</summary>
    internal bool IsNamed { get; init; }

    /// <summary>The file anew, as long as it is by now; null where it can't have changed.</summary>
    internal FileMap? AsItIsNow()
    {
        if (!IsNamed)
        {
            return null;
        }

        using FileStream stream = new(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        return new FileMap(Path, stream) { IsNamed = true };
    }

    /// <summary>Throws where [offset, offset + length) is not all within the file.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* At(long offset, long length)
    {
        if (offset < 0 || length < 0 || offset > Length - length)
        {
            Outside(offset, length);
        }

        return _start + offset;
    }

    internal ReadOnlySpan<byte> Span(long offset, int length) => new(At(offset, length), length);

    /// <summary>
    /// These bytes will hardly be read again soon: the process gives up its hold on their pages, so that what it occupies does not grow with the file. They stay where they
    /// are and can be read at any time; that costs a fault, mostly a cheap one, for the system keeps them as long as it has room.
    /// </summary>
    internal void Forget(long offset, long length)
    {
        // Linux and macOS have the same number for MADV_DONTNEED.
        long page = Environment.SystemPageSize;
        long from = (offset + page - 1) / page * page;
        long to = Math.Min(Length, offset + length) / page * page;
        if (to > from && !OperatingSystem.IsWindows())
        {
            _ = Advise(_start + from, (nuint)(to - from), DontNeed);
        }
    }

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(byte* start, nuint length, int advice);

    private void Outside(long offset, long length) =>
        throw new TraceFormatException(Path, offset, $"{length} bytes should be here, but the file ends at {Length}.");
}
