using System.Runtime.InteropServices;

namespace Quire;

/// <summary>A region inside a pinned array.</summary>
/// <remarks>
/// All of it can be touched at any time (the collector committed it), so a commit has nothing to do: the zeros it promises were made by
/// the provider or by the last decommit. Invariant: the array is rooted from the constructor until <see
/// cref="MemoryRegion.Dispose"/>, whoever
/// drops this object: pointers into it live where the collector doesn't look.
/// There is no huge-page advice here: it would outlive the array in the collector's heap.
/// </remarks>
internal sealed unsafe class PinnedArrayRegion : MemoryRegion
{
    private readonly NativeMemoryCalls? _calls;
    private readonly byte* _address;
    private readonly int _arrayOffset;
    private GCHandle _root;

    internal PinnedArrayRegion(NativeMemoryCalls? calls, byte[] array, int arrayOffset, byte* address, nuint length)
        : base(RegionKind.PinnedArray, address, length)
    {
        _calls = calls;
        _address = address;
        _arrayOffset = arrayOffset;

        // The array is on the pinned object heap: it needs no pin, only a root.
        _root = GCHandle.Alloc(array);
    }

    public override byte[] Array
    {
        get
        {
            ThrowIfDisposed("Array");
            return (byte[])_root.Target!;
        }
    }

    public override int ArrayOffset => _arrayOffset;

    internal override void Verify()
    {
        base.Verify();
        if (!IsDisposed)
        {
            byte[] array = Array;
            Require(
                (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(array, _arrayOffset) == _address, "the array is not where the region is");
            Require(Length <= (nuint)(array.Length - _arrayOffset), "it ends behind its array");
        }
    }

    protected override RegionFailure CommitCore(nuint offset, nuint length) => RegionFailure.None;

    protected override RegionFailure DecommitCore(nuint offset, nuint length, out nuint released)
    {
        released = Zero(_calls, _address + offset, length);
        return RegionFailure.None;
    }

    protected override void ReleaseCore(byte* address)
    {
        // The collector frees the array when it next looks at its oldest generation, perhaps never: give the memory back now.
        // Who still has the array reads zeros.
        byte[] array = (byte[])_root.Target!;
        if (_calls is not null)
        {
            _ = Discard(_calls, address - _arrayOffset, (nuint)array.Length, out _, out _);
        }

        _root.Free();
    }

    /// <summary>
    /// Makes a range of an array read as zero by giving its whole pages back and clearing the rest, or all of it where that is refused
    /// (no such call, or the range is locked). Returns the bytes given back. The caller keeps the array alive.
    /// </summary>
    internal static nuint Zero(NativeMemoryCalls? calls, byte* address, nuint length)
    {
        byte* end = address + length;
        if (calls is null || !Discard(calls, address, length, out byte* firstPage, out byte* endPage))
        {
            NativeMemory.Clear(address, length);
            return 0;
        }

        NativeMemory.Clear(address, (nuint)(firstPage - address));
        NativeMemory.Clear(endPage, (nuint)(end - endPage));
        return (nuint)(endPage - firstPage);
    }

    private static bool Discard(NativeMemoryCalls calls, byte* address, nuint length, out byte* firstPage, out byte* endPage)
    {
        firstPage = (byte*)NativeMemoryCalls.RoundUp((nuint)address, calls.PageSize);
        endPage = (byte*)NativeMemoryCalls.RoundDown((nuint)(address + length), calls.PageSize);
        return firstPage < endPage && calls.Discard(firstPage, (nuint)(endPage - firstPage)) == RegionFailure.None;
    }
}
