namespace Quire;

/// <summary>
/// Why memory could not be reserved, committed or given back. Wrong arguments are not among these: they throw.
/// </summary>
public enum RegionFailure
{
    /// <summary>Nothing failed.</summary>
    None,

    /// <summary>
    /// The system has no memory for this: its commit limit is reached, or the garbage collector refused the array.
    /// </summary>
    OutOfMemory,

    /// <summary>No free range of addresses is long enough, or the process's limit on its address space is reached.</summary>
    AddressSpaceExhausted,

    /// <summary>
    /// The process holds as many mappings as the system allows (on Linux <c>vm.max_map_count</c>, 65530 unless raised).
    /// Memory is not short: commit in larger steps, or raise the limit. Dispose a region soon: at the limit the runtime
    /// itself can't go on for long, since it maps memory for each method that it compiles.
    /// </summary>
    MappingsExhausted,

    /// <summary>The provider can't make a region of this size (an array ends below 2 GiB), whatever is free.</summary>
    TooLarge,

    /// <summary>The system said no for another reason, such as a range locked with <c>mlock</c>.</summary>
    Refused,

    /// <summary>This platform, or this provider, has no such operation.</summary>
    NotSupported,

    /// <summary>
    /// The provider gave something else than was asked for: no region and no reason, another length, another alignment.
    /// The region was disposed and nothing of it was used.
    /// </summary>
    BrokenPromise,
}
