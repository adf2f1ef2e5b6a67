using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Quire;

/// <summary>
/// The seam between recordings and an operating system: blocks for a file, shared mappings of it, the system's number of a thread. One class a platform,
/// chosen once; tests put failures in its place.
/// </summary>
internal abstract unsafe partial class TraceFileCalls
{
    private const int PROT_READ = 1;
    private const int PROT_WRITE = 2;
    private const int MAP_SHARED = 1;

    private const int EINTR = 4;
    private protected const int ENOSPC = 28;

    /// <summary>The calls of the system that runs this process; null where there are no recordings.</summary>
    internal static TraceFileCalls? Current { get; } =
        nint.Size != 8 ? null
        : OperatingSystem.IsLinux() || OperatingSystem.IsAndroid() ? new LinuxTraceFileCalls()
        : OperatingSystem.IsMacOS() ? new MacTraceFileCalls()
        : null;

    /// <summary>Bytes in a page of the system.</summary>
    internal nint PageSize { get; } = Environment.SystemPageSize;

    /// <summary>The system's number of the calling thread, the one that its tools show.</summary>
    internal abstract int ThreadId { get; }

    /// <summary>
    /// Makes sure that the file has blocks for these bytes, which read as zero: a hole under a mapping would end the process (SIGBUS) where the disk is full. 0, or
    /// an error number.
    /// </summary>
    internal abstract int Allocate(SafeFileHandle file, long offset, long bytes);

    /// <summary>Maps a part of the file, shared, to read and write. Null and the error number if it can't. Offset and length are multiples of 4096, not of the system's page.</summary>
    internal virtual byte* Map(SafeFileHandle file, long offset, long bytes, out int error)
    {
        nint slack = (nint)(offset % PageSize);
        byte* address = MapFile(null, (nuint)(bytes + slack), PROT_READ | PROT_WRITE, MAP_SHARED, file, (nint)(offset - slack));
        error = (nint)address == -1 ? Marshal.GetLastPInvokeError() : 0;
        return error != 0 ? null : address + slack;
    }

    /// <summary>Takes back what <see cref="Map"/> gave.</summary>
    internal virtual void Unmap(byte* address, long bytes)
    {
        nint slack = (nint)address % PageSize;
        _ = UnmapFile(address - slack, (nuint)(bytes + slack));
    }

    /// <summary>Brings the pages of a mapping into memory, writable, so that no event pays for that. Best effort.</summary>
    internal virtual void Populate(byte* address, long bytes)
    {
    }

    /// <summary>Writes zeros: blocks on any file system, the slow way.</summary>
    private protected static int WriteZeros(SafeFileHandle file, long offset, long bytes)
    {
        byte[] zeros = new byte[Math.Min(bytes, 1 << 16)];
        try
        {
            for (long done = 0; done < bytes; done += zeros.Length)
            {
                RandomAccess.Write(file, zeros.AsSpan(0, (int)Math.Min(zeros.Length, bytes - done)), offset + done);
            }

            return 0;
        }
        catch (IOException)
        {
            // What fails here for another reason than space has failed before, at the file's creation.
            return ENOSPC;
        }
    }

    private protected static int Repeat(Func<int> call)
    {
        int error;
        do
        {
            error = call();
        }
        while (error == EINTR);
        return error;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial byte* MapFile(byte* address, nuint bytes, int protection, int flags, SafeFileHandle file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int UnmapFile(byte* address, nuint bytes);
}
