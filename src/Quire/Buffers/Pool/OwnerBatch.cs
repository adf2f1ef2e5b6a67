namespace Quire;

/// <summary>Up to 32 free owners, moved between a thread and the depot as one.</summary>
internal sealed class OwnerBatch
{
    internal const int Size = 32;

    private readonly PageMemory[] _owners = new PageMemory[Size];

    /// <summary>The next in the depot's list.</summary>
    internal OwnerBatch? Next;

    internal int Count { get; private set; }

    /// <summary>The one that came last; null where there is none. Its slot keeps the reference until another takes the place: clearing it would cost and change nothing.</summary>
    internal PageMemory? Pop()
    {
        int count = Count - 1;
        if (count < 0)
        {
            return null;
        }

        Count = count;
        return _owners[count];
    }

    internal bool TryPush(PageMemory owner)
    {
        int count = Count;
        if ((uint)count >= (uint)_owners.Length)
        {
            return false;
        }

        _owners[count] = owner;
        Count = count + 1;
        return true;
    }
}
