namespace Quire;

/// <summary>
/// Who takes a page back when its last reference is dropped. The allocator is one; this lets <see cref="Page"/> reach it
/// without knowing the room below.
/// </summary>
internal unsafe interface IPageOwner
{
    /// <summary>The name shown in dumps and errors.</summary>
    string Name { get; }

    /// <summary>The name's number in <see cref="TextTable"/>, for events.</summary>
    uint NameNumber { get; }

    /// <summary>Takes back a head page in use whose count has just become 0; the caller owns nothing of it afterwards.</summary>
    void Release(PageDescriptor* head, PageTemperature temperature, uint origin);
}

/// <summary>
/// Who keeps a share of a page's count without a record for each reference. A fragment cache is one: its bias changes with every
/// fragment, so the question "who holds this page" asks for it when it is asked.
/// </summary>
internal unsafe interface IBiasOwner
{
    /// <summary>The references that the owner has on the page now; 0 where it has none.</summary>
    int BiasOn(PageDescriptor* head);

    /// <summary>The thread that uses the owner.</summary>
    int ThreadId { get; }

    /// <summary>What the owner is, where its share stands in a table of holders.</summary>
    CallSite Name => new("PageFragmentCache", 0, "reserve of a fragment cache");
}

/// <summary>The tables behind <see cref="PageDescriptor.Owner"/> and <see cref="PageDescriptor.BiasOwner"/>.</summary>
internal static class PageOwners
{
    internal static readonly OwnerTable<IPageOwner> Allocators = new("allocators");
    internal static readonly OwnerTable<IBiasOwner> Biases = new("fragment caches");

    internal static IPageOwner? Find(ushort id) => Allocators.Find(id);
}
