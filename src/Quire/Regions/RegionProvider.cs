using System.Numerics;

namespace Quire;

/// <summary>
/// Where regions come from. Two come with Quire, <see cref="Mapped"/> and <see cref="PinnedArrays"/>;
/// derive from this to bring another.
/// </summary>
/// <remarks>
/// The promise of a provider: a region of exactly the bytes asked for, whose address is a multiple of the alignment asked for,
/// and whose memory reads as zero when first committed. <see cref="TryReserve"/> checks what can be checked and turns a broken
/// promise into an answer, so that nothing above has to distrust a region.
/// Safe to call from any thread at any time.
/// </remarks>
public abstract class RegionProvider
{
    /// <summary>
    /// Memory mapped from the operating system (<c>mmap</c>; on Windows <c>VirtualAlloc</c>).
    /// </summary>
    /// <remarks>
    /// Linux is tested. The macOS and Windows calls are written to their documentation and are <b>untested</b>.
    /// On other systems every reservation fails with <see cref="RegionFailure.NotSupported"/>.
    /// A region that is not disposed stays mapped for the life of the process: nothing relies on a finalizer.
    /// </remarks>
    public static RegionProvider Mapped { get; } = new MappedRegionProvider(NativeMemoryCalls.Current);

    /// <summary>
    /// Pinned arrays of the garbage collector, for interfaces that only take an array.
    /// </summary>
    /// <remarks>
    /// On Linux (tested) memory is given back under the array with <c>madvise</c>: resident memory falls, although the collector goes on
    /// counting the whole array as live. On macOS and Windows (<b>untested</b>) there is no such call for memory that the
    /// collector owns: a decommit clears the range by hand and reports that 0 bytes were given back.
    /// A region is at most 2 GiB less its alignment.
    /// </remarks>
    public static RegionProvider PinnedArrays { get; } = new PinnedArrayProvider(NativeMemoryCalls.Current);

    /// <summary>What stands behind the regions of this provider.</summary>
    public abstract RegionKind Kind { get; }

    /// <summary>The provider's name in messages and statistics.</summary>
    public abstract string Name { get; }

    /// <summary>Reserves a range of addresses. Nothing of it may be touched before it is committed.</summary>
    /// <param name="bytes">How many bytes: above 0, a multiple of <see cref="MemoryRegion.FrameSize"/>.</param>
    /// <param name="alignment">A power of two, at least <see cref="MemoryRegion.FrameSize"/>, of which the address shall be a
    /// multiple.</param>
    /// <param name="failure">Why there is no region; <see cref="RegionFailure.None"/> if there is one.</param>
    /// <returns>The region, or null. The caller disposes it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The size or the alignment is none that any provider could serve.</exception>
    public MemoryRegion? TryReserve(nuint bytes, nuint alignment, out RegionFailure failure)
    {
        if (bytes == 0 || bytes % MemoryRegion.FrameSize != 0)
        {
            throw new ArgumentOutOfRangeException(
                nameof(bytes),
                $"Reserve of {bytes} bytes from '{Name}': the size must be a multiple of {MemoryRegion.FrameSize}, above 0.");
        }

        if (alignment < MemoryRegion.FrameSize || !BitOperations.IsPow2(alignment))
        {
            throw new ArgumentOutOfRangeException(
                nameof(alignment),
                $"Reserve of {bytes} bytes from '{Name}': alignment {alignment} is no power of two from {MemoryRegion.FrameSize} up.");
        }

        MemoryRegion? region = ReserveCore(bytes, alignment, out failure);
        if (region is null)
        {
            // No region and no reason would leave the caller without an answer.
            failure = failure == RegionFailure.None ? RegionFailure.BrokenPromise : failure;
            return null;
        }

        if (!KeepsPromise(region, bytes, alignment))
        {
            region.Dispose();
            failure = RegionFailure.BrokenPromise;
            return null;
        }

        failure = RegionFailure.None;
        return region;
    }

    /// <summary>Reserves; the arguments are checked already. See <see cref="TryReserve"/>.</summary>
    /// <param name="bytes">A multiple of <see cref="MemoryRegion.FrameSize"/>, above 0.</param>
    /// <param name="alignment">A power of two, at least <see cref="MemoryRegion.FrameSize"/>.</param>
    /// <param name="failure">Why there is no region.</param>
    /// <returns>The region, or null. Lack of memory or of addresses is an answer, never an exception.</returns>
    protected abstract MemoryRegion? ReserveCore(nuint bytes, nuint alignment, out RegionFailure failure);

    private unsafe bool KeepsPromise(MemoryRegion region, nuint bytes, nuint alignment) =>
        region.Base != null
        && ((nuint)region.Base & (alignment - 1)) == 0
        && region.Length == bytes
        && region.Kind == Kind;
}
