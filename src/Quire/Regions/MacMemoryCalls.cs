using System.Runtime.InteropServices;

namespace Quire;

/// <summary>macOS, written to its documentation. <b>Untested</b>: nobody has run this on a Mac.</summary>
/// <remarks>
/// A decommit maps fresh memory over the old. <c>MADV_DONTNEED</c> is only a hint here, and after <c>MADV_FREE</c> or
/// <c>MADV_FREE_REUSABLE</c> a page may still show its old bytes, where a region promises zeros.
/// There is no limit on the number of mappings to be kept below. There is no advice for huge pages.
/// No call promises zeros for memory that the garbage collector mapped, hence no <see cref="NativeMemoryCalls.Discard"/>.
/// </remarks>
internal sealed unsafe class MacMemoryCalls : PosixMemoryCalls
{
    private const int MAP_PRIVATE = 0x0002;
    private const int MAP_FIXED = 0x0010;
    private const int MAP_NORESERVE = 0x0040;
    private const int MAP_ANON = 0x1000;

    private protected override int ReserveFlags => MAP_PRIVATE | MAP_ANON | MAP_NORESERVE;

    internal override RegionFailure Decommit(byte* address, nuint bytes) =>
        (nint)Map(address, bytes, PROT_READ | PROT_WRITE, ReserveFlags | MAP_FIXED, -1, 0) != -1
            ? RegionFailure.None
            : Explain(Marshal.GetLastPInvokeError(), RegionFailure.OutOfMemory);
}
