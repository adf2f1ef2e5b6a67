using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;

namespace Quire.AspNetCore;

/// <summary>Answers Kestrel's request for a pool: each is a view of one pool an owner, and all of these have one allocator.</summary>
internal sealed class KestrelPoolFactory([FromKeyedServices(QuireMemory.Kestrel)] QuireMemory memory) : IMemoryPoolFactory<byte>
{
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) =>
        new LentMemoryPool(memory.Pool(string.IsNullOrEmpty(options?.Owner) ? memory.Options.Name : options.Owner, plain: true));
}
