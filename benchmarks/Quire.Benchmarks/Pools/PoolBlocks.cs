using System.Buffers;
using Microsoft.IO;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Pools;

/// <summary>An owner of page memory in a struct: stored in an array it costs no check of the element's type.</summary>
internal readonly record struct PooledPage(PageMemory Owner);

/// <summary>A stream in a struct, for the same reason.</summary>
internal readonly record struct PooledStream(RecyclableMemoryStream Stream);

/// <summary>Quire's memory pool by its own type, as a user who knows it writes it.</summary>
internal readonly struct QuirePoolBlocks(QuireMemoryPool pool, int size) : IBlocks<PooledPage>
{
    private readonly QuireMemoryPool _pool = pool;
    private readonly int _size = size;

    public PooledPage Take()
    {
        PageMemory owner = _pool.Rent(_size);
        owner.Span[0] = 1;
        return new PooledPage(owner);
    }

    public byte Read(PooledPage block) => block.Owner.Span[0];

    public void Drop(PooledPage block) => block.Owner.Dispose();

    public void DropElsewhere(PooledPage block) => block.Owner.Dispose();

    public void DropElsewhere(ReadOnlySpan<PooledPage> blocks)
    {
        foreach (PooledPage block in blocks)
        {
            block.Owner.Dispose();
        }
    }
}

/// <summary>A stream of one buffer's length, rented and disposed; its blocks have that length, so that it wastes nothing.</summary>
internal readonly struct RecyclableBlocks(RecyclableMemoryStreamManager manager, int size) : IBlocks<PooledStream>
{
    private readonly RecyclableMemoryStreamManager _manager = manager;
    private readonly int _size = size;

    public static RecyclableMemoryStreamManager CreateManager(int size) =>
        new(new RecyclableMemoryStreamManager.Options { BlockSize = size, LargeBufferMultiple = 1 << 20, MaximumBufferSize = 1 << 27 });

    public PooledStream Take()
    {
        RecyclableMemoryStream stream = _manager.GetStream();
        stream.GetSpan(_size)[0] = 1;
        return new PooledStream(stream);
    }

    public byte Read(PooledStream block) => block.Stream.GetSpan(_size)[0];

    public void Drop(PooledStream block) => block.Stream.Dispose();

    public void DropElsewhere(PooledStream block) => block.Stream.Dispose();

    public void DropElsewhere(ReadOnlySpan<PooledStream> blocks)
    {
        foreach (PooledStream block in blocks)
        {
            block.Stream.Dispose();
        }
    }
}

/// <summary>Any memory pool through its base type, as Kestrel and Pipelines call it.</summary>
internal readonly struct AnyPoolBlocks(MemoryPool<byte> pool, int size) : IBlocks<Peers.PooledOwner>
{
    private readonly MemoryPool<byte> _pool = pool;
    private readonly int _size = size;

    public Peers.PooledOwner Take()
    {
        IMemoryOwner<byte> owner = _pool.Rent(_size);
        owner.Memory.Span[0] = 1;
        return new Peers.PooledOwner(owner);
    }

    public byte Read(Peers.PooledOwner block) => block.Owner.Memory.Span[0];

    public void Drop(Peers.PooledOwner block) => block.Owner.Dispose();

    public void DropElsewhere(Peers.PooledOwner block) => block.Owner.Dispose();

    public void DropElsewhere(ReadOnlySpan<Peers.PooledOwner> blocks)
    {
        foreach (Peers.PooledOwner block in blocks)
        {
            block.Owner.Dispose();
        }
    }
}
