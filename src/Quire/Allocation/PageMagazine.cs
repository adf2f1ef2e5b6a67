using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>Keeps a thread's <see cref="MagazineBlock"/> alive: its memory is a pinned array that lives as long as the thread or the allocator names it.</summary>
internal sealed unsafe class PageMagazine
{
    private readonly byte[] _memory = GC.AllocateArray<byte>(sizeof(MagazineBlock) + CacheLine, pinned: true);

    private const int CacheLine = 64;

    internal PageMagazine(PageAllocator allocator)
    {
        Allocator = allocator;
        nint address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_memory));
        Block = (MagazineBlock*)((address + CacheLine - 1) & ~(nint)(CacheLine - 1));
        Block->Owner = allocator.Id;
    }

    internal PageAllocator Allocator { get; }

    internal MagazineBlock* Block { get; }

    /// <summary>Set by refills and spills, cleared by the trimmer: a magazine that cycles is not idle.</summary>
    internal bool Touched { get; set; }
}
