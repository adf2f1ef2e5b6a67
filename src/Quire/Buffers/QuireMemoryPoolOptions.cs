namespace Quire;

/// <summary>How a <see cref="QuireMemoryPool"/> gets, limits and gives back memory. Read once, when the pool is made.</summary>
public sealed class QuireMemoryPoolOptions
{
    /// <summary>The name shown in errors, tables and metrics.</summary>
    public string Name { get; init; } = "memory pool";

    /// <summary>
    /// An allocator to take pages from, whoever else uses it; the pool does not dispose it. Null, the default: the pool has one of its own, made with
    /// <see cref="Provider"/>, <see cref="LimitBytes"/>, <see cref="ZeroOnFree"/>, <see cref="TrimInterval"/> and <see cref="KeepBytes"/>, which are not looked at otherwise.
    /// </summary>
    public PageAllocator? Allocator { get; init; }

    /// <inheritdoc cref="PageAllocatorOptions.Provider"/>
    public RegionProvider Provider { get; init; } = RegionProvider.Mapped;

    /// <inheritdoc cref="PageAllocatorOptions.LimitBytes"/>
    public long LimitBytes { get; init; }

    /// <inheritdoc cref="PageAllocatorOptions.ZeroOnFree"/>
    public bool ZeroOnFree { get; init; }

    /// <inheritdoc cref="PageAllocatorOptions.TrimInterval"/>
    public TimeSpan TrimInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <inheritdoc cref="PageAllocatorOptions.KeepBytes"/>
    public long KeepBytes { get; init; } = 1 << 20;

    /// <summary>
    /// Over pinned arrays, makes <see cref="PageMemory.Memory"/> the memory of the array itself, for users that take very many spans of it, as a web server does: a span then costs half. Such memory is as
    /// that of <see cref="System.Buffers.ArrayPool{T}"/>: its use after the dispose is not found, its pin takes no reference, and it does not lead back to its owner. While the ledger is on nothing changes.
    /// </summary>
    public bool PlainArrays { get; init; }

    /// <summary>Bytes that a rent without a size gets: 1 to 4 MiB; one page of 4,096 bytes unless said otherwise.</summary>
    public int DefaultBufferSize { get; init; } = Page.FrameSize;

    /// <summary>The allocator that these options describe.</summary>
    /// <exception cref="ArgumentException">An option is none; nothing was made.</exception>
    internal PageAllocator MakeAllocator() =>
        Allocator ?? new PageAllocator(new PageAllocatorOptions
        {
            Name = Name,
            Provider = Provider,
            LimitBytes = LimitBytes,
            ZeroOnFree = ZeroOnFree,
            TrimInterval = TrimInterval,
            KeepBytes = KeepBytes,
        });

    /// <summary>Throws unless the options that are the pool's own are in order; the others are the allocator's to look at.</summary>
    internal void Check()
    {
        ArgumentNullException.ThrowIfNull(Name, nameof(Name));
        if (DefaultBufferSize is < 1 or > QuireMemoryPool.LargestBuffer)
        {
            throw new ArgumentOutOfRangeException(nameof(DefaultBufferSize), DefaultBufferSize, $"The default buffer size of pool '{Name}' must be 1 to {QuireMemoryPool.LargestBuffer} bytes.");
        }

        ObjectDisposedException.ThrowIf(Allocator is { IsDisposed: true }, Allocator!);
    }
}
