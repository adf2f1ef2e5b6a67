using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;

namespace Quire.Traces;

/// <summary>A file's bytes in memory, read-only. Every access by offset is checked against the length the file had when it was opened.</summary>
internal sealed unsafe class FileMap : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;

    internal FileMap(string path)
    {
        Path = path;
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
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

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }

    private void Outside(long offset, long length) =>
        throw new TraceFormatException(Path, offset, $"{length} bytes should be here, but the file ends at {Length}.");
}
