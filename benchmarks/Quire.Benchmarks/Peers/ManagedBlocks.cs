using System.Buffers;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Peers;

/// <summary>An array in a struct. Stored in an array of structs it costs no check of the element's type, which would be the harness's cost and not the pool's.</summary>
internal readonly record struct PooledArray(byte[] Array);

/// <summary>An owner in a struct, for the same reason.</summary>
internal readonly record struct PooledOwner(IMemoryOwner<byte> Owner);

/// <summary>Arrays of the process-wide pool.</summary>
internal readonly struct ArrayPoolBlocks(int size) : IBlocks<PooledArray>
{
    private readonly int _size = size;

    public PooledArray Take()
    {
        byte[] array = ArrayPool<byte>.Shared.Rent(_size);
        array[0] = 1;
        return new PooledArray(array);
    }

    public byte Read(PooledArray block) => block.Array[0];

    public void Drop(PooledArray block) => ArrayPool<byte>.Shared.Return(block.Array);

    public void DropElsewhere(PooledArray block) => ArrayPool<byte>.Shared.Return(block.Array);

    public void DropElsewhere(ReadOnlySpan<PooledArray> blocks)
    {
        foreach (PooledArray block in blocks)
        {
            ArrayPool<byte>.Shared.Return(block.Array);
        }
    }
}

/// <summary>Owners of the process-wide memory pool.</summary>
internal readonly struct SharedMemoryPoolBlocks(int size) : IBlocks<PooledOwner>
{
    private readonly int _size = size;

    public PooledOwner Take()
    {
        IMemoryOwner<byte> owner = MemoryPool<byte>.Shared.Rent(_size);
        owner.Memory.Span[0] = 1;
        return new PooledOwner(owner);
    }

    public byte Read(PooledOwner block) => block.Owner.Memory.Span[0];

    public void Drop(PooledOwner block) => block.Owner.Dispose();

    public void DropElsewhere(PooledOwner block) => block.Owner.Dispose();

    public void DropElsewhere(ReadOnlySpan<PooledOwner> blocks)
    {
        foreach (PooledOwner block in blocks)
        {
            block.Owner.Dispose();
        }
    }
}

/// <summary>
/// Owners of the pool that Kestrel uses by default: its type is not public, so it comes from the services of a web application, as Kestrel gets it.
/// </summary>
internal readonly struct KestrelBlocks(MemoryPool<byte> pool, int size) : IBlocks<PooledOwner>
{
    private readonly MemoryPool<byte> _pool = pool;
    private readonly int _size = size;

    public static MemoryPool<byte> CreatePool()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        ServiceProvider services = builder.Services.BuildServiceProvider();
        return services.GetRequiredService<IMemoryPoolFactory<byte>>().Create();
    }

    public PooledOwner Take()
    {
        IMemoryOwner<byte> owner = _pool.Rent(_size);
        owner.Memory.Span[0] = 1;
        return new PooledOwner(owner);
    }

    public byte Read(PooledOwner block) => block.Owner.Memory.Span[0];

    public void Drop(PooledOwner block) => block.Owner.Dispose();

    public void DropElsewhere(PooledOwner block) => block.Owner.Dispose();

    public void DropElsewhere(ReadOnlySpan<PooledOwner> blocks)
    {
        foreach (PooledOwner block in blocks)
        {
            block.Owner.Dispose();
        }
    }
}
