using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>A <see cref="MemoryPool{T}"/> of bytes in pages.</summary>
public sealed unsafe class QuireMemoryPool : MemoryPool<byte>
{
    internal const int LargestBuffer = PageMap.FrameSize << Page.MaxOrder;

    private readonly Lock _gate = new();
    private readonly PageFragmentCache _fragments;
    private readonly int _defaultSize;
    private readonly bool _ownsAllocator;
    private long _rents;
    private long _returns;
    private long _bytes;

    /// <summary>Makes a pool.</summary>
    public QuireMemoryPool(QuireMemoryPoolOptions? options = null)
    {
        options ??= new QuireMemoryPoolOptions();
        options.Check();
        Name = options.Name;
        _defaultSize = options.DefaultBufferSize;
        _ownsAllocator = options.Allocator is null;
        Allocator = options.MakeAllocator();
        _fragments = new PageFragmentCache(Allocator);
    }

    /// <summary>The pool of the process, on <see cref="PageAllocator.Shared"/>.</summary>
    public static new QuireMemoryPool Shared { get; } = new(new QuireMemoryPoolOptions { Name = "shared", Allocator = PageAllocator.Shared });

    /// <summary>The name given in the options.</summary>
    public string Name { get; }

    /// <summary>Where the pool's pages come from.</summary>
    public PageAllocator Allocator { get; }

    /// <summary>4 MiB.</summary>
    public override int MaxBufferSize => LargestBuffer;

    /// <inheritdoc/>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => Rent(minBufferSize, "", 0, "");

    /// <summary>Takes exactly <paramref name="size"/> bytes.</summary>
    public PageMemory Rent(int size = -1, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "") =>
        TryRent(size, out PageMemory? memory, out AllocationFailure failure, file, line, member) ? memory
        : throw PageAllocationException.For(failure, $"Pool '{Name}' has no {size} bytes: {failure}.");

    /// <summary>The same, with the reason where there is no memory.</summary>
    public bool TryRent(int size, [NotNullWhen(true)] out PageMemory? memory, out AllocationFailure failure, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        memory = null;
        size = size == -1 ? _defaultSize : size;
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size, LargestBuffer);
        PageFragment fragment;
        lock (_gate)
        {
            if (!_fragments.TryAllocate(Math.Max(1, size), out fragment, out failure, PageFragmentCache.MinAlignment, file, line, member))
            {
                return false;
            }
        }

        memory = new PageMemory();
        memory.Start(fragment._identity, fragment._word, fragment.Address, size, PageMemory.OwnerKind.Fragment, this);
        Atomic.Add(ref _rents, 1);
        Atomic.Add(ref _bytes, size);
        return true;
    }

    /// <summary>Waits for memory under the limit.</summary>
    public ValueTask<PageMemory> RentAsync(int size = -1, CancellationToken cancellationToken = default, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(Rent(size, file, line, member));
    }

    /// <summary>What the pool's owners are doing.</summary>
    public QuireMemoryPoolStatistics GetStatistics() => new()
    {
        Rents = Atomic.LoadAcquire(ref _rents),
        Returns = Atomic.LoadAcquire(ref _returns),
        RentedBytes = Atomic.LoadAcquire(ref _bytes),
    };

    internal void Returned(int length)
    {
        Atomic.Add(ref _returns, 1);
        Atomic.Add(ref _bytes, -length);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_ownsAllocator)
        {
            lock (_gate)
            {
                _fragments.Drain();
            }

            Allocator.Dispose();
        }
    }
}
