using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>An object that waits on a <see cref="Shelf{T}"/> for its next use.</summary>
internal interface IShelved<T>
    where T : class
{
    /// <summary>The next one on the common list. The shelf's alone.</summary>
    T? Next { get; set; }
}

/// <summary>
/// A thread's objects to be used again, so that nothing is allocated once warm. Behind all threads' shelves stands a common list, which evens out between
/// threads that only take and threads that only give.
/// </summary>
/// <remarks>
/// Each type keeps its threads' shelves in a thread static of its own: one in a generic class would be looked up by type each time (measured: 40 ns a packet).
/// Objects hold no page memory while they wait, so a thread that dies leaves garbage and nothing else, and so does what comes back when
/// <see cref="MostIdle"/> wait already. The common list is entered once in <see cref="Batch"/> objects.
/// </remarks>
internal sealed class Shelf<T>
    where T : class, IShelved<T>, new()
{
    /// <summary>Most on the common list.</summary>
    internal const int MostIdle = 32 * 1024;

    private const int Batch = 32;

    private static SpinGate s_gate;
    private static T? s_first;
    private static int s_idle;

    // In a struct: an array of references would look at each one's type when it is stored.
    private readonly Place[] _places = new Place[2 * Batch];
    private int _count;

    private struct Place
    {
        internal T? Item;
    }

    /// <summary>One that was used before, as it was left, or a new one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T Take(ref Shelf<T>? mine)
    {
        Shelf<T>? shelf = mine;
        return shelf is not null && shelf._count != 0 ? shelf._places[--shelf._count].Item! : TakeSlow(ref mine);
    }

    /// <summary>Gives one back that nobody uses any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Give(ref Shelf<T>? mine, T item)
    {
        Shelf<T>? shelf = mine;
        if (shelf is not null && shelf._count < shelf._places.Length)
        {
            shelf._places[shelf._count++].Item = item;
        }
        else
        {
            GiveSlow(ref mine, item);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static T TakeSlow(ref Shelf<T>? mine)
    {
        Shelf<T> shelf = mine ??= new Shelf<T>();
        s_gate.Enter();
        while (shelf._count < Batch && s_first is { } item)
        {
            s_first = item.Next;
            item.Next = null;
            s_idle--;
            shelf._places[shelf._count++].Item = item;
        }

        s_gate.Exit();
        return shelf._count != 0 ? shelf._places[--shelf._count].Item! : new T();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void GiveSlow(ref Shelf<T>? mine, T given)
    {
        Shelf<T> shelf = mine ??= new Shelf<T>();
        if (shelf._count == shelf._places.Length)
        {
            s_gate.Enter();
            while (shelf._count > Batch)
            {
                T item = shelf._places[--shelf._count].Item!;
                shelf._places[shelf._count].Item = null;
                if (s_idle < MostIdle)
                {
                    item.Next = s_first;
                    s_first = item;
                    s_idle++;
                }
            }

            s_gate.Exit();
        }

        shelf._places[shelf._count++].Item = given;
    }
}
