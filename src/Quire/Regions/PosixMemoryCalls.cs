using System.Runtime.InteropServices;

namespace Quire;

/// <summary>What Linux and macOS have in common: <c>mmap</c>, <c>mprotect</c>, <c>munmap</c>, and alignment by cutting to size.</summary>
internal abstract unsafe partial class PosixMemoryCalls : NativeMemoryCalls
{
    private protected const int ENOMEM = 12;

    private protected const int PROT_NONE = 0;
    private protected const int PROT_READ = 1;
    private protected const int PROT_WRITE = 2;

    internal sealed override nuint PageSize { get; } = (nuint)Environment.SystemPageSize;

    /// <inheritdoc/>
    /// <remarks>Neither system counts a private anonymous mapping against memory before it is touched (unless Linux is told to
    /// never overcommit).</remarks>
    internal override bool CommitsOnTouch => true;

    /// <summary><c>MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE</c>, which each system numbers in its own way.</summary>
    private protected abstract int ReserveFlags { get; }

    internal override byte* Reserve(nuint bytes, nuint alignment, out RegionFailure failure)
    {
        nuint wanted = RoundUp(bytes, PageSize);

        // mmap aligns to a page. For more: map too much, then cut off what stands out at both ends.
        nuint excess = alignment > PageSize ? alignment - PageSize : 0;
        if (wanted < bytes || wanted + excess < wanted)
        {
            failure = RegionFailure.AddressSpaceExhausted;
            return null;
        }

        byte* mapped = Map(null, wanted + excess, PROT_NONE, ReserveFlags, -1, 0);
        if ((nint)mapped == -1)
        {
            failure = Explain(Marshal.GetLastPInvokeError(), RegionFailure.AddressSpaceExhausted);
            return null;
        }

        byte* aligned = (byte*)RoundUp((nuint)mapped, alignment);
        nuint head = (nuint)(aligned - mapped);
        byte* ours = mapped;
        nuint left = wanted + excess;
        bool cut = true;
        if (head != 0 && (cut = Unmap(mapped, head) == 0))
        {
            ours += head;
            left -= head;
        }

        if (cut && left != wanted)
        {
            cut = Unmap(aligned + wanted, left - wanted) == 0;
        }

        if (!cut)
        {
            // Cutting splits a mapping that the kernel had merged with its neighbour, and the limit of mappings is reached.
            // Only what is still ours goes: others may have mapped where the head was.
            failure = Explain(Marshal.GetLastPInvokeError(), RegionFailure.AddressSpaceExhausted);
            _ = Unmap(ours, left);
            return null;
        }

        failure = RegionFailure.None;
        return aligned;
    }

    internal override RegionFailure Commit(byte* address, nuint bytes) =>
        Protect(address, bytes, PROT_READ | PROT_WRITE) == 0
            ? RegionFailure.None
            : Explain(Marshal.GetLastPInvokeError(), RegionFailure.OutOfMemory);

    internal override void Release(byte* address, nuint bytes)
    {
        nuint mapped = RoundUp(bytes, PageSize);
        if (Unmap(address, mapped) != 0)
        {
            // Only a split at the limit of mappings fails. The addresses are lost then; the memory need not be.
            _ = Decommit(address, mapped);
        }
    }

    /// <summary>Turns an error number into an answer; <paramref name="noMemory"/> is what ENOMEM means for this call.</summary>
    private protected virtual RegionFailure Explain(int error, RegionFailure noMemory) =>
        error == ENOMEM ? noMemory : RegionFailure.Refused;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private protected static partial byte* Map(byte* address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private protected static partial int Unmap(byte* address, nuint bytes);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private protected static partial int Protect(byte* address, nuint bytes, int protection);
}
