using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The calling thread's own <see cref="PageFragmentCache"/>. A ref struct, since the cache belongs to the thread: it can't be stored or carried across
/// an <c>await</c>, after which another thread might run.
/// </summary>
public readonly ref struct LocalFragmentCache
{
    private readonly PageFragmentCache _cache;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal LocalFragmentCache(PageFragmentCache cache) => _cache = cache;

    /// <inheritdoc cref="PageFragmentCache.Bias"/>
    public int Bias => _cache.Bias;

    /// <inheritdoc cref="PageFragmentCache.Allocate(int, string, int, string)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageFragment Allocate(int size, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _cache.Allocate(size, file, line, member);

    /// <inheritdoc cref="PageFragmentCache.Allocate(int, out Span{byte}, string, int, string)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageFragment Allocate(int size, out Span<byte> bytes, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _cache.Allocate(size, out bytes, file, line, member);

    /// <inheritdoc cref="PageFragmentCache.Allocate(int, int, string, int, string)"/>
    public PageFragment Allocate(int size, int alignment, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _cache.Allocate(size, alignment, file, line, member);

    /// <inheritdoc cref="PageFragmentCache.TryAllocate"/>
    public bool TryAllocate(int size, out PageFragment fragment, out AllocationFailure failure, int alignment = PageFragmentCache.MinAlignment, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _cache.TryAllocate(size, out fragment, out failure, alignment, file, line, member);

    /// <inheritdoc cref="PageFragmentCache.Free(PageFragment, string, int, string)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Free(PageFragment fragment, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _cache.Free(fragment, file, line, member);

    /// <inheritdoc cref="PageFragmentCache.Free(ReadOnlySpan{PageFragment}, string, int, string)"/>
    public void Free(ReadOnlySpan<PageFragment> fragments, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        _cache.Free(fragments, file, line, member);

    /// <inheritdoc cref="PageFragmentCache.Refill"/>
    public void Refill() => _cache.Refill();

    /// <inheritdoc cref="PageFragmentCache.Drain()"/>
    public void Drain() => _cache.Drain();
}
