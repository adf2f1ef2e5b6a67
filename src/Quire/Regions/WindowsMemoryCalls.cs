using System.Runtime.InteropServices;

namespace Quire;

/// <summary>Windows, written to its documentation. <b>Untested</b>: nobody has run this on Windows.</summary>
/// <remarks>
/// Here a commit counts against the commit limit at once, and decommitted pages fault when touched, so only what is used is committed.
/// There is no advice for huge pages (large pages are never given back and need a privilege).
/// <c>DiscardVirtualMemory</c> and <c>MEM_RESET</c> leave the content undefined, hence no <see cref="NativeMemoryCalls.Discard"/>.
/// </remarks>
internal sealed unsafe partial class WindowsMemoryCalls : NativeMemoryCalls
{
    private const uint MEM_COMMIT = 0x1000;
    private const uint MEM_RESERVE = 0x2000;
    private const uint MEM_DECOMMIT = 0x4000;
    private const uint MEM_RELEASE = 0x8000;
    private const uint PAGE_NOACCESS = 0x01;
    private const uint PAGE_READWRITE = 0x04;

    private const int ERROR_NOT_ENOUGH_MEMORY = 8;
    private const int ERROR_OUTOFMEMORY = 14;
    private const int ERROR_COMMITMENT_LIMIT = 1455;

    // Reservations begin at multiples of this (dwAllocationGranularity, the same on every Windows).
    private const nuint AllocationGranularity = 64 * 1024;

    // Each attempt loses only if another thread reserves within the same microseconds.
    private const int AlignmentAttempts = 32;

    internal override nuint PageSize { get; } = (nuint)Environment.SystemPageSize;

    internal override bool CommitsOnTouch => false;

    internal override byte* Reserve(nuint bytes, nuint alignment, out RegionFailure failure)
    {
        nuint wanted = RoundUp(bytes, PageSize);
        failure = RegionFailure.AddressSpaceExhausted;
        if (wanted < bytes || wanted + alignment < wanted)
        {
            return null;
        }

        byte* aligned = null;
        if (alignment <= AllocationGranularity)
        {
            aligned = VirtualAlloc(null, wanted, MEM_RESERVE, PAGE_NOACCESS);
        }
        else
        {
            // Part of a reservation can't be released. So: find a range that is large enough, release it, and reserve the aligned
            // part of it.
            for (int attempt = 0; aligned == null && attempt < AlignmentAttempts; attempt++)
            {
                byte* room = VirtualAlloc(null, wanted + alignment, MEM_RESERVE, PAGE_NOACCESS);
                if (room == null)
                {
                    break;
                }

                _ = VirtualFree(room, 0, MEM_RELEASE);
                aligned = VirtualAlloc((byte*)RoundUp((nuint)room, alignment), wanted, MEM_RESERVE, PAGE_NOACCESS);
            }
        }

        failure = aligned != null ? RegionFailure.None : failure;
        return aligned;
    }

    internal override RegionFailure Commit(byte* address, nuint bytes) =>
        VirtualAlloc(address, bytes, MEM_COMMIT, PAGE_READWRITE) != null ? RegionFailure.None : Explain();

    internal override RegionFailure Decommit(byte* address, nuint bytes) =>
        VirtualFree(address, bytes, MEM_DECOMMIT) != 0 ? RegionFailure.None : Explain();

    internal override void Release(byte* address, nuint bytes) => _ = VirtualFree(address, 0, MEM_RELEASE);

    private static RegionFailure Explain() =>
        Marshal.GetLastPInvokeError() is ERROR_NOT_ENOUGH_MEMORY or ERROR_OUTOFMEMORY or ERROR_COMMITMENT_LIMIT
            ? RegionFailure.OutOfMemory
            : RegionFailure.Refused;

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial byte* VirtualAlloc(byte* address, nuint bytes, uint type, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    private static partial int VirtualFree(byte* address, nuint bytes, uint type);
}
