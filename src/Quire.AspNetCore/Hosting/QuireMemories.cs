using Microsoft.Extensions.DependencyInjection;

namespace Quire.AspNetCore;

/// <summary>All page memory that the container makes.</summary>
internal sealed class QuireMemories(IServiceProvider services, IEnumerable<QuireMemoryKey> keys)
{
    /// <summary>Each is made now if it was not yet.</summary>
    internal IReadOnlyList<QuireMemory> All() => [.. keys.Select(key => services.GetRequiredKeyedService<QuireMemory>(key.Key))];
}
