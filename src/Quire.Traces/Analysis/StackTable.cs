namespace Quire.Traces.Analysis;

/// <summary>Different stacks, numbered from 1; 0 is no stack. Grows with distinct stacks only.</summary>
internal sealed class StackTable
{
    private readonly List<ulong[]> _stacks = [];
    private readonly Dictionary<ulong, int> _byHash = [];

    internal int Count => _stacks.Count;

    /// <summary>The number of a stack, the same for the same addresses.</summary>
    internal int NumberOf(ReadOnlySpan<ulong> stack)
    {
        if (stack.IsEmpty)
        {
            return 0;
        }

        ulong hash = 14695981039346656037;
        foreach (ulong address in stack)
        {
            hash = (hash ^ address) * 1099511628211;
            hash ^= hash >> 29;
        }

        // Two stacks of one hash are told apart by looking on.
        for (; _byHash.TryGetValue(hash, out int known); hash++)
        {
            if (stack.SequenceEqual(_stacks[known - 1]))
            {
                return known;
            }
        }

        _stacks.Add(stack.ToArray());
        _byHash.Add(hash, _stacks.Count);
        return _stacks.Count;
    }

    /// <summary>The addresses of a stack, innermost first; of 0, none.</summary>
    internal ReadOnlySpan<ulong> Of(int number) => number == 0 ? default : _stacks[number - 1];
}
