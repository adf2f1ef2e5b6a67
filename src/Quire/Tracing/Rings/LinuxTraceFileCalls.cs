using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Quire;

/// <summary>Linux on 64 bits. The numbers are those of the generic ABI.</summary>
internal sealed unsafe partial class LinuxTraceFileCalls : TraceFileCalls
{
    private const int EINVAL = 22;
    private const int EFBIG = 27;
    private const int EOPNOTSUPP = 95;
    private const int RLIMIT_FSIZE = 1;
    private const int MADV_POPULATE_WRITE = 23;

    internal override int ThreadId
    {
        get
        {
            try
            {
                return GetThreadId();
            }
            catch (EntryPointNotFoundException)
            {
                // A C library from before it had the call: "1234/task/5678".
                string? link = new FileInfo("/proc/thread-self").LinkTarget;
                return link is not null && int.TryParse(link.AsSpan(link.LastIndexOf('/') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int id) ? id : Environment.CurrentManagedThreadId;
            }
        }
    }

    internal override int Allocate(SafeFileHandle file, long offset, long bytes)
    {
        // Beyond the limit the kernel sends SIGXFSZ first, whose default is the end of the process; so that is asked before.
        Limit limit;
        if (GetLimit(RLIMIT_FSIZE, &limit) == 0 && (ulong)(offset + bytes) > limit.Current)
        {
            return EFBIG;
        }

        int error = Repeat(() => AllocateBlocks(file, (nint)offset, (nint)bytes));
        return error is EOPNOTSUPP or EINVAL ? WriteZeros(file, offset, bytes) : error;
    }

    /// <inheritdoc/>
    /// <remarks>Kernels before 5.14 don't know the advice: there the first round through a ring takes its page faults one by one.</remarks>
    internal override void Populate(byte* address, long bytes)
    {
        nint slack = (nint)address % PageSize;
        _ = Advise(address - slack, (nuint)(bytes + slack), MADV_POPULATE_WRITE);
    }

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int GetThreadId();

    [LibraryImport("libc", EntryPoint = "posix_fallocate")]
    private static partial int AllocateBlocks(SafeFileHandle file, nint offset, nint bytes);

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, Limit* limit);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(byte* address, nuint bytes, int advice);

    private struct Limit
    {
#pragma warning disable CS0649 // Written by the system.
        internal ulong Current;
        internal ulong Most;
#pragma warning restore CS0649
    }
}
