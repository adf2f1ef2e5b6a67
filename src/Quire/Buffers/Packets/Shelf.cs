namespace Quire;

/// <summary>An object that waits on a <see cref="Shelf{T}"/> for its next use.</summary>
internal interface IShelved<T>
    where T : class
{
    /// <summary>The next one on the common list. The shelf's alone.</summary>
    T? Next { get; set; }
}

/// <summary>
/// Objects to be used again, so that nothing is allocated once warm: a stack a thread, and behind it a common list that evens out
/// between threads that only take and threads that only give back.
/// </summary>
/// <remarks>
/// They hold no page memory while they wait, so a thread that dies with some leaves garbage and nothing else, and so does what comes back
/// when <see cref="MostIdle"/> wait already. The common list is entered once in <see cref="Batch"/> objects.
/// </remarks>
internal static class Shelf<T>
    where T : class, IShelved<T>, new()
{
    /// <summary>Most on the common list.</summary>
    internal const int MostIdle = 32 * 1024;

    private const int Batch = 32;

    [ThreadStatic]
    private static Stack? t_mine;

    private static SpinGate s_gate;
    private static T? s_first;
    private static int s_idle;

    private sealed class Stack
    {
        internal readonly T?[] Items = new T?[2 * Batch];
        internal int Count;
    }

    /// <summary>One that was used before, as it was left, or a new one.</summary>
    internal static T Take()
    {
        Stack mine = t_mine ??= new Stack();
        if (mine.Count == 0 && !TryRefill(mine))
        {
            return new T();
        }

        T item = mine.Items[--mine.Count]!;
        return item;
    }

    /// <summary>Gives one back that nobody uses any more.</summary>
    internal static void Give(T item)
    {
        Stack mine = t_mine ??= new Stack();
        if (mine.Count == mine.Items.Length)
        {
            Spill(mine);
        }

        mine.Items[mine.Count++] = item;
    }

    private static bool TryRefill(Stack mine)
    {
        s_gate.Enter();
        while (mine.Count < Batch && s_first is { } item)
        {
            s_first = item.Next;
            item.Next = null;
            s_idle--;
            mine.Items[mine.Count++] = item;
        }

        s_gate.Exit();
        return mine.Count != 0;
    }

    private static void Spill(Stack mine)
    {
        s_gate.Enter();
        while (mine.Count > Batch)
        {
            T item = mine.Items[--mine.Count]!;
            mine.Items[mine.Count] = null;
            if (s_idle < MostIdle)
            {
                item.Next = s_first;
                s_first = item;
                s_idle++;
            }
        }

        s_gate.Exit();
    }
}
