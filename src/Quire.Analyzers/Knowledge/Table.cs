using System.Collections.Immutable;

namespace Quire.Analyzers.Knowledge;

/// <summary>A method that hands out a reference which its caller must release.</summary>
/// <param name="type">The type that has it, in the namespace Quire.</param>
/// <param name="method">Its name; .ctor is a constructor.</param>
/// <param name="gives">The type of what is handed out.</param>
internal readonly struct Source(string type, string method, string gives)
{
    internal string Type { get; } = type;

    internal string Method { get; } = method;

    internal string Gives { get; } = gives;
}

/// <summary>
/// All that the analyzers know of Quire: by the names of types and methods, so that they need no reference to it, and work on its own sources too.
/// </summary>
/// <remarks>A method named here need not exist: versions of the library differ. One that exists and is not named is taken to borrow (as a member) or to keep (as a caller of an argument).</remarks>
internal static class Table
{
    internal const string Namespace = "Quire";

    internal static readonly ImmutableDictionary<string, OwnerType> Types = new[]
    {
        new OwnerType("PageFragment", OwnerKind.Handle, "Free", "fragment")
            .With(Effect.View, "Span", "Address")
            .With(Effect.Use, "Get", "Touch", "Transfer")
            .With(Effect.Lease, "Lease")
            .With(Effect.PageBehind, "Page"),
        new OwnerType("Page", OwnerKind.Handle, "Put", "page")
            .With(Effect.View, "Span", "Address")
            .With(Effect.Use, "Get", "TryGetBounded", "Touch", "Transfer")
            .With(Effect.PageBehind, "Head", "Frame"),
        new OwnerType("PagePin", OwnerKind.Handle, "Unpin", "pin")
            .With(Effect.View, "Span", "Address")
            .With(Effect.Use, "Transfer")
            .With(Effect.Lease, "Lease")
            .With(Effect.PageBehind, "Page"),
        new OwnerType("MovablePage", OwnerKind.Handle, "Free", "movable page")
            .With(Effect.Use, "Pin"),
        new OwnerType("ContiguousRange", OwnerKind.Handle, "Release", "range")
            .With(Effect.View, "Span", "Address"),
        new OwnerType("PageMemory", OwnerKind.Owner, "Dispose", "memory")
            .With(Effect.View, "Memory", "Span", "GetSpan")
            .With(Effect.Use, "Slice", "SliceReadOnly", "AsReadOnly", "Pin", "Touch", "Transfer")
            .With(Effect.PageBehind, "Page"),
        new OwnerType("ReadOnlyPageMemory", OwnerKind.Handle, "Dispose", "memory")
            .With(Effect.View, "Memory", "Span")
            .With(Effect.Use, "Slice", "Touch", "Transfer")
            .With(Effect.PageBehind, "Page"),
        new OwnerType("SharedSequence", OwnerKind.Handle, "Dispose", "sequence")
            .With(Effect.View, "Bytes")
            .With(Effect.Use, "Get", "Slice", "CopyTo", "SendAsync", "TryAddTo", "Touch", "Transfer"),
        new OwnerType("PacketBuffer", OwnerKind.Handle, "Dispose", "packet")
            .With(Effect.View, "Head", "Fragment", "WritableHead", "Push", "Put", "Linearize")
            .With(Effect.Use, "Reserve", "Pull", "Trim", "Clone", "Split", "Coalesce", "TryCoalesce", "Unshare", "AddFragment", "CopyTo", "ToSequence", "TryAddTo", "SendTo", "Touch", "Transfer")
            .With(Effect.Release, "IntoSequence"),
        new OwnerType("FragmentLease", OwnerKind.Lease, "Dispose", "lease")
            .With(Effect.View, "Span")
            .With(Effect.Alias, "Fragment")
            .With(Effect.Detach, "Detach"),
        new OwnerType("PinLease", OwnerKind.Lease, "Dispose", "lease")
            .With(Effect.View, "Span")
            .With(Effect.Alias, "Pin")
            .With(Effect.Detach, "Detach"),
        new OwnerType("PageFragmentCache", OwnerKind.Service, "Dispose", "fragment cache"),
        new OwnerType("PageAllocator", OwnerKind.Service, "Dispose", "allocator"),
        new OwnerType("ContiguousArea", OwnerKind.Service, "Dispose", "area"),
        new OwnerType("QuireMemoryPool", OwnerKind.Service, "Dispose", "memory pool"),
        new OwnerType("FragmentBufferWriter", OwnerKind.Service, "Dispose", "writer"),
        new OwnerType("PacketReceiveRing", OwnerKind.Service, "Dispose", "receive ring"),
        new OwnerType("PageLeakScope", OwnerKind.Service, "Dispose", "leak scope"),
        new OwnerType(Tracker, OwnerKind.Service, "Dispose", "tracking"),
    }.ToImmutableDictionary(static type => type.Name);

    /// <summary>The name here of what <c>Holders.Track</c> gives: an IDisposable and no more.</summary>
    internal const string Tracker = "IDisposable";

    internal static readonly ImmutableArray<Source> Sources =
    [
        new("PageFragmentCache", "Allocate", "PageFragment"),
        new("PageFragmentCache", "TryAllocate", "PageFragment"),
        new("LocalFragmentCache", "Allocate", "PageFragment"),
        new("LocalFragmentCache", "TryAllocate", "PageFragment"),
        new("PageFragment", "Get", "PageFragment"),
        new("PageAllocator", "Allocate", "Page"),
        new("PageAllocator", "TryAllocate", "Page"),
        new("Page", "Get", "Page"),
        new("Page", "TryGet", "Page"),
        new("Page", "TryGetBounded", "Page"),
        new("MovablePage", "Allocate", "MovablePage"),
        new("MovablePage", "TryAllocate", "MovablePage"),
        new("MovablePage", "Pin", "PagePin"),
        new("ContiguousArea", "AllocateMovable", "MovablePage"),
        new("ContiguousArea", "Allocate", "ContiguousRange"),
        new("ContiguousArea", "TryAllocate", "ContiguousRange"),
        new("ContiguousArea", "Reserve", "ContiguousArea"),
        new("QuireMemoryPool", "Rent", "PageMemory"),
        new("QuireMemoryPool", "TryRent", "PageMemory"),
        new("QuireMemoryPool", "RentAsync", "PageMemory"),
        new("PageMemory", "Slice", "PageMemory"),
        new("PageMemory", "SliceReadOnly", "ReadOnlyPageMemory"),
        new("PageMemory", "AsReadOnly", "ReadOnlyPageMemory"),
        new("ReadOnlyPageMemory", "Slice", "ReadOnlyPageMemory"),
        new("FragmentBufferWriter", "Detach", "SharedSequence"),
        new("SharedSequence", "Get", "SharedSequence"),
        new("SharedSequence", "Slice", "SharedSequence"),
        new("SharedSequence", "PreserveFrom", "SharedSequence"),
        new("PacketBuffer", "Allocate", "PacketBuffer"),
        new("PacketBuffer", "Build", "PacketBuffer"),
        new("PacketBuffer", "Clone", "PacketBuffer"),
        new("PacketBuffer", "Split", "PacketBuffer"),
        new("PacketBuffer", "ToSequence", "SharedSequence"),
        new("PacketBuffer", "IntoSequence", "SharedSequence"),
        new("PacketReceiveRing", "TryTake", "PacketBuffer"),
        new("PacketReceiveRing", "TryReceiveFrom", "PacketBuffer"),
        new("QuireMemoryPool", ".ctor", "QuireMemoryPool"),
        new("FragmentBufferWriter", ".ctor", "FragmentBufferWriter"),
        new("PacketReceiveRing", ".ctor", "PacketReceiveRing"),
        new("PageFragmentCache", ".ctor", "PageFragmentCache"),
        new("PageAllocator", ".ctor", "PageAllocator"),
        new("PageLeakScope", ".ctor", "PageLeakScope"),
        new("Holders", "Track", Tracker),
    ];

    /// <summary>Methods that drop the reference of a handle given as their first argument.</summary>
    internal static readonly ImmutableArray<(string Type, string Method)> Sinks =
    [
        ("PageFragmentCache", "Free"),
        ("LocalFragmentCache", "Free"),
        ("PageAllocator", "Free"),
        ("ContiguousArea", "Release"),
    ];

    /// <summary>Methods that make an object which takes over the reference given as their first argument: two names for one reference.</summary>
    internal static readonly ImmutableArray<(string Type, string Method)> Adopters =
    [
        ("PageMemory", "Of"),
    ];

    /// <summary>Methods of Quire's that only look at an argument.</summary>
    internal static readonly ImmutableArray<(string Type, string Method)> Lookers =
    [
        ("Holders", "Of"),
        ("PageRef", "Count"),
    ];
}
