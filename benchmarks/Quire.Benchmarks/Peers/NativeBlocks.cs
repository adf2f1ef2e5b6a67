using System.Runtime.InteropServices;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Peers;

/// <summary>Blocks of a native allocator. None of the three frees many blocks at once, so the batched free is a loop.</summary>
internal readonly unsafe struct NativeBlocks(NativeAllocator allocator, int size) : IBlocks<nint>
{
    private readonly delegate* unmanaged[SuppressGCTransition]<nuint, void*> _allocate = allocator.Allocate;
    private readonly delegate* unmanaged[SuppressGCTransition]<void*, void> _free = allocator.Free;
    private readonly nuint _size = (nuint)size;

    public nint Take()
    {
        byte* block = (byte*)_allocate(_size);
        *block = 1;
        return (nint)block;
    }

    public byte Read(nint block) => *(byte*)block;

    public void Drop(nint block) => _free((void*)block);

    public void DropElsewhere(nint block) => _free((void*)block);

    public void DropElsewhere(ReadOnlySpan<nint> blocks)
    {
        foreach (nint block in blocks)
        {
            _free((void*)block);
        }
    }
}

/// <summary>Blocks of a native allocator aligned to their size.</summary>
internal readonly unsafe struct NativeAlignedBlocks(NativeAllocator allocator, int size) : IBlocks<nint>
{
    private readonly delegate* unmanaged[SuppressGCTransition]<nuint, nuint, void*> _allocate = allocator.AllocateAligned;
    private readonly delegate* unmanaged[SuppressGCTransition]<void*, void> _free = allocator.Free;
    private readonly nuint _size = (nuint)size;

    public nint Take()
    {
        byte* block = (byte*)_allocate(_size, _size);
        *block = 1;
        return (nint)block;
    }

    public byte Read(nint block) => *(byte*)block;

    public void Drop(nint block) => _free((void*)block);

    public void DropElsewhere(nint block) => _free((void*)block);

    public void DropElsewhere(ReadOnlySpan<nint> blocks)
    {
        foreach (nint block in blocks)
        {
            _free((void*)block);
        }
    }
}

/// <summary>Blocks of the C library, by .NET's own way to it.</summary>
internal readonly unsafe struct NativeMemoryBlocks(int size) : IBlocks<nint>
{
    private readonly nuint _size = (nuint)size;

    public nint Take()
    {
        byte* block = (byte*)NativeMemory.Alloc(_size);
        *block = 1;
        return (nint)block;
    }

    public byte Read(nint block) => *(byte*)block;

    public void Drop(nint block) => NativeMemory.Free((void*)block);

    public void DropElsewhere(nint block) => NativeMemory.Free((void*)block);

    public void DropElsewhere(ReadOnlySpan<nint> blocks)
    {
        foreach (nint block in blocks)
        {
            NativeMemory.Free((void*)block);
        }
    }
}

/// <summary>Blocks of the C library aligned to their size, by .NET's own way to it.</summary>
internal readonly unsafe struct NativeMemoryAlignedBlocks(int size) : IBlocks<nint>
{
    private readonly nuint _size = (nuint)size;

    public nint Take()
    {
        byte* block = (byte*)NativeMemory.AlignedAlloc(_size, _size);
        *block = 1;
        return (nint)block;
    }

    public byte Read(nint block) => *(byte*)block;

    public void Drop(nint block) => NativeMemory.AlignedFree((void*)block);

    public void DropElsewhere(nint block) => NativeMemory.AlignedFree((void*)block);

    public void DropElsewhere(ReadOnlySpan<nint> blocks)
    {
        foreach (nint block in blocks)
        {
            NativeMemory.AlignedFree((void*)block);
        }
    }
}
