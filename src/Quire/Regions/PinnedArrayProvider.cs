using System.Runtime.InteropServices;

namespace Quire;

/// <summary>Regions in pinned arrays; see <see cref="RegionProvider.PinnedArrays"/>.</summary>
/// <remarks>
/// The data of an array begins some words behind a page boundary, so the array is longer than the region by one alignment, and the
/// region lies at the first aligned address in it. The rest is never used, but it can be seen through the
/// array, so all of the array reads as zero from the start, not the region alone.
/// </remarks>
internal sealed unsafe class PinnedArrayProvider(NativeMemoryCalls? calls) : RegionProvider
{
    public override RegionKind Kind => RegionKind.PinnedArray;

    public override string Name => "pinned arrays";

    protected override MemoryRegion? ReserveCore(nuint bytes, nuint alignment, out RegionFailure failure)
    {
        // Whole pages of the system, so that whole pages can be given back.
        nuint unit = nuint.Max(alignment, calls?.PageSize ?? MemoryRegion.FrameSize);
        nuint length = bytes + unit;
        if (length < bytes || length > (nuint)Array.MaxLength)
        {
            failure = RegionFailure.TooLarge;
            return null;
        }

        try
        {
            byte[] array = AllocateZeroed((int)length);
            byte* data = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
            byte* address = (byte*)NativeMemoryCalls.RoundUp((nuint)data, unit);
            failure = RegionFailure.None;
            return new PinnedArrayRegion(calls, array, (int)(address - data), address, bytes);
        }
        catch (OutOfMemoryException)
        {
            failure = RegionFailure.OutOfMemory;
            return null;
        }
    }

    private byte[] AllocateZeroed(int length)
    {
        if (calls is null || !calls.CanDiscard)
        {
            return GC.AllocateArray<byte>(length, pinned: true);
        }

        // The collector clears by writing, which makes memory resident that nobody has asked for yet, whenever it reuses a
        // freed array. Taking the pages away gives the same zeros and costs no memory.
        byte[] array = GC.AllocateUninitializedArray<byte>(length, pinned: true);
        _ = PinnedArrayRegion.Zero(calls, (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(array, 0), (nuint)length);
        GC.KeepAlive(array);
        return array;
    }
}
