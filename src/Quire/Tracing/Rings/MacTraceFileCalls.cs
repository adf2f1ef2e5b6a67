using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Quire;

/// <summary>macOS, written to its documentation. <b>Untested</b>: nobody has run this on a Mac.</summary>
/// <remarks>There is no <c>posix_fallocate</c>; the blocks come by writing zeros.</remarks>
internal sealed unsafe partial class MacTraceFileCalls : TraceFileCalls
{
    internal override int ThreadId
    {
        get
        {
            ulong id;
            return GetThreadId(0, &id) == 0 ? (int)id : Environment.CurrentManagedThreadId;
        }
    }

    internal override int Allocate(SafeFileHandle file, long offset, long bytes) => WriteZeros(file, offset, bytes);

    [LibraryImport("libc", EntryPoint = "pthread_threadid_np")]
    private static partial int GetThreadId(nint thread, ulong* id);
}
