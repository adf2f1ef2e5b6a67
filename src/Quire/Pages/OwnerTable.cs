namespace Quire;

/// <summary>A table of objects that descriptors name by number, since a descriptor can't hold a reference. Changes are rare and under a lock; look-ups take none.</summary>
/// <remarks>Numbers run from 1 and are used again after a departure; 0 is nobody. No descriptor may name an owner that departs.</remarks>
internal sealed class OwnerTable<T>(string what)
    where T : class
{
    private readonly Lock _gate = new();
    private T?[] _owners = new T?[8];

    internal T? Find(ushort id)
    {
        T?[] owners = Volatile.Read(ref _owners);
        return id < owners.Length ? owners[id] : null;
    }

    /// <exception cref="InvalidOperationException">65,535 owners are alive.</exception>
    internal ushort Enroll(T owner)
    {
        lock (_gate)
        {
            int id = Array.IndexOf(_owners, null, 1);
            if (id < 0)
            {
                id = _owners.Length;
                if (id > ushort.MaxValue)
                {
                    throw new InvalidOperationException($"There are {ushort.MaxValue} {what} alive already; dispose those that are no longer used.");
                }

                // Happens before: the larger table is published whole; a reader that sees it sees its entries.
                T?[] larger = new T?[Math.Min(id * 2, ushort.MaxValue + 1)];
                _owners.CopyTo(larger, 0);
                larger[id] = owner;
                Volatile.Write(ref _owners, larger);
            }

            Volatile.Write(ref _owners[id], owner);
            return (ushort)id;
        }
    }

    /// <summary>Those that are alive now.</summary>
    internal IReadOnlyList<T> All()
    {
        lock (_gate)
        {
            return [.. _owners.OfType<T>()];
        }
    }

    internal void Depart(ushort id)
    {
        lock (_gate)
        {
            Volatile.Write(ref _owners[id], null);
        }
    }
}
