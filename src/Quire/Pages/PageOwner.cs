namespace Quire;

/// <summary>
/// Who takes a page back when its last reference is dropped. The allocator is one; this lets <see cref="Page"/> reach it
/// without knowing the room below.
/// </summary>
internal unsafe interface IPageOwner
{
    /// <summary>The name shown in dumps and errors.</summary>
    string Name { get; }

    /// <summary>Takes back a head page in use whose count has just become 0; the caller owns nothing of it afterwards.</summary>
    void Release(PageDescriptor* head, PageTemperature temperature);
}

/// <summary>The table of owners: the number in a descriptor leads to the object. Changes are rare and under a lock; look-ups take none.</summary>
internal static class PageOwners
{
    private static readonly Lock s_gate = new();
    private static IPageOwner?[] s_owners = new IPageOwner?[8];

    internal static IPageOwner? Find(ushort id)
    {
        IPageOwner?[] owners = Volatile.Read(ref s_owners);
        return id < owners.Length ? owners[id] : null;
    }

    internal static IPageOwner[] All()
    {
        lock (s_gate)
        {
            return [.. s_owners.OfType<IPageOwner>()];
        }
    }

    /// <summary>Gives an owner its number, 1 or more. Numbers of departed owners are used again.</summary>
    internal static ushort Enroll(IPageOwner owner)
    {
        lock (s_gate)
        {
            int id = Array.IndexOf(s_owners, null, 1);
            if (id < 0)
            {
                id = s_owners.Length;
                if (id > ushort.MaxValue)
                {
                    throw new InvalidOperationException($"There are {ushort.MaxValue} allocators alive already; dispose those that are no longer used.");
                }

                // Happens before: the larger table is published whole; a reader that sees it sees its entries.
                IPageOwner?[] larger = new IPageOwner?[Math.Min(id * 2, ushort.MaxValue + 1)];
                s_owners.CopyTo(larger, 0);
                Volatile.Write(ref s_owners, larger);
            }

            s_owners[id] = owner;
            return (ushort)id;
        }
    }

    /// <summary>Forgets an owner; no frame may name it any more.</summary>
    internal static void Depart(ushort id)
    {
        lock (s_gate)
        {
            s_owners[id] = null;
        }
    }
}
