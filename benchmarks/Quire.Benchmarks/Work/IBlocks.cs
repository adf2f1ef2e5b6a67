namespace Quire.Benchmarks.Work;

/// <summary>
/// An allocator of blocks of one size, as a struct, so that the JIT compiles each loop for it alone and can inline it.
/// </summary>
/// <remarks>
/// The size is a field and never a constant of the code: a server takes the size from the packet, so no contender, Quire
/// included, has its size classes folded away.
/// </remarks>
/// <typeparam name="T">What is kept between taking and dropping: a handle, a pointer, or an array in a struct.</typeparam>
internal interface IBlocks<T>
    where T : struct
{
    /// <summary>
    /// Takes a block and writes its first byte, as every user of a block does: the same for all, by each allocator's own way to its memory.
    /// </summary>
    T Take();

    /// <summary>Reads the first byte, by the allocator's own way to its memory.</summary>
    byte Read(T block);

    /// <summary>Drops a block on the thread that took it.</summary>
    void Drop(T block);

    /// <summary>Drops a block on another thread than the one that took it.</summary>
    void DropElsewhere(T block);

    /// <summary>Drops many blocks on another thread, by one call where the allocator has one.</summary>
    void DropElsewhere(ReadOnlySpan<T> blocks);
}
